"""The grid that a page shows: a's voxels in the order of pictures, fewer of them where there are too many."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from polyfuse.volumes.volume import Affine, Volume

MOST_VOXELS = 256**3
"""Voxels of a volume on a page: browsers hold several of them at once."""
ORDER = ("LR", "PA", "IS")
"""What is counted towards along each axis, and the other way: then rows and columns of no plane need to be turned."""
ALIKE = 1.5
"""Sides of a voxel within this factor of the shortest are made longer together."""


@dataclass(frozen=True, eq=False)
class ViewingGrid:
    """Voxels counted towards the patient's left, back and feet."""

    affine: Affine
    """(4, 4): from its voxels to RAS+ millimetres."""
    shape: tuple[int, int, int]
    """Voxels to the left, back and feet."""
    steps: tuple[int, int, int]
    """How many voxels of the volume one of them is, along each."""

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres from one voxel to the next."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)


def viewing_grid(volume: Volume, most: int = MOST_VOXELS) -> ViewingGrid:
    """The voxels of a volume in the order of pictures; where they are more than `most`, several become one."""
    letters = volume.orientation
    axes = [next(axis for axis in range(3) if letters[axis] in both) for both in ORDER]
    sides, spacing = [volume.shape[axis] for axis in axes], np.array([volume.spacing[axis] for axis in axes])
    steps = np.ones(3, int)
    while math.prod(side // step for side, step in zip(sides, steps, strict=True)) > most:
        room = np.array([side // (2 * step) > 0 for side, step in zip(sides, steps, strict=True)])
        long = spacing * steps
        steps[room & (long <= ALIKE * long[room].min())] *= 2
    turned = np.zeros((4, 4))
    turned[3, 3] = 1
    for column, (axis, both) in enumerate(zip(axes, ORDER, strict=True)):
        step, first = int(steps[column]), (int(steps[column]) - 1) / 2
        is_turned = letters[axis] != both[0]
        turned[axis, column] = -step if is_turned else step
        turned[axis, 3] = sides[column] - 1 - first if is_turned else first
    x, y, z = (int(side // step) for side, step in zip(sides, steps, strict=True))
    return ViewingGrid(volume.affine @ turned, (x, y, z), (int(steps[0]), int(steps[1]), int(steps[2])))
