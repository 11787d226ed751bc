"""A volume made smaller for one level of the search, its values evened out, and where it is looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from polyfuse.volumes.volume import Affine, Volume, slab

_BLUR = 0.5
"""Standard deviation of the blur, in spacings of the level."""
_KNOTS = 256
"""Values between which the evening-out is linear."""
_PARTS = 8
"""Parts in which points are sampled."""
_DENSEST = 0.8
"""Spacing of points, in sides of a voxel, below which they tell nothing new."""
_RIM = 16.0
"""Millimetres around what a volume shows that still belong to its region: the outline tells much."""


@dataclass(frozen=True, eq=False)
class Level:
    """One volume at one spacing."""

    values: torch.Tensor
    """(I, J, K): evened, 0 to 1."""
    affine: Affine
    """Voxel index to millimetres."""
    foreground: torch.Tensor
    """(I, J, K), bool: what is not background."""

    @cached_property
    def to_index(self) -> torch.Tensor:
        """Millimetres to voxel index: (4, 4), float64."""
        return torch.from_numpy(np.linalg.inv(self.affine))

    def sampled(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Values at points (N, 3) in millimetres, and by how much each is inside: (N,), (N,).

        Linear; the voxel beyond the border is partly inside, so that both have gradients there.
        """
        to_index = self.to_index.to(points.dtype)
        index = points @ to_index[:3, :3].T + to_index[:3, 3]
        sides = torch.tensor(self.values.shape, dtype=points.dtype)
        inside = torch.minimum(index + 1, sides - index).clamp(0, 1).prod(dim=1)
        parts = _PARTS if len(points) % _PARTS == 0 else 1  # PyTorch's threads share the parts of a batch
        grid = ((2 * index + 1) / sides - 1).flip(-1).reshape(parts, 1, 1, -1, 3)
        volume = self.values.to(points.dtype).expand(parts, 1, -1, -1, -1)
        values = functional.grid_sample(volume, grid, padding_mode="border", align_corners=False)
        return values.flatten(), inside


def make_level(volume: torch.Tensor, affine: Affine, spacing: float) -> Level:
    """A volume at a spacing: averaged over blocks, blurred, evened out.

    Args:
        volume: (I, J, K), float32, finite.
        affine: Voxel index to millimetres.
        spacing: Of the level, millimetres; an axis that is coarser already stays as it is.
    """
    sides = _block(affine, tuple(volume.shape), spacing)
    means, there = functional.avg_pool3d(volume[None], sides)[0], _affine_of_blocks(affine, sides)
    blurred = _blurred(means, [_BLUR * spacing / side for side in spacings(there)])
    foreground = blurred > threshold(blurred)
    return Level(_evened(blurred, foreground), there, foreground)


def spacings(affine: Affine) -> NDArray[np.float64]:
    """Millimetres from voxel to voxel along each axis."""
    return np.asarray(np.linalg.norm(affine[:3, :3], axis=0))


def reduced(volume: Volume, spacing: float) -> tuple[torch.Tensor, Affine]:
    """A volume of grey in blocks of whole voxels no larger than a spacing, and where the blocks lie.

    Slab by slab, so that a large file is never whole in memory.

    Raises:
        InputError: If a value is NaN or infinite, or the file is damaged.
    """
    sides = _block(volume.affine, volume.shape, spacing)
    slabs = []
    for first in range(0, volume.shape[2] - sides[2] + 1, sides[2]):
        block = volume.block(slab(2, first, first + sides[2]))
        grey = block.mean(axis=-1, dtype=np.float32) if volume.is_colour else block
        slabs.append(functional.avg_pool3d(torch.from_numpy(np.ascontiguousarray(grey))[None], sides)[0, :, :, 0])
    return torch.stack(slabs, dim=-1), _affine_of_blocks(volume.affine, sides)


def _block(affine: Affine, shape: tuple[int, ...], spacing: float) -> list[int]:
    """Voxels of a block along each axis."""
    return [
        min(max(1, math.floor(spacing / step + 1e-6)), side) for step, side in zip(spacings(affine), shape, strict=True)
    ]


def _affine_of_blocks(affine: Affine, sides: list[int]) -> Affine:
    """From indices of blocks to millimetres."""
    blocks = np.diag([*(float(side) for side in sides), 1.0])
    blocks[:3, 3] = [(side - 1) / 2 for side in sides]
    return np.asarray(affine @ blocks)


def _blurred(volume: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    """A Gaussian blur along each axis, the border repeated; sigmas in voxels."""
    for axis, sigma in enumerate(sigmas):
        reach = min(math.ceil(3 * sigma), volume.shape[axis] - 1)
        if sigma < 0.2 or reach < 1:
            continue
        places = torch.arange(-reach, reach + 1, dtype=volume.dtype)
        kernel = torch.exp(-(places**2) / (2 * sigma**2))
        lines = volume.movedim(axis, -1)
        rows = functional.pad(lines.reshape(1, -1, lines.shape[-1]), (reach, reach), mode="replicate")
        blurred = functional.conv1d(rows.reshape(-1, 1, rows.shape[-1]), (kernel / kernel.sum())[None, None])
        volume = blurred.reshape(lines.shape).movedim(-1, axis)
    return volume.contiguous()


def threshold(volume: torch.Tensor) -> float:
    """The value that parts background from what is shown best, by Otsu's rule on the middle 99.8 % of values.

    Source: Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man, and
    Cybernetics 9(1), 1979.
    """
    values = volume.flatten().double().numpy()
    low, high = np.quantile(values, (0.001, 0.999))
    if not high > low:
        return float(low)
    counts, edges = np.histogram(values.clip(low, high), 256, (low, high))
    below = np.cumsum(counts)[:-1] / counts.sum()
    middles = (edges[:-1] + edges[1:]) / 2
    mass = np.cumsum(counts * middles)[:-1] / counts.sum()
    whole = float((counts * middles).sum() / counts.sum())
    between = (whole * below - mass) ** 2 / np.maximum(below * (1 - below), 1e-12)
    return float(edges[1 + int(between.argmax())])


def _evened(volume: torch.Tensor, foreground: torch.Tensor) -> torch.Tensor:
    """Values brought to [0, 1]: the mean of where they are in the range and of their rank among the foreground's.

    # ours: in proportion alone, all soft tissue of a CT shares two bins; by rank alone, so does the noise of air.
    """
    values = volume.flatten().double().numpy()
    low, high = np.quantile(values, (0.001, 0.999))
    if not high > low:
        return torch.zeros_like(volume)
    knots = np.linspace(low, high, _KNOTS)
    shown = np.sort(volume[foreground].double().numpy())
    ranks = np.searchsorted(shown, knots) / max(1, len(shown))
    levels = (ranks + np.linspace(0, 1, _KNOTS)) / 2
    return torch.from_numpy(np.interp(values, knots, levels).astype(np.float32)).reshape(volume.shape)


def sample_points(level: Level, spacing: float, most: int, seed: int = 0) -> torch.Tensor:
    """Points of a's world at which two volumes are compared: (N, 3), float32.

    A grid of about the spacing over what the volume shows and a rim, each point moved within its cell by a seeded
    draw: points on the grid itself would fit best where voxels meet voxels.

    Args:
        level: Of the volume.
        spacing: Of the points, millimetres; wider if there would be more than `most`, or many for each voxel.
        most: Points at most, about.
        seed: Of the moves within the cells.
    """
    steps = spacings(level.affine)
    reach = [math.ceil(_RIM / step) for step in steps]
    region = level.foreground.float()[None, None]
    for axis, far in enumerate(reach):
        kernel, padding = [1, 1, 1], [0, 0, 0]
        kernel[axis], padding[axis] = 2 * far + 1, far
        region = functional.max_pool3d(region, kernel, 1, padding)
    share = float(region.mean())
    sides = np.array(level.foreground.shape) * steps
    spacing = max(spacing, _DENSEST * float(steps.prod() ** (1 / 3)), float((share * sides.prod() / most) ** (1 / 3)))
    counts = np.maximum(1, np.round(sides / spacing)).astype(int)
    rng = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(*(np.arange(count) for count in counts), indexing="ij"), axis=-1).reshape(-1, 3)
    index = (cells + rng.random(cells.shape)) / counts * level.foreground.shape - 0.5
    nearest = np.clip(np.round(index).astype(int), 0, np.array(level.foreground.shape) - 1)
    index = index[region[0, 0].numpy()[tuple(nearest.T)] > 0]
    index = index[: max(1, len(index) // _PARTS * _PARTS)]
    return torch.from_numpy((index @ level.affine[:3, :3].T + level.affine[:3, 3]).astype(np.float32))
