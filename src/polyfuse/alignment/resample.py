"""Putting a picture of one camera on the pixels of the other: one bicubic resampling, in the picture's own depth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.alignment.warp import Points, Warp

Frame = Literal["a", "b"]

EDGE_SHARE = 0.025
"""Share of the result's shorter side over which a picture fades where it ends: 12 pixels of 480."""
MOST_SAMPLES = 8
"""Samples a side, for a pixel that covers many of the source; they are taken evenly over it and averaged."""
_ALIASING = 0.25
"""Pixels of the source by which samples may lie farther apart than its own."""
_STRIP_POINTS = 1 << 18
"""Points of the result worked on at a time."""
_KEPT_POINTS = 1 << 22
"""Most points whose places in the source are kept for the next picture, at 16 bytes."""
_WHOLE = 1e-9
"""Pixels by which all points may miss whole ones for the source's values to be taken as they are."""
_NUMPY_OF = {torch.float32: np.float32, torch.float64: np.float64}


class _Strip(NamedTuple):
    """Some rows of the result, and where in the source the samples of their pixels lie."""

    rows: slice
    window: tuple[slice, slice]
    """Rows and columns of the source that are looked at."""
    grids: list[torch.Tensor]
    """(1, h, w, 2) for each sample, in the window, as `grid_sample` takes it."""
    whole: tuple[NDArray[np.intp], NDArray[np.intp]] | None
    """Lines and columns of the source, where every place is the centre of a pixel."""


class Resampler:
    """Resamples pictures of one camera to the pixels of the other, as a warp says.

    Bicubic with the constant -0.75, as OpenCV has it, at places known to 1e-12 pixels (1e-4 for 8 bits, where that is a
    fortieth of a level); beyond its border a picture goes on as it ends, and `coverage` says how much of that counts.
    Where a pixel of the result is several of the source, several samples are averaged, so that nothing aliases. Values
    stay inside those of the source, integers are rounded half to even. Under the identity, or a shift by whole pixels,
    they are copied.

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
        finer = 1 / warp.scale if frame == "b" else warp.scale
        self._side = min(MOST_SAMPLES, max(1, math.ceil(finer - _ALIASING)))
        self._kept: dict[torch.dtype, list[_Strip]] = {}
        covered = np.concatenate([self._inside(rows) for rows in self._rows()])
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
        # In float32 places would be off by 1e-4 pixels, 5 of 65535 levels on a hard edge.
        kind = torch.float32 if array.dtype == np.uint8 else torch.float64
        for strip in self._strips(kind):
            if strip.whole is not None:
                result[strip.rows] = array[strip.whole]
                continue
            part = torch.from_numpy(np.ascontiguousarray(planes[strip.window].transpose(2, 0, 1), _NUMPY_OF[kind]))
            values = _sampled(part, strip.grids[0])
            for grid in strip.grids[1:]:
                values += _sampled(part, grid)
            values.div_(len(strip.grids)).clamp_(low, high)
            if array.dtype.kind == "u":
                values.round_()
            result[strip.rows] = values.permute(1, 2, 0).numpy().reshape(result[strip.rows].shape)
        return result

    def _strips(self, kind: torch.dtype) -> Iterable[_Strip]:
        """All strips, top to bottom; those of a picture that is not too large are kept for the next one."""
        if kind in self._kept:
            return self._kept[kind]
        strips = (self._strip(rows, kind) for rows in self._rows())
        if self.size[0] * self.size[1] * self._side**2 > _KEPT_POINTS:
            return strips
        self._kept[kind] = list(strips)
        return self._kept[kind]

    def _strip(self, rows: slice, kind: torch.dtype) -> _Strip:
        """Where the samples of some rows lie."""
        offsets = (np.arange(self._side) + 0.5) / self._side - 0.5
        pixels = self._pixels(rows)
        sets = [self._clamped(pixels + np.array([right, down])) for down in offsets for right in offsets]
        shape = (rows.stop - rows.start, self.size[0])
        if len(sets) == 1 and np.abs(sets[0] - np.rint(sets[0])).max() <= _WHOLE:
            columns, lines = (np.rint(sets[0][:, axis]).astype(np.intp).reshape(shape) for axis in (0, 1))
            return _Strip(rows, (slice(0), slice(0)), [], (lines, columns))
        # Two pixels around the places are the filter's.
        first = np.maximum(np.floor(np.min([places.min(axis=0) for places in sets], axis=0)).astype(int) - 2, 0)
        last = np.ceil(np.max([places.max(axis=0) for places in sets], axis=0)).astype(int) + 3
        last = np.minimum(last, self.source_size)
        largest = np.maximum(last - first - 1, 1)
        grids = [torch.from_numpy(2 * (places - first) / largest - 1).reshape(1, *shape, 2).to(kind) for places in sets]
        return _Strip(rows, (slice(first[1], last[1]), slice(first[0], last[0])), grids, None)

    def _rows(self) -> Iterator[slice]:
        """Rows of the result that are worked on at a time."""
        width, height = self.size
        step = max(1, _STRIP_POINTS // width)
        return (slice(top, min(top + step, height)) for top in range(0, height, step))

    def _pixels(self, rows: slice) -> Points:
        """The centres of the pixels of some rows of the result, (N, 2)."""
        y, x = np.meshgrid(np.arange(rows.start, rows.stop), np.arange(self.size[0]), indexing="ij")
        return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)

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
        places = self._from_source(self._pixels(rows))
        with np.errstate(invalid="ignore"):
            inside = (places >= -0.5) & (places <= np.array(self.source_size) - 0.5)
        return inside.all(axis=1).reshape(-1, self.size[0])


def _sampled(part: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Values of a (C, H, W) part of the source at the places of a grid, (C, h, w)."""
    return torch.nn.functional.grid_sample(part[None], grid, "bicubic", "border", align_corners=True)[0]


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
