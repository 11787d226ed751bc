"""Batches of tensors are fused as their pictures are."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from polyfuse import fuse, load
from polyfuse.errors import InputError, UsageError
from polyfuse.families.fnet.network import FNet
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import fuse_tensors


def batch(channels: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(3, channels, 9, 7, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("channels", [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_each_item_is_that_of_fuse(channels: tuple[int, int], random_fnet: FNet) -> None:
    a, b = batch(channels[0]), batch(channels[1], 1)
    fused = fuse_tensors(a, b, model=random_fnet)
    assert fused.shape == (3, max(channels), 9, 7)
    assert fused.dtype == torch.float32
    for item, one, other in zip(fused, a, b, strict=True):
        image = fuse(one, other, model=random_fnet).image
        np.testing.assert_array_equal(item.permute(1, 2, 0).squeeze(2).numpy(), image)


def test_colour_is_left_out_on_demand() -> None:
    assert fuse_tensors(batch(1), batch(3), model="average", grey=True).shape == (3, 1, 9, 7)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.bool, torch.float16, torch.bfloat16, torch.float64])
def test_every_type_comes_back_in_unit_range(dtype: torch.dtype) -> None:
    white = {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)
    ends = (torch.tensor([0.0, 1.0]) * white).to(dtype).view(1, 1, 1, 2)
    assert fuse_tensors(ends, ends, model="average").flatten().tolist() == [0, 1]


def test_tensors_are_left_as_they_were_and_need_no_gradient() -> None:
    a = batch(1).requires_grad_()
    before = a.detach().clone()
    assert not fuse_tensors(a, batch(3), model=load("maximum")).requires_grad
    assert torch.equal(a, before)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (torch.zeros(9, 7), "b has shape"),
        (torch.zeros(3, 2, 9, 7), "b has shape"),
        (torch.zeros(0, 1, 9, 7), "b has shape"),
        (torch.zeros(2, 1, 9, 7), r"a is \(3, 1, 9, 7\) on cpu but b \(2, 1, 9, 7\)"),
        (torch.zeros(3, 1, 9, 8), "give one N, H, W"),
        (torch.full((3, 1, 9, 7), 2.0), "b holds values from 2 to 2"),
        (torch.full((3, 1, 9, 7), torch.nan), "NaN"),
        (torch.zeros(3, 1, 9, 7).long(), "b holds torch.int64 values"),
        (torch.zeros(3, 1, 9, 7, device="meta"), "b is a meta tensor"),
        (np.zeros((3, 1, 9, 7), np.float32), "b is a ndarray"),
    ],
)
def test_what_is_no_batch_or_does_not_fit_is_refused(bad: torch.Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fuse_tensors(batch(1), bad, model="average")


def test_unknown_model_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        fuse_tensors(batch(1), batch(3), model="no-such-model")


def test_clip_rendering_of_weights_is_kept(give_b: Callable[..., FusionModel]) -> None:
    a, b = batch(1), batch(3, 1)
    torch.testing.assert_close(fuse_tensors(a, b, model=give_b("studio", "clip")), b, rtol=0, atol=1e-6)
