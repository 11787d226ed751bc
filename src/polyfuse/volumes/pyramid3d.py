"""The Laplacian pyramid in three dimensions: the classic method without slices, so that nothing can flicker.

As in two dimensions: 4 levels, the kernel (1, 4, 6, 4, 1) / 16 along each axis, details by larger magnitude, mean of
the base. # ours: an axis is halved at a level only while its voxels are at most sqrt(2) times as long as the shortest
ones, so that thick slices are not blurred over distances that thin pixels are not: a grid of 1 x 1 x 5 mm is halved in
the plane twice before its slices are. An axis of one voxel is never halved.

Slabs across an axis, with a margin of what all levels reach, give what the whole volume gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 4
BYTES_PER_VOXEL = 40
"""About what a slab takes, margins included: both sources, three details of the finest level, and what is added up."""
Axes = tuple[int, ...]


@dataclass(frozen=True)
class Halvings:
    """Which axes are halved at each level."""

    levels: tuple[Axes, ...]
    """From the finest on."""

    def times(self, axis: int) -> int:
        """How often an axis is halved."""
        return sum(axis in axes for axes in self.levels)

    def margin(self, axis: int) -> int:
        """Voxels beyond a slab across an axis that its values depend on, in whole steps of the coarsest level."""
        reach, step = 0, 1
        for axes in self.levels:
            if axis in axes:
                reach += 4 * step  # two voxels to shrink and two to expand, at this level's step
                step *= 2
        return -(-reach // step) * step


def halvings_of(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Halvings:
    """Which axes are halved at each level of a grid."""
    sides, lengths, levels = list(shape), list(spacing), []
    for _ in range(LEVELS):
        able = [axis for axis in range(3) if sides[axis] > 1]
        shortest = min((lengths[axis] for axis in able), default=0.0)
        axes = tuple(axis for axis in able if lengths[axis] <= shortest * 2**0.5 * (1 + 1e-6))
        for axis in axes:
            sides[axis], lengths[axis] = -(-sides[axis] // 2), lengths[axis] * 2
        levels.append(axes)
    return Halvings(tuple(levels))


def fuse_block(a: NDArray[np.float32], b: NDArray[np.float32], halvings: Halvings) -> NDArray[np.float32]:
    """Fuse two blocks of one size.

    Args:
        a: (I, J, K) in [0, 1].
        b: The same.
        halvings: Of the whole grid.

    Returns:
        (I, J, K), about [0, 1].
    """
    one, other = torch.from_numpy(np.ascontiguousarray(a)), torch.from_numpy(np.ascontiguousarray(b))
    details: list[Tensor] = []
    with torch.inference_mode():
        for axes in halvings.levels:
            smaller_a, smaller_b = shrink(one, axes), shrink(other, axes)
            detail_a = one - expand(smaller_a, one.shape, axes)
            detail_b = other - expand(smaller_b, other.shape, axes)
            larger, smaller = torch.maximum(detail_a, detail_b), torch.minimum(detail_a, detail_b)
            details.append(torch.where(detail_a + detail_b > 0, larger, smaller))
            one, other = smaller_a, smaller_b
        fused = (one + other) * 0.5
        for detail, axes in zip(reversed(details), reversed(halvings.levels), strict=True):
            fused = detail + expand(fused, detail.shape, axes)
    result: NDArray[np.float32] = fused.numpy()
    return result


def shrink(x: Tensor, axes: Axes) -> Tensor:
    """Low-pass along some axes and keep every second voxel there; borders repeat the edge."""
    for axis in axes:
        x = _padded(x, axis, 2)
        length = x.shape[axis]
        for _ in range(3):
            x = x.narrow(axis, 0, length - 1) + x.narrow(axis, 1, length - 1)
            length -= 1
        even, odd = (
            _every_second(x.narrow(axis, 0, length - 1), axis),
            _every_second(x.narrow(axis, 1, length - 1), axis),
        )
        x = (even + odd) / 16
    return x


def expand(x: Tensor, shape: torch.Size, axes: Axes) -> Tensor:
    """Double the size along some axes, as the kernel interpolates, and cut it to `shape`."""
    for axis in axes:
        length = x.shape[axis]
        x = _padded(x, axis, 1)
        between = x.narrow(axis, 0, length + 1) + x.narrow(axis, 1, length + 1)
        on = between.narrow(axis, 0, length) + between.narrow(axis, 1, length) + 4 * x.narrow(axis, 1, length)
        both = torch.stack((on, 4 * between.narrow(axis, 1, length)), dim=axis + 1).flatten(axis, axis + 1)
        x = both.narrow(axis, 0, shape[axis]) / 8
    return x


def _padded(x: Tensor, axis: int, number: int) -> Tensor:
    """The edge voxels repeated on both sides of an axis."""
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
    return torch.cat([first] * number + [x] + [last] * number, dim=axis)


def _every_second(x: Tensor, axis: int) -> Tensor:
    """Every second voxel along an axis, from the first on."""
    return x[(slice(None),) * axis + (slice(None, None, 2),)]
