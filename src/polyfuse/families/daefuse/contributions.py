"""Which source each place of the fused picture depends on, measured by what changes where a block loses its structure.

    w_a(block) = rms of fuse(a', b) - fuse(a, b) around the block,   a' = a with the block replaced by its mean

Source: spec daefuse 10, item 5, for the replacement.  # ours: blocks far apart are replaced in one pass, so that a
picture of any size takes no more than 2 SPACING^2 passes; "around" is the block and one more on each side.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.daefuse.config import SOURCES
from polyfuse.families.spec import FusionModel

BLOCK = 16
"""Side of a block, pixels."""
SPACING = 4
"""Distance of blocks that are replaced in the same pass, in blocks; the areas measured around them do not overlap."""
PIXELS_AT_ONCE = 1 << 17
"""Pixels of all pictures in one batch of passes, at most: small pictures share a batch, and memory does not grow."""
_TINY = 1e-9
"""Makes the shares 0.5 where both weights are 0."""


def block_contributions(model: FusionModel, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """What `DAEFuse.block_contributions` returns, by the names documented there."""
    fused = model(a, b)
    weights = {}
    for name, picture in zip(SOURCES, (a, b), strict=True):
        weights[name] = torch.zeros_like(block_sums(picture))
        for lattice in _batches(picture):
            pictures = torch.where(_spread(lattice, picture), _flattened(picture), picture[None]).flatten(0, 1)
            other = (b if name == "a" else a).repeat(len(lattice), 1, 1, 1)
            changed = model(pictures, other) if name == "a" else model(other, pictures)
            around = _rms_around((changed.unflatten(0, (len(lattice), -1)) - fused).flatten(0, 1))
            weights[name] += (around.unflatten(0, (len(lattice), -1)) * lattice).sum(dim=0)
    share = (weights["a"] + _TINY) / (weights["a"] + weights["b"] + 2 * _TINY)
    return {"weight_a": weights["a"], "weight_b": weights["b"], "share_a": share}


def block_sums(x: Tensor) -> Tensor:
    """Sum over each block of (N, 1, H, W), (N, 1, rows, columns); blocks at the right and lower border are smaller."""
    height, width = x.shape[-2:]
    padded = functional.pad(x, (0, -width % BLOCK, 0, -height % BLOCK))
    return functional.avg_pool2d(padded, BLOCK) * BLOCK**2


def _batches(picture: Tensor) -> Iterator[Tensor]:
    """Lattices of blocks to be replaced together, several at a time, (passes, 1, 1, rows, columns) of 0 and 1."""
    rows, columns = block_sums(picture).shape[-2:]
    row, column = (torch.arange(size, device=picture.device) % SPACING for size in (rows, columns))
    offsets = [(i, j) for i in range(min(rows, SPACING)) for j in range(min(columns, SPACING))]
    lattices = torch.stack([(row == i)[:, None] & (column == j) for i, j in offsets])[:, None, None]
    yield from lattices.to(picture.dtype).split(max(1, PIXELS_AT_ONCE // picture.numel()))


def _spread(blocks: Tensor, like: Tensor) -> Tensor:
    """Truth value of each block at all its pixels, in the size of `like`."""
    height, width = like.shape[-2:]
    return _enlarged(blocks)[..., :height, :width] > 0


def _flattened(picture: Tensor) -> Tensor:
    """(N, 1, H, W) with each block replaced by its mean."""
    height, width = picture.shape[-2:]
    means = block_sums(picture) / block_sums(torch.ones_like(picture))
    return _enlarged(means)[..., :height, :width]


def _enlarged(blocks: Tensor) -> Tensor:
    return blocks.repeat_interleave(BLOCK, dim=-2).repeat_interleave(BLOCK, dim=-1)


def _rms_around(difference: Tensor) -> Tensor:
    """Root mean square over each block and its neighbours, (N, 1, rows, columns)."""
    sums, counts = (_with_neighbours(block_sums(x)) for x in (difference.square(), torch.ones_like(difference)))
    return (sums / counts).sqrt()


def _with_neighbours(sums: Tensor) -> Tensor:
    """Sum over each block and its neighbours, of which there are fewer at the border."""
    return functional.avg_pool2d(sums, 3, stride=1, padding=1) * 9
