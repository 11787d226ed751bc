"""Blocks are those of pixel_unshuffle and pixel_shuffle, to the bit, for every type and side."""

import pytest
import torch
from torch.nn import functional

from polyfuse.ops.blocks import from_blocks, to_blocks

TYPES = [torch.float32, torch.bfloat16, torch.float64]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("side", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 1), (1, 5)], ids=str)
def test_blocks_are_those_of_pixel_unshuffle_and_come_back(
    shape: tuple[int, int], side: int, dtype: torch.dtype
) -> None:
    size = (2, 3, shape[0] * side, shape[1] * side)
    planes = torch.rand(size, generator=torch.Generator().manual_seed(1)).to(dtype)
    blocks = to_blocks(planes, side)
    assert torch.equal(blocks, functional.pixel_unshuffle(planes, side))
    assert blocks.is_contiguous(memory_format=torch.channels_last)
    for own in (blocks[:, : side**2], blocks[:, : side**2].contiguous()):
        assert torch.equal(from_blocks(own, side), planes[:, :1])


@pytest.mark.parametrize("side", [2, 4])
def test_window_of_a_larger_picture_is_taken_as_it_is(side: int) -> None:
    window = torch.rand(1, 2, 9 * side, 8 * side)[..., side:, 1 : 1 + 4 * side]
    assert torch.equal(to_blocks(window, side), functional.pixel_unshuffle(window, side))


@pytest.mark.parametrize("side", [2, 3, 4])
def test_gradients_pass(side: int) -> None:
    planes = torch.rand(1, 1, 2 * side, 3 * side, requires_grad=True)
    weight = torch.rand(planes.shape)
    (from_blocks(to_blocks(planes, side), side) * weight).sum().backward()
    assert planes.grad is not None
    assert torch.equal(planes.grad, weight)
