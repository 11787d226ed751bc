"""A picture to judge a registration by: a and b in the fields of a chessboard, in three planes, before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyfuse.drawing.canvas import Canvas
from polyfuse.drawing.panels import Panel, Row, as_picture8, sheet
from polyfuse.volumes.levels import make_level, reduced
from polyfuse.volumes.registration import Registration
from polyfuse.volumes.resample import resampled
from polyfuse.volumes.search import middle
from polyfuse.volumes.volume import Affine, Volume

SQUARE = 20.0
"""Side of a field of the chessboard, millimetres."""
MOST_PIXELS = 512
"""Along the longer side of a plane."""
_WIDTH = 3.2
"""Of a panel, inches."""
_SHOWN = (0.005, 0.995)
"""Shares of a volume's values that are black and white."""


@dataclass(frozen=True)
class Plane:
    """A plane through a volume: which world axes run along its rows and columns, and how it is looked at."""

    name: str
    across: int
    """World axis that increases to the left: the patient's right is there, or the front, as radiologists look."""
    up: int


PLANES = (Plane("axial", 0, 1), Plane("coronal", 0, 2), Plane("sagittal", 1, 2))


def draw_overlay(a: Volume, b: Volume, registration: Registration) -> Canvas:
    """A sheet with the chessboards under the headers and under the move; `png` gives its bytes.

    Args:
        a: The volume that stays.
        b: The one that is moved.
        registration: Of the two.

    Raises:
        DependencyError: If matplotlib is missing.
    """
    centre = middle(make_level(*reduced(a, 4.0), 4.0))
    ranges = [_range(volume) for volume in (a, b)]
    rows = []
    for title, move, nmi in (
        ("before: as the headers have it", np.eye(4), registration.before),
        ("after: under the move", registration.matrix, registration.after),
    ):
        panels = [Panel(plane.name, _chessboard(a, b, plane, centre, move, ranges)) for plane in PLANES]
        rows.append(Row(title, f"normalised mutual information {nmi:.4f}", panels))
    line = (
        f"turned by {registration.angle:.1f} degrees, moved by {registration.shift:.1f} mm, "
        f"residual {registration.residual:.1f} mm, confidence {registration.confidence:.2f}"
    )
    foot = (
        f"Fields of {SQUARE:.0f} mm show a and b in turn, each in its own range of grey; "
        "where the move is right, outlines run on from one to the next.\n"
        "Axial and coronal: the patient's right is on the left. Sagittal: the front is on the left."
    )
    return sheet("registration", line, rows, _WIDTH, foot)


def _range(volume: Volume) -> tuple[float, float]:
    """Values of black and white."""
    values, _ = reduced(volume, 4.0)
    low, high = np.quantile(values.numpy(), _SHOWN)
    return float(low), float(high) if high > low else float(low) + 1


def _chessboard(
    a: Volume, b: Volume, plane: Plane, centre: NDArray[np.float64], move: Affine, ranges: list[tuple[float, float]]
) -> NDArray[np.uint8]:
    """Fields of a and of b in turn, (H, W)."""
    of_a = plane_of(a, a, plane, centre, np.eye(4), ranges[0])
    of_b = plane_of(b, a, plane, centre, move, ranges[1])
    step = _step(a, plane)
    rows, columns = (np.arange(side) * step // SQUARE for side in of_a.shape)
    return as_picture8(np.where((rows[:, None] + columns) % 2 == 1, of_b, of_a))


def plane_of(
    volume: Volume, a: Volume, plane: Plane, centre: NDArray[np.float64], move: Affine, values: tuple[float, float]
) -> NDArray[np.float32]:
    """A volume in a plane over a's field of view.

    Args:
        volume: What is shown.
        a: Over whose field of view.
        plane: Which way.
        centre: (3,), of a's world: a point of the plane.
        move: (4, 4), from a's world to the volume's.
        values: What is black and white.

    Returns:
        (H, W), 0 to 1; 0 where the volume has no voxels.
    """
    low, high = values
    affine, shape = _grid(a, plane, centre)
    placed = resampled(volume, affine, shape, move=move)
    window = (slice(None), slice(None), slice(None))
    pixels = placed.block(window)[:, :, 0]
    grey = pixels.mean(axis=2) if volume.is_colour else pixels
    shown = np.clip((grey - low) / (high - low), 0, 1)
    if placed.coverage is not None:
        shown = shown * (placed.coverage[window][:, :, 0] > 0)
    return np.asarray(shown.T, np.float32)


def _step(a: Volume, plane: Plane) -> float:
    """Millimetres from pixel to pixel."""
    low, high = a.world_bounds
    return max(min(a.spacing), max(float(high[axis] - low[axis]) for axis in (plane.across, plane.up)) / MOST_PIXELS)


def _grid(a: Volume, plane: Plane, centre: NDArray[np.float64]) -> tuple[Affine, tuple[int, int, int]]:
    """Pixels of a plane through the centre over a's field of view, from the upper left: affine and shape."""
    (low, high), step = a.world_bounds, _step(a, plane)
    width, height = (max(1, round(float(high[axis] - low[axis]) / step)) for axis in (plane.across, plane.up))
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    affine[:3, 3] = centre
    affine[plane.across, 0] = -step
    affine[plane.across, 3] = high[plane.across] - step / 2
    affine[plane.up, 1] = -step
    affine[plane.up, 3] = high[plane.up] - step / 2
    affine[({0, 1, 2} - {plane.across, plane.up}).pop(), 2] = step
    return affine, (width, height, 1)
