"""Where two pictures of unknown scale lie over one another, roughly: every shift at many scales, by transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from polyfuse.alignment.canvas import Canvas, Matrix, inverted, local_scale, projected, resized, sampled, scaling
from polyfuse.alignment.fields import orientation_field, smoothed


@dataclass(frozen=True)
class Range:
    """Scales that are searched, and at which size."""

    scales: tuple[float, ...]
    """Longest side of a as it lies on b, in that of b."""
    side: int
    """Longest side of b in the search, pixels."""


NEAR = Range(tuple(float(scale) for scale in np.geomspace(0.6, 2.6, 18)), 160)
"""Cameras that see about as much; neighbours differ by 9 percent, half of which moves the edge by 4 of 80 pixels."""
FAR = Range(tuple(float(scale) for scale in np.geomspace(0.2, 0.7, 14)), 256)
"""a sees a small part of b, of which too little would be left at the size above."""
SMALLEST = 24
"""Shortest side of a at a scale, in pixels of the search, for the scale to be tried."""
BLUR, SURROUND, FIELD_BLUR = 0.8, 8, 1.0
LEAST_OVERLAP = 0.25
"""Share of the smaller picture that must lie inside the other."""
SAME_PLACE, SAME_SCALE = 0.06, 1.2
"""Two answers are one if they send b's centre to places closer than this share of a's width, at scales this near."""


@dataclass(frozen=True, eq=False)
class Place:
    """One answer of the search."""

    matrix: Matrix
    """From pixels of a's canvas to those of b's."""
    score: float
    """How far the best shift stands out among all at its scale and turn, in their standard deviations."""


@dataclass(frozen=True, eq=False)
class _Side:
    """One picture of the search: its field, the energy of the field, and ones where there is a picture."""

    layers: Tensor
    """(4, h, w): the two parts of the field, their squares' sum, the mask."""

    @property
    def size(self) -> tuple[int, int]:
        return int(self.layers.shape[1]), int(self.layers.shape[2])


def search(
    a: Canvas, b: Canvas, *, ranges: Sequence[Range] = (NEAR, FAR), turns: Sequence[float] = (0.0,)
) -> list[Place]:
    """The best shift of a over b at each scale and turn, best first, without answers that say the same.

    Args:
        a: The picture that is moved.
        b: The picture that it is laid over.
        ranges: Scales and sizes.
        turns: Degrees, clockwise as seen.

    Returns:
        As many answers as differ; none if a is too small at every scale.
    """
    places = [place for each in ranges for place in _searched(a, b, each, turns)]
    return _distinct(sorted(places, key=lambda place: -place.score), a, b)


def _searched(a: Canvas, b: Canvas, within: Range, turns: Sequence[float]) -> list[Place]:
    """The best shift at each scale of a range and each turn."""
    factor = within.side / max(b.height, b.width)
    fixed = _side(resized(b.plane, (max(2, round(b.height * factor)), max(2, round(b.width * factor)))), None)
    transforms: dict[tuple[int, int], Tensor] = {}
    places = []
    for scale in within.scales:
        longest = within.side * scale / max(a.height, a.width)
        size = round(a.height * longest), round(a.width * longest)
        if min(size) < SMALLEST:
            continue
        small = resized(a.plane, size)
        for turn in turns:
            turned = _turning(turn, size)
            plane, mask = sampled(small, inverted(turned), size) if turn else (small, None)
            places.append(_best_shift(_side(plane, mask), fixed, turned, (a, b), transforms))
    return places


def _side(plane: Tensor, mask: Tensor | None) -> _Side:
    """What the search needs of a picture."""
    field = orientation_field(plane, blur=BLUR, surround=SURROUND)
    present = torch.ones_like(plane[0]) if mask is None else mask[None].float()
    field = smoothed(field * present, FIELD_BLUR) * present
    return _Side(torch.cat([field, (field * field).sum(0, keepdim=True), present]))


def _best_shift(
    moved: _Side,
    fixed: _Side,
    turned: Matrix,
    pictures: tuple[Canvas, Canvas],
    transforms: dict[tuple[int, int], Tensor],
) -> Place:
    """The shift at which the fields correlate best over their overlap.

    Args:
        moved: a at one scale and turn.
        fixed: b.
        turned: The turn, in pixels of the search.
        pictures: a and b.
        transforms: Of b, by size; filled as they are needed.
    """
    (rows_a, columns_a), (rows_b, columns_b) = moved.size, fixed.size
    size = _round_up(rows_a + rows_b - 1), _round_up(columns_a + columns_b - 1)
    if size not in transforms:
        transforms[size] = torch.fft.rfft2(fixed.layers, s=size)
    of_b, of_a = transforms[size], torch.fft.rfft2(moved.layers, s=size).conj()
    products = torch.stack(
        [of_a[0] * of_b[0] + of_a[1] * of_b[1], of_a[2] * of_b[3], of_a[3] * of_b[2], of_a[3] * of_b[3]]
    )
    agreement, energy_a, energy_b, overlap = torch.fft.irfft2(products, s=size)
    score = agreement / torch.sqrt(energy_a.clamp(min=1.0) * energy_b.clamp(min=1.0))
    score = score * torch.sqrt(overlap.clamp(min=0) / (rows_b * columns_b))
    least = LEAST_OVERLAP * min(rows_a * columns_a, rows_b * columns_b)
    score = torch.where(overlap >= least, score, -1.0)
    row, column = divmod(int(score.argmax()), size[1])
    shift = np.eye(3)
    shift[:2, 2] = column - size[1] * (column >= columns_b), row - size[0] * (row >= rows_b)
    a, b = pictures
    down_a = scaling((a.width, a.height), (columns_a, rows_a))
    down_b = scaling((b.width, b.height), (columns_b, rows_b))
    allowed = score[overlap >= least]
    stands_out = float((allowed.max() - allowed.mean()) / (allowed.std() + 1e-6))
    return Place(inverted(down_b) @ shift @ turned @ down_a, stands_out)


def _turning(degrees: float, size: tuple[int, int]) -> Matrix:
    """A turn about the centre of a picture of height and width `size`."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    centre = np.eye(3)
    centre[:2, 2] = (size[1] - 1) / 2, (size[0] - 1) / 2
    return np.asarray(centre @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ inverted(centre))


def _round_up(number: int) -> int:
    """The next size whose transform is fast: a multiple of 32."""
    return (number + 31) // 32 * 32


def _distinct(places: list[Place], a: Canvas, b: Canvas) -> list[Place]:
    """Leave out what says the same as a better one."""
    kept: list[Place] = []
    centre = np.array([[(b.width - 1) / 2, (b.height - 1) / 2]])
    for place in places:
        where = projected(inverted(place.matrix), centre)[0]
        scale = local_scale(place.matrix, a.width / 2, a.height / 2)
        for other in kept:
            apart = np.hypot(*(projected(inverted(other.matrix), centre)[0] - where))
            ratio = local_scale(other.matrix, a.width / 2, a.height / 2) / scale
            if apart < SAME_PLACE * a.width and 1 / SAME_SCALE < ratio < SAME_SCALE:
                break
        else:
            kept.append(place)
    return kept
