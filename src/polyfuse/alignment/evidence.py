"""How sure a warp is: what blocks say about it that had no part in finding it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.alignment.blocks import Surfaces

IN_PLACE = 3.0
"""Farthest that the best shift of a block which agrees may be from none, pixels of the working size."""
TEXTURED = 0.25
"""Energy, in that of an average block, below which a block has nothing to say."""
_NEAR, _FAR = 2.0, 5.0
ACCEPTED = 0.5
"""Confidence from which a warp is accepted."""
LEAST_BLOCKS = 12
"""With fewer blocks that say anything, nothing is sure."""
_BIAS, _PER_SHARE, _PER_CONTRAST = -12.6, 20.0, 4.0
"""Logarithm of the odds that a warp is within 10 pixels of 640, from its evidence; see docs/verbs/align.md."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the blocks of a pair say about a warp."""

    share: float
    """Share of blocks with something to say whose best shift is none, 0 to 1; chance gives 0.05."""
    contrast: float
    """How far no shift stands out among all of a block, in their standard deviations, the mean over the blocks."""
    num_blocks: int
    """Blocks with something to say."""
    centres: NDArray[np.float64]
    """(N, 2), in pixels of the field, of these blocks."""
    shifts: NDArray[np.float64]
    """(N, 2): the best shift of each."""
    enlarged: float = 1.0
    """See `Surfaces`."""

    @property
    def confidence(self) -> float:
        """How likely the warp is right, 0 to 1."""
        if self.num_blocks < LEAST_BLOCKS:
            return 0.0
        # What few blocks say, or blocks of few pixels, may be chance: two standard errors are taken off.
        doubt = 2 * math.sqrt(self.enlarged / self.num_blocks)
        odds = _BIAS + _PER_SHARE * (self.share - doubt / 2) + _PER_CONTRAST * (self.contrast - doubt)
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))

    @property
    def in_place(self) -> NDArray[np.bool_]:
        """(N,): the blocks that agree."""
        return np.asarray(np.hypot(*self.shifts.T) <= IN_PLACE)


def weigh(surfaces: Surfaces) -> Evidence:
    """The evidence of blocks matched with a laid over b as the warp to be judged says."""
    keep = surfaces.energy > TEXTURED
    values, reach = surfaces.values[keep], surfaces.radius
    if len(values) == 0:
        return Evidence(0.0, 0.0, 0, np.zeros((0, 2)), np.zeros((0, 2)))
    places = torch.arange(-reach, reach + 1, dtype=torch.float32)
    distance = torch.hypot(places[:, None], places[None])
    far = values[:, distance > _FAR]
    contrast = (values[:, distance <= _NEAR].amax(1) - far.mean(1)) / (far.std(1) + 1e-6)
    shifts = best_shifts(values)
    share = float((np.hypot(*shifts.T) <= IN_PLACE).mean())
    return Evidence(
        share, float(contrast.mean()), len(values), surfaces.centres[keep.numpy()], shifts, surfaces.enlarged
    )


def best_shifts(values: torch.Tensor) -> NDArray[np.float64]:
    """The shift (column, row) at which each block fits best, to a part of a pixel: (N, 2).

    A parabola through the highest value and its neighbours, in each direction.
    """
    side = values.shape[-1]
    best = values.flatten(1).argmax(1)
    rows, columns = best // side, best % side
    index = torch.arange(len(values))
    parts = []
    for axis, place in ((1, columns), (0, rows)):
        inner = place.clamp(1, side - 2)
        before, here, after = (
            values[index, rows, inner + step] if axis else values[index, inner + step, columns] for step in (-1, 0, 1)
        )
        bend = (before - 2 * here + after).clamp(max=-1e-6)
        part = ((before - after) / (2 * bend)).clamp(-0.5, 0.5)
        parts.append(place - side // 2 + torch.where(place == inner, part, torch.zeros_like(part)))
    return torch.stack(parts, dim=-1).double().numpy()
