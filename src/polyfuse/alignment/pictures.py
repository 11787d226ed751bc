"""Pictures to judge a warp by: a checkerboard of both, and arrows where they are still off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from polyfuse.alignment.canvas import Canvas, Matrix, inverted, sampled
from polyfuse.alignment.shifts import OFF, ShiftMap

SQUARES = 8
"""Squares of the checkerboard along the longer side."""
MAGNIFIED = 4
"""Arrows are drawn this many times as long as the shift."""
_GOOD, _BAD = (80, 220, 120), (255, 90, 60)


def check_picture(a: Canvas, b: Canvas, matrix: Matrix, shifts: ShiftMap) -> NDArray[np.uint8]:
    """Checkerboard on the left, arrows over b on the right; (h, 2 w, 3) at the working size.

    Args:
        a: First picture; bright is stretched to its own range.
        b: Second picture.
        matrix: From a's canvas to b's.
        shifts: What is left; arrows point from where b shows a thing to where a does, four times as long.
    """
    size = b.height, b.width
    over, mask = sampled(a.plane, inverted(matrix), size)
    left = _levels(b.plane[0, 0].numpy())
    warped = _levels(over[0, 0].numpy())
    side = max(size) / SQUARES
    rows, columns = np.indices(size)
    odd = ((rows // side + columns // side) % 2 == 1) & mask.numpy()
    board = np.where(odd, warped, left)
    right = Image.fromarray(np.stack([left // 2 + 40] * 3, axis=-1))
    draw = ImageDraw.Draw(right)
    limit = OFF * shifts.width / 640
    scale = b.width / b.size[0]
    for centre, shift, length in zip(shifts.centres, shifts.shifts, shifts.lengths, strict=True):
        colour = _GOOD if length <= limit else _BAD
        start = centre * scale
        end = start + shift * scale * MAGNIFIED
        draw.line([*start, *end], fill=colour, width=2)
        draw.ellipse([*(start - 2), *(start + 2)], fill=colour)
    return np.concatenate([np.stack([board] * 3, axis=-1), np.asarray(right)], axis=1)


def _levels(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A plane stretched to 8 bits between its 1st and 99th percentile."""
    low, high = np.percentile(plane, [1, 99])
    levels = np.rint(np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255)
    return np.asarray(levels, np.uint8)
