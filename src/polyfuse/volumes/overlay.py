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
    """World axis that increases to the right, reversed for those of `is_mirrored`."""
    up: int
    is_mirrored: bool
    """Whether the patient's right is on the left, as radiologists look."""


PLANES = (
    Plane("axial", 0, 1, True),
    Plane("coronal", 0, 2, True),
    Plane("sagittal", 1, 2, False),
)


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
        "Axial and coronal: the patient's right is on the left. Sagittal: the front is on the right.\n"
        f"a: {a.name}; b: {b.name}"
    )
    return sheet("registration", line, rows, _WIDTH, foot)


def _range(volume: Volume) -> tuple[float, float]:
    """Values of black and white."""
    values, _ = reduced(volume, 4.0)
    low, high = np.quantile(values.numpy(), _SHOWN)
    return float(low), float(high) if high > low else float(low) + 1


def _chessboard(
    a: Volume,
    b: Volume,
    plane: Plane,
    centre: NDArray[np.float64],
    move: Affine,
    ranges: list[tuple[float, float]],
) -> NDArray[np.uint8]:
    """One plane, (H, W)."""
    affine, shape = _grid(a, plane, centre)
    pictures = []
    for volume, matrix, (low, high) in zip((a, b), (np.eye(4), move), ranges, strict=True):
        placed = resampled(volume, affine, shape, move=matrix)
        values = placed.loaded()[:, :, 0].astype(np.float32)
        values = values.mean(axis=2) if values.ndim == 3 else values
        weights = None if placed.coverage is None else placed.coverage[slice(None), slice(None), slice(None)][:, :, 0]
        shown = np.clip((values - low) / (high - low), 0, 1)
        pictures.append(shown if weights is None else shown * weights)
    step = float(np.linalg.norm(affine[:3, 0]))
    fields = [np.arange(side) * step // SQUARE for side in shape[:2]]
    is_b = (fields[0][:, None] + fields[1][None]) % 2 == 1
    return as_picture8(np.where(is_b, pictures[1], pictures[0]).T)


def _grid(a: Volume, plane: Plane, centre: NDArray[np.float64]) -> tuple[Affine, tuple[int, int, int]]:
    """Pixels of a plane through the centre over a's field of view, from the upper left: affine and shape."""
    low, high = a.world_bounds
    lengths = [float(high[axis] - low[axis]) for axis in (plane.across, plane.up)]
    step = max(min(a.spacing), max(lengths) / MOST_PIXELS)
    shape = (max(1, round(lengths[0] / step)), max(1, round(lengths[1] / step)), 1)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    affine[:3, 3] = centre
    affine[plane.across, 0] = -step if plane.is_mirrored else step
    affine[plane.across, 3] = high[plane.across] - step / 2 if plane.is_mirrored else low[plane.across] + step / 2
    affine[plane.up, 1] = -step
    affine[plane.up, 3] = high[plane.up] - step / 2
    affine[({0, 1, 2} - {plane.across, plane.up}).pop(), 2] = step
    return affine, shape
