"""Putting a picture of one camera on the pixels of the other: one bicubic resampling, in the picture's own depth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.alignment.warp import Points, Warp

Frame = Literal["a", "b"]

EDGE_SHARE = 0.025
"""Share of the result's shorter side over which a picture fades where it ends: 12 pixels of 480."""
MOST_SAMPLES = 8
"""Samples a side, for a pixel that covers many of the source; they are taken evenly over it and averaged."""
_SAMPLE_AGAIN_FROM = 1.25
"""Pixels of the source for one of the result, along a side, from which one sample each would alias."""
_STRIP_POINTS = 1 << 18
"""Points of the result worked on at a time."""
_KEPT_POINTS = 1 << 22
"""Most points whose places in the source are kept for the next picture, at 16 bytes."""
_WHOLE = 1e-9
"""Pixels by which all points may miss whole ones for the source's values to be taken as they are."""


class Resampler:
    """Resamples pictures of one camera to the pixels of the other, as a warp says.

    Bicubic with the constant -0.75, as OpenCV has it, at places known to 1e-12 pixels; beyond its border a picture goes
    on as it ends, and `coverage` says how much of that counts. Where a pixel of the result is several of the source,
    several samples are averaged, so that nothing aliases. Values stay inside those of the source, integers are rounded
    half to even. Under the identity, or a shift by whole pixels, they are copied.

    Args:
        warp: The way from a to b.
        frame: Whose pixels the result has: "b" resamples pictures of a, "a" those of b.
    """

    def __init__(self, warp: Warp, frame: Frame = "b") -> None:
        self._warp, self._frame = warp, frame
        self.source_size = warp.size_a if frame == "b" else warp.size_b
        """Width and height of the pictures that are resampled."""
        self.size = warp.size_b if frame == "b" else warp.size_a
        """Width and height of the result."""
        self.edge = max(2, round(EDGE_SHARE * min(self.size)))
        """Pixels of the result over which a picture fades where it ends."""
        self._side = self._samples()
        self._kept: list[tuple[slice, list[Points]]] | None = None
        covered = np.concatenate([self._inside(strip) for strip, _ in self._strips(1)])
        self.inside = covered
        """Which pixels of the result lie on one of the source, (H, W)."""
        self.covered = float(covered.mean())
        """Share of the result's pixels that the source has."""
        self.coverage: NDArray[np.float32] | None = None if covered.all() else _faded(covered, self.edge)
        """How much the source counts, (H, W) in [0, 1]: 0 where it has no pixel, 1 from `edge` pixels inside on; None
        if it has them all."""

    def __call__(self, array: NDArray[Any]) -> NDArray[Any]:
        """Resample one picture of `source_size`.

        Args:
            array: (H, W) or (H, W, 3); uint8, uint16 or float32.

        Returns:
            The same type, at `size`.
        """
        width, height = self.size
        result = np.empty((height, width, *array.shape[2:]), array.dtype)
        planes = array[..., None] if array.ndim == 2 else array
        low, high = float(array.min()), float(array.max())
        for rows, places in self._places():
            if len(places) == 1 and _are_whole(places[0]):
                columns, lines = (np.rint(places[0][:, axis]).astype(np.intp) for axis in (0, 1))
                result[rows] = array[lines, columns].reshape(result[rows].shape)
                continue
            values = _sampled(planes, places[0])
            for points in places[1:]:
                values += _sampled(planes, points)
            values = np.clip(values / len(places), low, high)
            whole = values if array.dtype.kind == "f" else np.rint(values)
            result[rows] = whole.astype(array.dtype).reshape(result[rows].shape)
        return result

    def _samples(self) -> int:
        """Samples along a side of a pixel, 1 unless the source is finer than the result."""
        finer = 1 / self._warp.scale if self._frame == "b" else self._warp.scale
        return 1 if finer <= _SAMPLE_AGAIN_FROM else min(MOST_SAMPLES, math.ceil(finer))

    def _places(self) -> Iterator[tuple[slice, list[Points]]]:
        """Rows of the result, and where in the source the samples of their pixels lie."""
        if self._kept is not None:
            return iter(self._kept)
        places = self._strips(self._side)
        if self.size[0] * self.size[1] * self._side**2 > _KEPT_POINTS:
            return ((rows, [self._clamped(points) for points in sets]) for rows, sets in places)
        self._kept = [(rows, [self._clamped(points) for points in sets]) for rows, sets in places]
        return iter(self._kept)

    def _strips(self, side: int) -> Iterator[tuple[slice, list[Points]]]:
        """Rows of the result, and the points of b or a that `side` times `side` samples of each pixel are."""
        width, height = self.size
        step = max(1, _STRIP_POINTS // width)
        offsets = (np.arange(side) + 0.5) / side - 0.5
        for top in range(0, height, step):
            rows = slice(top, min(top + step, height))
            y, x = np.meshgrid(np.arange(rows.start, rows.stop, dtype=np.float64), np.arange(width), indexing="ij")
            pixels = np.stack([x.ravel(), y.ravel()], axis=1)
            yield rows, [pixels + np.array([right, down]) for down in offsets for right in offsets]

    def _from_source(self, points: Points) -> Points:
        """Where points of the result lie in the source; NaN for those that it cannot see."""
        return self._warp.to_a(points) if self._frame == "b" else self._warp.to_b(points)

    def _clamped(self, points: Points) -> Points:
        """The same, on the source's border where they lie beyond it."""
        width, height = self.source_size
        places = np.nan_to_num(self._from_source(points), nan=0.0, posinf=width + height, neginf=-1.0)
        return np.clip(places, 0, (width - 1, height - 1))

    def _inside(self, rows: slice) -> NDArray[np.bool_]:
        """Which pixels of some rows of the result lie on a pixel of the source."""
        width = self.size[0]
        y, x = np.meshgrid(np.arange(rows.start, rows.stop, dtype=np.float64), np.arange(width), indexing="ij")
        places = self._from_source(np.stack([x.ravel(), y.ravel()], axis=1))
        with np.errstate(invalid="ignore"):
            inside = (places >= -0.5) & (places <= np.array(self.source_size) - 0.5)
        return inside.all(axis=1).reshape(-1, width)


def _are_whole(places: Points) -> bool:
    """Whether all places are the centres of pixels."""
    return bool(np.abs(places - np.rint(places)).max() <= _WHOLE)


def _sampled(planes: NDArray[Any], places: Points) -> NDArray[np.float64]:
    """Values of an (H, W, C) picture at places within its border, (N, C)."""
    # Only the part that is looked at becomes float64; two pixels around it are the filter's.
    first = np.maximum(np.floor(places.min(axis=0)).astype(int) - 2, 0)
    last = np.ceil(places.max(axis=0)).astype(int) + 3
    part = planes[first[1] : last[1], first[0] : last[0]].astype(np.float64)
    height, width, channels = part.shape
    source = torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1)))[None]
    largest = np.maximum(np.array([width, height]) - 1, 1)
    grid = torch.from_numpy(2 * (places - first) / largest - 1)[None, None]
    # In float64, so that places are as exact as the warp: float32 would be off by 1e-4 pixels, 5 of 65535 levels.
    values = torch.nn.functional.grid_sample(source, grid, "bicubic", "border", align_corners=True)
    return values.reshape(channels, -1).T.numpy()


def _faded(covered: NDArray[np.bool_], edge: int) -> NDArray[np.float32]:
    """Weights that fall from 1 to 0 over `edge` pixels before what is not covered.

    The mean of the mask over a square of twice that side is a half on a straight edge and one from `edge` pixels on.
    """
    mask = torch.from_numpy(covered.astype(np.float32))[None, None]
    mean = mask
    for size in ((2 * edge + 1, 1), (1, 2 * edge + 1)):
        padding = (size[1] // 2, size[1] // 2, size[0] // 2, size[0] // 2)
        mean = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(mean, padding, mode="replicate"), size, stride=1)
    weights = (2 * mean - 1).clamp_(0, 1) * mask
    weights = weights**2 * (3 - 2 * weights)
    # Sums of thousands of ones in float32 may miss one by a bit.
    weights[weights > 1 - 1e-4] = 1
    return weights[0, 0].numpy()
