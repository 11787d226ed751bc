"""What the network is taught: pixels that are ignored have no say, rare classes weigh more."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from polyfuse.downstream.segmentation.classes import Classes
from polyfuse.downstream.segmentation.task import SegmentationTask, class_weights, predict
from polyfuse.errors import InputError

CLASSES = Classes(("ground", "car", "person"), 255)
MASK = np.array([[0, 0, 0, 1], [0, 255, 255, 255]], np.uint8)


class Fixed(nn.Module):
    """Gives the logits it was made with."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, pictures: Tensor) -> Tensor:
        return self.logits.clone()


def test_weights_are_inverse_roots_of_the_shares_with_mean_1_over_what_occurs() -> None:
    weights = class_weights([MASK], CLASSES)
    # shares 4/5 and 1/5: roots of their inverses are as 1 to 2
    assert weights == pytest.approx((2 / 3, 4 / 3, 0), abs=1e-12)


def test_masks_without_a_counted_pixel_are_refused() -> None:
    with pytest.raises(InputError, match="no pixel that counts"):
        class_weights([np.full((2, 2), 255, np.uint8)], CLASSES)


def test_loss_is_the_weighted_mean_of_the_counted_pixels() -> None:
    logits = torch.zeros(1, 3, 2, 4)
    logits[0, 1, 1, 1:] = 50.0  # where the truth is ignored
    logits[0, 1, 0, 3] = 2.0
    loss = SegmentationTask(CLASSES, "unet", (1.0, 4.0, 0.0)).loss(Fixed(logits), torch.zeros(1, 3, 2, 4), [MASK])
    plain, car = np.log(3), np.log(2 + np.exp(2)) - 2
    assert float(loss) == pytest.approx((4 * plain + 4 * car) / 8, rel=1e-6)  # float32


def test_crop_without_a_counted_pixel_has_loss_0() -> None:
    nothing = np.full((2, 4), 255, np.uint8)
    loss = SegmentationTask(CLASSES, "unet", (1.0, 1.0, 1.0)).loss(
        Fixed(torch.randn(1, 3, 2, 4)), torch.zeros(1, 3, 2, 4), [nothing]
    )
    assert float(loss) == 0


def test_class_that_is_ignored_is_never_predicted() -> None:
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 0] = 9
    logits[0, 2] = 1
    picture = np.zeros((2, 2, 3), np.uint8)
    cpu = torch.device("cpu")
    assert predict(Fixed(logits), picture, Classes(CLASSES.names, None), cpu).tolist() == [[0, 0], [0, 0]]
    assert predict(Fixed(logits), picture, Classes(CLASSES.names, 0), cpu).tolist() == [[2, 2], [2, 2]]
