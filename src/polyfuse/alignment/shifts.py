"""Where two pictures laid over one another are still off, place by place: what a plane cannot explain is parallax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.alignment.blocks import Surfaces
from polyfuse.alignment.canvas import Canvas, Matrix, inverted, zoomed
from polyfuse.alignment.evidence import best_shifts
from polyfuse.alignment.find import Stage, laid_over

STAGE = Stage(1, 65, 16, 32, "homography", ())
OFF = 3.0
"""Pixels of a picture 640 wide from which a place counts as off."""
LEAST_RISE = 4.0
"""Standard deviations by which the best shift of a place stands out among all when it is believed."""


@dataclass(frozen=True, eq=False)
class ShiftMap:
    """By how much places of b are found further in a than the warp says."""

    centres: NDArray[np.float64]
    """(N, 2): columns and rows of b."""
    shifts: NDArray[np.float64]
    """(N, 2), pixels of b: to the right and downwards."""
    width: int
    """Of b."""

    @property
    def lengths(self) -> NDArray[np.float64]:
        """(N,): how far each place is off, pixels of b."""
        return np.asarray(np.hypot(*self.shifts.T))

    @property
    def share_off(self) -> float:
        """Share of the places that are off by more than `OFF`."""
        return float((self.lengths > OFF * self.width / 640).mean()) if len(self.centres) else 0.0

    def numbers(self) -> dict[str, Any]:
        """What `--json` prints."""
        lengths = self.lengths
        seen = len(lengths) > 0
        return {
            "places": len(lengths),
            "median": round(float(np.median(lengths)), 3) if seen else None,
            "90_percent": round(float(np.quantile(lengths, 0.9)), 3) if seen else None,
            "share_off": round(self.share_off, 4),
            "shift": [round(float(value), 3) for value in np.median(self.shifts, axis=0)] if seen else None,
            "map": np.round(np.concatenate([self.centres, self.shifts], axis=1), 1).tolist(),
        }


def shift_map(a: Canvas, b: Canvas, matrix: Matrix) -> ShiftMap:
    """Measure what is left of shifts, where blocks and their neighbours together say something clear.

    Args:
        a: First picture.
        b: Second picture.
        matrix: From a's canvas to b's.
    """
    part = zoomed(a, b, matrix)
    surfaces, down_b, _ = laid_over(a, part, part.matrix @ inverted(b.matrix) @ matrix, STAGE)
    if len(surfaces) == 0:
        return ShiftMap(np.zeros((0, 2)), np.zeros((0, 2)), b.size[0])
    values = with_neighbours(surfaces, 1.5 * STAGE.step)
    flat = values.flatten(1)
    rise = (flat.amax(1) - flat.mean(1)) / (flat.std(1) + 1e-6)
    clear = (rise > LEAST_RISE).numpy()
    to_b = inverted(down_b @ part.matrix)
    scale = np.array([to_b[0, 0], to_b[1, 1]])
    centres = surfaces.centres * scale + to_b[:2, 2]
    return ShiftMap(centres[clear], best_shifts(values)[clear] * scale, b.size[0])


def with_neighbours(surfaces: Surfaces, distance: float) -> torch.Tensor:
    """The surfaces, each averaged with those of the blocks around it, weighted by how much there is to see."""
    apart = np.abs(surfaces.centres[:, None] - surfaces.centres[None]).max(-1)
    weights = torch.from_numpy((apart <= distance).astype(np.float32)) * surfaces.energy.clamp(max=2)[None]
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1e-6)
    shape = surfaces.values.shape
    return (weights @ surfaces.values.flatten(1)).reshape(shape)
