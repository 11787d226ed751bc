"""Putting one volume on the voxels of another by their geometry: one resampling, made piece by piece when asked for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.volumes.volume import Affine, Volume, Window, bounds_of, checked_affine

Order = Literal["linear", "cubic"]
Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-3
"""Voxels by which places may miss whole ones, or rows of voxels be turned, to count as none: headers hold rotations as
32-bit quaternions, which are off by this much over 500 voxels."""
MOST_SAMPLES = 8
"""Samples along an axis for a voxel that covers many of the source; taken evenly over it and averaged."""
FADE = 10.0
"""Millimetres over which the source fades where it ends inside the result,"""
FADE_SHARE = 1 / 8
"""but never more than this share of its own side."""
_ALIASING = 0.25
"""Voxels of the source by which samples may lie farther apart than its own."""
_POINTS = 1 << 18
"""Voxels of the result worked on at a time, where the volumes are turned against one another."""


def resampled(
    volume: Volume,
    onto_affine: NDArray[Any],
    onto_shape: tuple[int, int, int],
    *,
    order: Order = "linear",
    move: NDArray[Any] | None = None,
) -> Volume:
    """A volume on the voxels of another; nothing is computed before a block of it is asked for.

    A block needs memory for itself and for the part of the source that lies under it. Where a voxel of the result is
    several of the source, samples are averaged, so that nothing aliases. Beyond its border the source goes on as it
    ends, and `coverage` says how much of that counts. Where all voxels of the result lie on voxels of the source, as
    under the identity, a flip or a shift by whole voxels, values are copied to the bit.

    Args:
        volume: What is resampled.
        onto_affine: (4, 4), from voxels of the result to RAS+ millimetres.
        onto_shape: Voxels of the result along i, j and k.
        order: "linear", or "cubic" by Keys' kernel (-1/2), which may overshoot the source's values on hard edges.
        move: (4, 4) in RAS+ millimetres, from a point of the result to the same point in the source; None: they agree.

    Returns:
        float32 (colour: uint8) voxels, read by windows, with `coverage`.

    Raises:
        InputError: If an affine is singular.
    """
    onto = checked_affine(onto_affine, "the result")
    between = np.eye(4) if move is None else checked_affine(move, "the move")
    matrix = _cleaned(np.linalg.inv(volume.affine) @ between @ onto, onto_shape)
    voxels = ResampledVoxels(volume, matrix, onto_shape, order)
    fading = FadingVoxels(volume, matrix, onto_shape)
    return replace(volume, array=voxels, affine=onto, coverage=fading if fading.fades else None)


class ResampledVoxels:
    """The voxels of a resampled volume, as an array that is computed by windows.

    Args:
        source: What is resampled.
        matrix: (4, 4), from indices of the result to those of the source.
        shape: Voxels of the result.
        order: How values between voxels are made.
    """

    def __init__(self, source: Volume, matrix: Affine, shape: tuple[int, int, int], order: Order) -> None:
        self._source, self._matrix, self._order = source, matrix, order
        self._sides = shape
        self.shape: tuple[int, ...] = (*shape, 3) if source.is_colour else shape
        self.dtype = np.dtype(np.uint8 if source.is_colour else np.float32)
        steps = np.abs(matrix[:3, :3]).max(axis=0)
        self._samples = [min(MOST_SAMPLES, max(1, math.ceil(step - _ALIASING))) for step in steps]
        self._axes = _axes_along(matrix)

    def __getitem__(self, window: Window) -> NDArray[Any]:
        """Values of a window: float32, or uint8 of 3 channels."""
        bounds = bounds_of(window, self._sides)
        values = self._turned(bounds) if self._axes is None else self._along(bounds, self._axes)
        if self._source.is_colour:
            return np.clip(np.rint(values), 0, 255).astype(np.uint8)
        return values

    def _along(self, bounds: list[tuple[int, int]], axes: list[int]) -> NDArray[Any]:
        """A window where each axis of the source lies along one of the result: one axis after the other."""
        sets = []
        for axis, along in enumerate(axes):
            start, stop = bounds[along]
            indices = np.arange(start, stop)[:, None] + _offsets(self._samples[along])
            sets.append(self._matrix[axis, along] * indices + self._matrix[axis, 3])
        cut = [_support(places, length) for places, length in zip(sets, self._source.shape, strict=True)]
        values = self._source.block((cut[0], cut[1], cut[2]))
        for axis, (places, part, length) in enumerate(zip(sets, cut, self._source.shape, strict=True)):
            places = np.clip(places, 0, length - 1)
            if np.abs(places - np.rint(places)).max() <= NEGLIGIBLE and places.shape[1] == 1:
                values = np.take(values, np.rint(places[:, 0]).astype(np.intp) - part.start, axis=axis)
                continue
            weights = torch.from_numpy(_weights(places, part, length, self._order))
            moved = torch.from_numpy(np.ascontiguousarray(np.moveaxis(values.astype(np.float32, copy=False), axis, 0)))
            product = (weights @ moved.reshape(len(moved), -1)).reshape(len(weights), *moved.shape[1:])
            values = np.moveaxis(product.numpy(), 0, axis)
        back = [axes.index(along) for along in range(3)]
        return np.ascontiguousarray(values.transpose(*back, *range(3, values.ndim)))

    def _turned(self, bounds: list[tuple[int, int]]) -> NDArray[np.float32]:
        """A window where the volumes are turned against one another: every voxel by itself."""
        sides = [stop - start for start, stop in bounds]
        result = np.empty((math.prod(sides), *self.shape[3:]), np.float32)
        rows = sides[0] * sides[1]
        step = max(1, _POINTS // sides[2])
        for first in range(0, rows, step):
            lines = np.arange(first, min(first + step, rows))
            indices = np.empty((len(lines), sides[2], 3))
            indices[..., 0], indices[..., 1] = (part[:, None] for part in np.divmod(lines, sides[1]))
            indices[..., 2] = np.arange(sides[2])
            indices += [start for start, _ in bounds]
            part = slice(first * sides[2], (first + len(lines)) * sides[2])
            result[part] = self._at(indices.reshape(-1, 3))
        return result.reshape(*sides, *self.shape[3:])

    def _at(self, indices: Floats) -> NDArray[np.float32]:
        """Values at indices of the result, (N, 3), averaged over the samples of each."""
        sets = [
            _places(self._matrix, indices + np.array(offset))
            for offset in itertools.product(*(_offsets(number) for number in self._samples))
        ]
        low, high = np.min([p.min(axis=0) for p in sets], axis=0), np.max([p.max(axis=0) for p in sets], axis=0)
        cut = [_support(np.array([low[s], high[s]]), length) for s, length in enumerate(self._source.shape)]
        block = self._source.block((cut[0], cut[1], cut[2])).astype(np.float32, copy=False)
        values = torch.from_numpy(
            np.ascontiguousarray(block).reshape(block.shape[0] * block.shape[1] * block.shape[2], -1)
        )
        total = torch.zeros((len(indices), values.shape[1]))
        for places in sets:
            taps = [
                _taps(np.clip(places[:, axis], 0, length - 1), length, self._order)
                for axis, length in enumerate(self._source.shape)
            ]
            total += _gathered(values, block.shape[:3], [part.start for part in cut], taps)
        total /= len(sets)
        return total.numpy().reshape(len(indices), *self.shape[3:])


class FadingVoxels:
    """How much a resampled volume counts in each voxel of the result: 0 beyond its border, 1 from the fade on.

    # ours: only those faces of the source fade that lie inside the result, so that volumes with one field of view keep
    # their outermost voxels.
    """

    def __init__(self, source: Volume, matrix: Affine, shape: tuple[int, int, int]) -> None:
        self.shape: tuple[int, ...] = shape
        self.dtype = np.dtype(np.float32)
        self._matrix, self._sides = matrix, source.shape
        corners = np.array(list(itertools.product(*((0, side - 1) for side in shape))), np.float64)
        places = _places(matrix, corners)
        self._faces: list[tuple[int, bool, float]] = []
        for axis, (length, spacing) in enumerate(zip(source.shape, source.spacing, strict=True)):
            fade = min(FADE / spacing, FADE_SHARE * length)  # in voxels of the source
            if places[:, axis].min() < -0.5 - NEGLIGIBLE:
                self._faces.append((axis, False, fade))
            if places[:, axis].max() > length - 0.5 + NEGLIGIBLE:
                self._faces.append((axis, True, fade))

    @property
    def fades(self) -> bool:
        """Whether any voxel of the result lies beyond the source."""
        return bool(self._faces)

    def __getitem__(self, window: Window) -> NDArray[np.float32]:
        """Weights of a window, float32 in [0, 1]."""
        bounds = bounds_of(window, self.shape)
        grid = np.ogrid[tuple(slice(start, stop) for start, stop in bounds)]
        weights = np.ones([stop - start for start, stop in bounds], np.float32)
        for axis, is_far, fade in self._faces:
            row = self._matrix[axis]
            place = row[0] * grid[0] + row[1] * grid[1] + row[2] * grid[2] + row[3]
            depth = self._sides[axis] - 0.5 - place if is_far else place + 0.5
            share = np.clip(depth / fade, 0, 1)
            np.minimum(weights, share**2 * (3 - 2 * share), out=weights, casting="same_kind")
        return weights


class _Taps(NamedTuple):
    """The voxels along one axis that a value is made of."""

    indices: NDArray[np.intp]
    """(N, taps), inside the source."""
    weights: Floats
    """(N, taps); each row adds up to 1."""


def _taps(places: Floats, length: int, order: Order) -> _Taps:
    """Voxels and weights for places, (N,), that lie on the source."""
    first = np.floor(places)
    share = (places - first)[:, None]
    if order == "linear":
        reach = np.arange(2)
        weights = np.concatenate([1 - share, share], axis=1)
    else:
        reach = np.arange(-1, 3)
        distance = np.abs(share - reach)
        near = (1.5 * distance - 2.5) * distance**2 + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        weights = np.where(distance <= 1, near, far)
    indices = np.clip(first[:, None].astype(np.intp) + reach, 0, length - 1)
    return _Taps(indices, weights)


def _weights(places: Floats, part: slice, length: int, order: Order) -> NDArray[np.float32]:
    """The matrix, (results, voxels of `part`), that makes values along an axis, for places (results, samples)."""
    matrix = np.zeros((len(places), part.stop - part.start))
    rows = np.arange(len(places))[:, None]
    for column in places.T:
        indices, weights = _taps(column, length, order)
        np.add.at(matrix, (rows, indices - part.start), weights / places.shape[1])
    return matrix.astype(np.float32)


def _gathered(values: torch.Tensor, sides: tuple[int, ...], starts: list[int], taps: list[_Taps]) -> torch.Tensor:
    """Sum of values, (voxels, C), over all voxels that each result is made of: (N, C)."""
    strides = (sides[1] * sides[2], sides[2], 1)
    rows = [
        [torch.from_numpy((column - start) * stride) for column in tap.indices.T]
        for tap, start, stride in zip(taps, starts, strides, strict=True)
    ]
    shares = [[torch.from_numpy(column.astype(np.float32)) for column in tap.weights.T] for tap in taps]
    total = torch.zeros((len(rows[0][0]), values.shape[1]))
    for one, two, three in itertools.product(*(range(len(tap)) for tap in rows)):
        weight = shares[0][one] * shares[1][two] * shares[2][three]
        total += weight[:, None] * values[rows[0][one] + rows[1][two] + rows[2][three]]
    return total


def _offsets(number: int) -> Floats:
    """Where the samples of a voxel lie, in its own sides around its centre."""
    return (np.arange(number) + 0.5) / number - 0.5


def _places(matrix: Affine, indices: Floats) -> Floats:
    """Indices of the source, (N, 3), for those of the result."""
    return indices @ matrix[:3, :3].T + matrix[:3, 3]


def _support(places: Floats, length: int) -> slice:
    """The voxels along an axis that values at these places are made of; beyond a border those that lie at it."""
    first, last = (math.floor(min(max(place, 0), length - 1)) for place in (places.min(), places.max()))
    return slice(max(first - 1, 0), min(last + 3, length))


def _cleaned(matrix: Affine, shape: tuple[int, int, int]) -> Affine:
    """The matrix without turns and shifts that come from rounding in headers alone."""
    clean = matrix.copy()
    reach = np.maximum(np.array(shape) - 1, 1)
    for row in clean[:3]:
        along = int(np.abs(row[:3]).argmax())
        others = [axis for axis in range(3) if axis != along]
        if sum(abs(row[axis]) * reach[axis] for axis in others) > NEGLIGIBLE:
            continue
        row[others] = 0
        whole = np.rint(row)
        if abs(row[along] - whole[along]) * reach[along] <= NEGLIGIBLE and whole[along]:
            row[along] = whole[along]
            if abs(row[3] - whole[3]) <= NEGLIGIBLE:
                row[3] = whole[3]
    return clean


def _axes_along(matrix: Affine) -> list[int] | None:
    """For each axis of the source, that of the result along which it lies; None where they are turned."""
    filled = matrix[:3, :3] != 0
    if (filled.sum(axis=0) == 1).all() and (filled.sum(axis=1) == 1).all():
        return [int(row.argmax()) for row in filled]
    return None


def places_in(volume: Volume, affine: NDArray[Any], shape: tuple[int, int, int], move: Affine | None = None) -> Floats:
    """Where an even lattice of a result's voxels, at most 32 along an axis, lies in a volume: indices, (N, 3).

    Raises:
        InputError: If the affine is singular.
    """
    onto = checked_affine(affine, "the result")
    matrix = np.linalg.inv(volume.affine) @ (np.eye(4) if move is None else move) @ onto
    lines: Iterator[Floats] = (np.linspace(0, side - 1, min(side, 32)) for side in shape)
    lattice = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
    return _places(matrix, lattice)


def share_inside(
    volume: Volume, affine: NDArray[Any], shape: tuple[int, int, int], move: Affine | None = None
) -> float:
    """Share of a result's voxels that lie on a volume, [0, 1], counted on a lattice; 0: they do not overlap."""
    places = places_in(volume, affine, shape, move)
    inside = (places >= -0.5 - NEGLIGIBLE) & (places <= np.array(volume.shape) - 0.5 + NEGLIGIBLE)
    return float(inside.all(axis=1).mean())
