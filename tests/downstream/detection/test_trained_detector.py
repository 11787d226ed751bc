"""The small detector: what is asked of its maps, what is read off them, and its loss."""

import numpy as np
import pytest
import torch
from torch import nn

from polyfuse.downstream.detection.trained.network import STRIDE, Detector, Maps, cell_middles, decode
from polyfuse.downstream.detection.trained.task import (
    DetectionTask,
    Marked,
    generalised_overlap,
    marked,
    wanted_maps,
)
from polyfuse.downstream.detection.truth import TrueBox
from polyfuse.downstream.training.draws import Draw

LABELS = ("person", "car")
BOXES = (
    TrueBox("car", (8.0, 12.0, 40.0, 32.0)),
    TrueBox("person", (44.0, 8.0, 52.0, 36.0)),
    TrueBox("person", (12.0, 16.0, 20.0, 30.0)),
)


class Perfect(nn.Module):
    """Gives the very maps that the boxes ask for."""

    def __init__(self, truth: Marked, size: tuple[int, int]) -> None:
        super().__init__()
        self.wanted = wanted_maps(truth, 2, (size[0] // STRIDE, size[1] // STRIDE))

    def forward(self, pictures: torch.Tensor) -> Maps:
        bells = self.wanted["bells"]
        logits = torch.where(bells == 1, 12.0, -12.0)
        middles = cell_middles(bells.shape[1], bells.shape[2], bells)
        edges = self.wanted["edges"]
        sides = torch.cat((middles - edges[:2], edges[2:] - middles))
        return Maps(logits[None], torch.where(self.wanted["weights"] > 0, sides, 1.0)[None])


def test_maps_that_were_asked_for_decode_to_the_true_boxes() -> None:
    truth = marked(BOXES, LABELS)
    found = decode(Perfect(truth, (48, 64))(torch.zeros(1, 3, 48, 64)), (48, 64))
    pairs = sorted(zip(found.classes.tolist(), found.edges.tolist(), strict=True))
    assert pairs == sorted(zip(truth.classes.tolist(), truth.edges.tolist(), strict=True))


def test_perfect_maps_have_hardly_any_loss_and_empty_ones_have_much() -> None:
    truth, task = marked(BOXES, LABELS), DetectionTask(LABELS)
    perfect = task.loss(Perfect(truth, (48, 64)), torch.zeros(1, 3, 48, 64), [truth])
    assert float(perfect) < 1e-3
    network = Detector(2, width=4)
    assert float(task.loss(network, torch.zeros(1, 3, 48, 64), [truth]).detach()) > 1


def test_middle_of_every_box_is_1_and_ignored_ones_have_no_say() -> None:
    ignored = marked([*BOXES[:2], TrueBox("person", BOXES[2].edges, ignored=True)], LABELS)
    wanted = wanted_maps(ignored, 2, (12, 16))
    assert int((wanted["bells"] == 1).sum()) == 2
    assert wanted["bells"][1, 5, 6] == 1  # the car's middle is at 24, 22
    assert wanted["counts"][0, 5, 3] == 0  # in the ignored person
    assert wanted["counts"][1].all()


def test_smaller_box_keeps_its_sides_where_two_compete() -> None:
    wanted = wanted_maps(marked([BOXES[2], TrueBox("car", (0.0, 0.0, 32.0, 46.0))], LABELS), 2, (12, 16))
    assert wanted["edges"][:, 5, 4].tolist() == [12, 16, 20, 30]


@pytest.mark.parametrize("mirrored", [False, True])
def test_crop_takes_its_boxes_along(mirrored: bool) -> None:
    truth = marked(BOXES, LABELS)
    cut = DetectionTask(LABELS).cut(truth, Draw(0, 4, 10, mirrored), 40, 40)
    car = [0.0, 8.0, 30.0, 28.0]
    assert cut.edges[0].tolist() == ([40 - 30, 8, 40 - 0, 28] if mirrored else car)
    assert cut.ignored.tolist() == [False, False, False]
    # of the person at the right a crop that ends at x 46 holds a quarter
    narrow = DetectionTask(LABELS).cut(truth, Draw(0, 4, 10, mirrored), 40, 36)
    assert narrow.ignored.tolist() == [False, True, False]


def test_boxes_outside_a_crop_are_gone() -> None:
    cut = DetectionTask(LABELS).cut(marked(BOXES, LABELS), Draw(0, 0, 42, False), 40, 20)
    assert cut.classes.tolist() == [0]


def test_crop_without_boxes_can_be_learned_from() -> None:
    loss = DetectionTask(LABELS).loss(Detector(2, width=4), torch.zeros(1, 3, 32, 32), [marked([], LABELS)])
    loss.backward()
    assert bool(torch.isfinite(loss))


def test_doubles_and_boxes_without_area_are_dropped() -> None:
    logits = torch.full((1, 1, 4, 8), -9.0)
    logits[0, 0, 1, 1], logits[0, 0, 1, 5], logits[0, 0, 3, 7] = 3.0, 2.0, 1.0
    sides = torch.ones(1, 4, 4, 8) * 40
    sides[..., 3, 7] = -50.0
    found = decode(Maps(logits, sides), (16, 32))
    assert len(found.scores) == 1
    assert found.edges.tolist() == [[0, 0, 32, 16]]


def test_generalised_overlap_is_that_of_the_paper() -> None:
    one = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 2, 2]])
    other = torch.tensor([[0.0, 0, 2, 2], [3, 0, 4, 1], [1, 1, 3, 3]])
    assert generalised_overlap(one, other).tolist() == pytest.approx([1, -0.5, 1 / 7 - 2 / 9], abs=1e-6)


@pytest.mark.parametrize("size", [(48, 64), (33, 17), (1, 1)])
def test_detector_takes_any_size(size: tuple[int, int]) -> None:
    network = Detector(2, width=4).eval()
    boxes = decode(network(torch.zeros(1, 3, *size)), size)
    assert np.isfinite(boxes.edges).all()


def test_detector_has_under_a_million_parameters() -> None:
    assert sum(value.numel() for value in Detector(3).parameters()) < 1_000_000
