"""Pictures made ready to be compared: grey, of a working size, and laid over one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from polyfuse.transforms.colour import luma
from polyfuse.transforms.ranges import BY_PERCENTILE, RangeSpec, measure_range, to_unit

WORKING_SIDE = 640
"""Longest side of the pictures that are compared, pixels."""
SHORTEST_WORKING_SIDE = 320
"""Smaller pictures are enlarged to this, so that blocks of one size suit them."""
SMALL_PART = 0.7
"""Longest side of what a sees of b, in that of b, below which b is cut to it."""
SMALLEST_PART = 32
"""Pixels a side below which b is not cut."""
MARGIN = 0.2
"""What is left around it, in its longest side."""
Matrix = NDArray[np.float64]
"""(3, 3), on x, y, 1."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """A grey picture at its working size."""

    plane: Tensor
    """(1, 1, h, w) float32."""
    size: tuple[int, int]
    """Width and height of the picture itself."""
    matrix: Matrix
    """From the picture's pixels to those of the plane."""
    whole: Tensor
    """(1, 1, H, W): the picture itself, grey."""

    @property
    def height(self) -> int:
        """Rows of the plane."""
        return int(self.plane.shape[-2])

    @property
    def width(self) -> int:
        """Columns of the plane."""
        return int(self.plane.shape[-1])


def as_canvas(array: NDArray[Any]) -> Canvas:
    """A picture (H, W) or (H, W, 3) of uint8, uint16 or float32 as a canvas.

    Raises:
        InputError: If values are not finite.
    """
    spec = RangeSpec("full") if array.dtype == np.uint8 else BY_PERCENTILE
    unit = to_unit(array, measure_range([array], spec))
    grey = luma(unit) if unit.ndim == 3 else unit
    height, width = grey.shape
    plane = torch.from_numpy(np.ascontiguousarray(grey, np.float32))[None, None]
    size = _working_size(height, width)
    return Canvas(resized(plane, size), (width, height), scaling((width, height), size[::-1]), plane)


def _working_size(height: int, width: int) -> tuple[int, int]:
    """Height and width at which a picture, or a part of one, is compared."""
    factor = min(max(max(height, width), SHORTEST_WORKING_SIDE), WORKING_SIDE) / max(height, width)
    return max(2, round(height * factor)), max(2, round(width * factor))


def zoomed(a: Canvas, b: Canvas, matrix: Matrix) -> Canvas:
    """B where a sees it, at a working size of its own, if that is a small part of it; else b as it is.

    Args:
        a: A picture.
        b: A picture of which a sees some.
        matrix: From a's canvas to b's, roughly.
    """
    right, below = a.width - 1.0, a.height - 1.0
    corners = projected(inverted(b.matrix) @ matrix, np.array([[0, 0], [right, 0], [0, below], [right, below]]))
    if not np.isfinite(corners).all():
        return b
    margin = MARGIN * np.ptp(corners, axis=0).max()
    low = np.floor(np.clip(corners.min(0) - margin, 0, np.array(b.size) - 1)).astype(int)
    high = np.ceil(np.clip(corners.max(0) + margin, 0, np.array(b.size) - 1)).astype(int) + 1
    width, height = (int(side) for side in high - low)
    if max(width, height) > SMALL_PART * max(b.size) or min(width, height) < SMALLEST_PART:
        return b
    size = _working_size(height, width)
    part = b.whole[..., low[1] : high[1], low[0] : high[0]]
    moved = np.array([[1.0, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]])
    return Canvas(resized(part, size), b.size, scaling((width, height), size[::-1]) @ moved, b.whole)


def resized(plane: Tensor, size: tuple[int, int]) -> Tensor:
    """A plane (1, 1, H, W) at (height, width), with a filter that widens with the reduction."""
    if tuple(plane.shape[-2:]) == size:
        return plane
    return functional.interpolate(plane, size=size, mode="bilinear", antialias=True, align_corners=False)


def scaling(before: tuple[int, int], after: tuple[int, int]) -> Matrix:
    """From pixels of a picture of one width and height to those at another; outer edges coincide."""
    x, y = after[0] / before[0], after[1] / before[1]
    return np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])


def inverted(matrix: Matrix) -> Matrix:
    """The way back."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def projected(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) through a matrix; NaN for those that would be seen from behind."""
    out = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ matrix.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(out[:, 2:] > 0, out[:, :2] / out[:, 2:], np.nan))


def local_scale(matrix: Matrix, x: float, y: float) -> float:
    """Pixels after the matrix for one before it, along a side, at a point."""
    points = projected(matrix, np.array([[x, y], [x + 1, y], [x, y + 1]]))
    return float(np.sqrt(abs(np.linalg.det(points[1:] - points[0]))))


def sampled(plane: Tensor, matrix: Matrix, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A plane looked up at the points to which a matrix sends the pixels of a new one.

    Args:
        plane: (1, 1, H, W).
        matrix: From pixels of the new plane to those of `plane`.
        size: Height and width of the new plane.

    Returns:
        (1, 1, height, width), the border repeated where there is nothing, and a mask (height, width) of where there
        is something.
    """
    height, width = size
    rows, columns = plane.shape[-2:]
    grid = torch.from_numpy(_lookup(matrix, height, width))
    mask = (grid[..., 0] >= 0) & (grid[..., 0] <= columns - 1) & (grid[..., 1] >= 0) & (grid[..., 1] <= rows - 1)
    grid = (grid * 2 + 1) / torch.tensor([columns, rows]) - 1
    looked_up = functional.grid_sample(
        plane, grid.clamp(-2, 2)[None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return looked_up, mask


def _lookup(matrix: Matrix, height: int, width: int) -> NDArray[np.float32]:
    """Where each pixel lies after the matrix, (height, width, 2); far outside for what is seen from behind."""
    x, y = np.arange(width), np.arange(height)[:, None]
    below = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    seen = below > 1e-6
    below = np.where(seen, below, 1)
    places = [np.where(seen, (matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2]) / below, -1e6) for i in (0, 1)]
    return np.stack(places, axis=-1).astype(np.float32)
