"""A small smooth field of shifts over b: what matrix and lenses miss, such as the parallax of one scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError

Points = NDArray[np.float64]
"""(N, 2): columns x and y, pixels of b."""
MOST_SHIFT = 0.025
"""Longest shift, in b's longer side: 16 pixels of 640."""
MOST_SLOPE = 0.25
"""By how much a shift may change from pixel to pixel, in x and in y: nothing folds over, and the way back is found."""
MOST_CONTROLS = 64
"""Control points that a side of the grid may have."""
_STEPS, _NEAR = 60, 1e-11
"""Steps of the way back, of which each brings at least half of what is missing, and where they end, pixels."""


@dataclass(frozen=True, eq=False)
class Flow:
    """Shifts over b, as a uniform cubic B-spline: what b shows at p is found at p + `at(p)` by the rest of the warp.

    The grid of control points lies over b as pixels of a coarser picture would, and goes on beyond it as it ends.

    Raises:
        InputError: If it is no grid of finite numbers, or larger or steeper than it may be.

    Source: free-form deformation (Rueckert and others, 1999); bounds ours.
    """

    controls: NDArray[np.float64]
    """(rows, columns, 2): x and y, pixels of b; the field stays within their extremes."""
    size: tuple[int, int]
    """Width and height of b."""

    def __post_init__(self) -> None:
        """Refuse what is none, and what would fold the picture."""
        controls = np.array(self.controls, np.float64)
        if controls.ndim != 3 or controls.shape[2] != 2 or not np.isfinite(controls).all():
            raise InputError("the flow of the warp is no grid of shifts: make the warp again")
        if not all(1 <= side <= MOST_CONTROLS for side in controls.shape[:2]):
            raise InputError(f"the flow of the warp has {controls.shape[1]}x{controls.shape[0]} points: make it again")
        if longest(controls) > most_shift(self.size) * (1 + 1e-6):
            raise InputError(f"the flow of the warp shifts by {longest(controls):.1f} pixels, too far: make it again")
        if steepest(controls, self.size) > MOST_SLOPE * (1 + 1e-6):
            raise InputError("the flow of the warp folds the picture: make the warp again")
        controls.setflags(write=False)
        object.__setattr__(self, "controls", controls)

    def at(self, points: Points) -> Points:
        """Shifts at points of b, (N, 2) in and out; those beyond b get what its border has."""
        rows, columns = self.controls.shape[:2]
        places_x, weights_x = spline_weights(points[:, 0], self.size[0], columns)
        places_y, weights_y = spline_weights(points[:, 1], self.size[1], rows)
        shifts = np.zeros((len(points), 2))
        for row in range(4):
            for column in range(4):
                weight = weights_y[:, row] * weights_x[:, column]
                shifts += weight[:, None] * self.controls[places_y[:, row], places_x[:, column]]
        return shifts

    def there(self, points: Points) -> Points:
        """Where the rest of the warp has what b shows at points; (N, 2) in and out, NaN stays."""
        return points + self.at(points)

    def back(self, points: Points) -> Points:
        """The reverse of `there`."""
        places = points.copy()
        for _ in range(_STEPS):
            moved = points - self.at(places)
            change = np.abs(moved - places)
            places = moved
            if not np.nanmax(change, initial=0.0) > _NEAR:
                break
        return places


def spline_weights(
    places: NDArray[np.float64], length: int, number: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The four control points along a side that count at places, and how much: (N, 4) each.

    Args:
        places: (N,), pixels; NaN counts as the first.
        length: Pixels of the side.
        number: Control points along it.
    """
    with np.errstate(invalid="ignore"):
        at = np.clip(np.nan_to_num((places + 0.5) * (number / length) - 0.5, nan=0.0), -1.0, float(number))
    first = np.floor(at)
    t = at - first
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=-1
    ) / 6.0  # fmt: skip
    indices = first.astype(np.intp)[:, None] + np.arange(-1, 3)
    return np.clip(indices, 0, number - 1), weights


def most_shift(size: tuple[int, int]) -> float:
    """Longest shift over a picture of a width and height, pixels."""
    return MOST_SHIFT * max(size)


def longest(controls: NDArray[np.float64]) -> float:
    """Longest shift of control points."""
    return float(np.hypot(controls[..., 0], controls[..., 1]).max())


def steepest(controls: NDArray[np.float64], size: tuple[int, int]) -> float:
    """Most that x or y of the shift changes from pixel to pixel, along either side."""
    rows, columns = controls.shape[:2]
    across = np.abs(np.diff(controls, axis=1)).max(initial=0.0) * columns / size[0]
    down = np.abs(np.diff(controls, axis=0)).max(initial=0.0) * rows / size[1]
    return float(max(across, down))
