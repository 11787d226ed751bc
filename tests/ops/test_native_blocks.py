"""Planes become blocks and come back as PyTorch's pixel shuffles have it, to the bit."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops import native_blocks
from polyfuse.ops.native_blocks import Blocks
from polyfuse.ops.native_maps_sets import maps_instruction_set

pytestmark = pytest.mark.skipif(
    maps_instruction_set(torch.bfloat16) is None, reason="no compiled kernel, or a processor without bfloat16"
)
SIZES = pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (8, 31), (7, 32), (6, 33), (21, 50)])
REACHES = pytest.mark.parametrize("reach", [0, 1, 4])


def planes(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(2, height, width, generator=torch.Generator().manual_seed(seed))


def around(x: Tensor, reach: int) -> Tensor:
    """Planes (C, H, W) with their edge pixels going on over `reach` blocks, and to whole ones."""
    height, width = x.shape[-2:]
    margin = 2 * reach
    return functional.pad(x, (margin, margin + width % 2, margin, margin + height % 2), mode="replicate")


@SIZES
@REACHES
def test_blocks_are_those_of_pixel_unshuffle(size: tuple[int, int], reach: int) -> None:
    a, b = planes(*size)
    blocks = Blocks(a, b, reach)
    whole = around(torch.stack([a, b, torch.maximum(a, b)]), reach).bfloat16()
    expected = functional.pixel_unshuffle(whole, 2).permute(1, 2, 0)
    assert torch.equal(blocks.pack(slice(0, blocks.shape[0])), expected)
    for row in range(blocks.shape[0]):
        assert torch.equal(blocks.pack(slice(row, row + 1)), expected[row : row + 1 + 2 * reach])


@SIZES
@REACHES
def test_pixels_are_the_larger_plus_those_of_pixel_shuffle(size: tuple[int, int], reach: int) -> None:
    a, b = planes(*size)
    blocks = Blocks(a, b, reach)
    rows, columns = blocks.shape
    residual = torch.randn(rows, columns + 2 * reach, 8, generator=torch.Generator().manual_seed(1)).bfloat16()
    pixels = functional.pixel_shuffle(residual[:, reach : reach + columns, :4].permute(2, 0, 1), 2)[0]
    found = torch.full(size, torch.nan)
    for row in range(rows):
        blocks.unpack(slice(row, row + 1), residual[row : row + 1].contiguous(), found)
    assert torch.equal(found, torch.maximum(a, b) + pixels[: size[0], : size[1]].float())


def test_rows_that_lie_apart_and_values_that_are_not_finite() -> None:
    wide = planes(6, 40)
    a, b = wide[:, :, :20]
    a[2, 3] = b[4, 5] = torch.nan
    blocks = Blocks(a, b, 1)
    target = torch.zeros(6, 40)
    blocks.unpack(slice(0, 3), torch.zeros(3, 12, 8).bfloat16(), target[:, :20])
    assert torch.equal(target[:, :20].isnan(), a.isnan() | b.isnan())
    assert (target[:, 20:] == 0).all()
    assert blocks.pack(slice(0, 3)).isnan().sum() == 4  # each of them in its plane and in the larger


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_planes_are_left_to_pytorch(dtype: torch.dtype) -> None:
    assert native_blocks.takes(torch.empty(4, 4), torch.bfloat16)
    assert not native_blocks.takes(torch.empty(4, 4, dtype=torch.float64), torch.bfloat16)
    assert not native_blocks.takes(torch.empty(4, 4), dtype)
