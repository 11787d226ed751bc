"""Fusing two volumes that lie on one grid, a slab of slices at a time: what is decided holds for all slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import UsageError
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.conventions import decide, finished, model_input
from polyfuse.fusion.fuser import Fuser, coverage_of
from polyfuse.fusion.models import Model
from polyfuse.fusion.plausible import NOT_MEDICAL
from polyfuse.fusion.stretch import OutputRange
from polyfuse.io import Picture
from polyfuse.transforms import RangeRecord, from_unit, to_unit
from polyfuse.video.filters import make_filter
from polyfuse.video.flicker import flicker, flicker_ratio
from polyfuse.volumes.colour_maps import coloured
from polyfuse.volumes.geometry import Together
from polyfuse.volumes.options import VolumeOptions
from polyfuse.volumes.planes import Plane, plane_across
from polyfuse.volumes.pyramid3d import BYTES_PER_VOXEL, Halvings, fuse_block, halvings_of
from polyfuse.volumes.spool import VoxelStore
from polyfuse.volumes.volume import Volume, Window, slab
from polyfuse.volumes.windows import WHOLE_COLOUR, WHOLE_UNIT

OnSlice = Callable[[int, int], None]
"""Takes (slices done, slices in all)."""
SLAB_BYTES = 64 << 20
"""About what the sources of a slab may take."""
SLICE_BYTES = 40
"""About what a voxel of a slab takes: both sources as read, in [0, 1] and in colour, coverage, and the result."""
NOTHING_SEEN = (
    "{} shows nothing in the middle slice under the range {}: `polyfuse data inspect` prints which values a volume has"
)
STRETCH_SLICES = 32
"""About how many slices are fused beforehand to measure the range of the output, where it is stretched."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Both volumes as the fusion sees them, window by window."""

    together: Together
    """The volumes on one grid."""
    range_a: RangeRecord
    """Window of a."""
    range_b: RangeRecord
    """Window of b."""
    colour_map: str | None
    """Palette of b; None to leave it as it is."""

    def units(self, window: Window) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float32] | None]:
        """A block of each source, [0, 1] or RGB of 8 bits, and how much the voxels of b count; None if all do."""
        a, b = self.together.a, self.together.b
        first, second = _unit(a, window, self.range_a), _unit(b, window, self.range_b)
        weights = b.coverage_block(window)
        if weights is not None:  # beyond its border b is black, and not the values that it ends with
            second = second * weights if second.ndim == 3 else np.rint(second * weights[..., None]).astype(np.uint8)
        if self.colour_map is not None:
            second = coloured(second, self.colour_map)
        return first, second, weights


def _unit(volume: Volume, window: Window, record: RangeRecord) -> NDArray[Any]:
    """A block of a volume in [0, 1]; colour as it is."""
    values = volume.block(window)
    return values if volume.is_colour else to_unit(values, record, name=volume.name)


@dataclass(frozen=True)
class Fused:
    """What a fusion gives."""

    volume: Volume
    """On a's grid: float32, or RGB of 8 bits."""
    plane: Plane
    """How slices were looked at."""
    fuser: Fuser
    """What fused them."""
    flicker: float
    """Mean absolute second difference of the slices' means, [0, 2]."""
    flicker_ratio: float
    """The same over that of the less steady source."""
    notes: tuple[str, ...]
    """What the user should know."""


class VolumeFusion:
    """One pass over the slabs of two volumes.

    Args:
        seen: The volumes.
        model: What fuses slices; with `three_d` what gives its name to the record.
        options: Options of every fusion.
        volume_options: Those of volumes.

    Raises:
        UsageError: If options do not go together.
    """

    def __init__(self, seen: Seen, model: Model, options: FuseOptions, volume_options: VolumeOptions) -> None:
        self._seen, self._how = seen, volume_options
        a = seen.together.a
        self._axis = a.thickest_axis if volume_options.axis == "auto" else "ijk".index(volume_options.axis)
        self._plane = plane_across(a, self._axis)
        self._count = a.shape[self._axis]
        first, second, _ = next(self._pictures(self._count // 2, self._count // 2 + 1))[1]
        records = (WHOLE_UNIT if first.is_grey else WHOLE_COLOUR, WHOLE_UNIT if second.is_grey else WHOLE_COLOUR)
        is_colour = not options.grey and not (first.is_grey and second.is_grey)
        options = options.changed({"range": "full", "range_b": "full", "bit_depth": "8" if is_colour else "same"})
        conventions, notes = decide(first, second, options, model.provenance, records)
        not_brain = NOT_MEDICAL.format(model.provenance.name)  # advises a model for road scenes
        self._notes = tuple(note for note in notes if note != not_brain)
        for name, picture, named in (("a", first, volume_options.range_a), ("b", second, volume_options.range_b)):
            if named is not None and picture.array.min() == picture.array.max():
                self._notes += (NOTHING_SEEN.format(name, named),)
        conventions = replace(conventions, dtype="uint8" if is_colour else "float32")
        self._fuser = Fuser(model, options, conventions)
        if volume_options.three_d and self._fuser.stretch is not None:
            raise UsageError("--three-d has nothing to stretch: drop --stretch.")
        self._is_colour = is_colour

    def run(self, on_slice: OnSlice | None = None) -> Fused:
        """Fuse all slices."""
        self._measure_output()
        a = self._seen.together.a
        store = VoxelStore((*a.shape, 3) if self._is_colour else a.shape, np.uint8 if self._is_colour else np.float32)
        means: list[tuple[float, float, float]] = []
        across = make_filter(self._how.across)
        fuser, conventions = self._fuser, self._fuser.conventions
        for start, stop in self._slabs():
            solid = self._solid(start, stop) if self._how.three_d else None
            made = []
            for index, (one, other, black) in self._pictures(start, stop):
                if solid is None:
                    raw, _ = fuser.plane(one, other)
                else:
                    raw = self._plane.picture(solid[slab(self._axis, index - start, index - start + 1)])
                fused = fuser.stretched(raw)
                seen_a, seen_b = model_input(one.array, conventions, "a"), model_input(other.array, conventions, "b")
                if across is not None:
                    fused = across(np.clip(fused, 0, 1), seen_a, seen_b)
                fused = np.clip(fuser.completed(fused, one, other), 0, 1)
                fused[black] = 0
                means.append((float(fused.mean()), float(seen_a.mean()), float(seen_b.mean())))
                made.append(self._plane.block(self._pixels(fused, one, other, black)))
                if on_slice is not None:
                    on_slice(index + 1, self._count)
            store.put(slab(self._axis, start, stop), np.concatenate(made, axis=self._axis))
        unit = a.unit if self._how.values == "a" and not self._is_colour else "luminance"
        volume = Volume(
            store, a.affine, a.modality, "colour" if self._is_colour else unit, "the fused volume", a.origin
        )
        fused_means, means_a, means_b = (list(column) for column in zip(*means, strict=True))
        ratio = flicker_ratio(fused_means, means_a, means_b) if len(means) > 2 else float("nan")
        return Fused(volume, self._plane, fuser, flicker(fused_means), ratio, self._notes)

    def _pixels(
        self, fused: NDArray[np.float32], one: Picture, other: Picture, black: NDArray[np.bool_]
    ) -> NDArray[Any]:
        """A slice of the result: where both sources are black it is, to the bit."""
        conventions = self._fuser.conventions
        pixels = finished(fused, conventions.carrier_of(one.array, other.array), conventions)
        pixels[black] = 0
        if self._how.values == "a" and not self._is_colour and one.is_grey:
            return from_unit(pixels, self._seen.range_a)
        return pixels

    def _pictures(self, start: int, stop: int) -> Iterator[tuple[int, tuple[Picture, Picture, NDArray[np.bool_]]]]:
        """Each slice of a slab with its number: both sources as pictures, and where both are black."""
        first, second, weights = self._seen.units(slab(self._axis, start, stop))
        for index in range(start, stop):
            window = slab(self._axis, index - start, index - start + 1)
            one, other = (self._plane.picture(block[window]) for block in (first, second))
            coverage = None if weights is None else self._plane.picture(weights[window])
            if coverage is not None and coverage.min() == 1:
                coverage = None
            black = _is_black(one) & _is_black(other)
            yield index, (Picture(one), Picture(other, coverage=coverage), black)

    def _slabs(self) -> Iterator[tuple[int, int]]:
        """First slice of each slab, and the one behind its last."""
        shape = self._seen.together.a.shape
        voxels = int(np.prod(shape)) // self._count
        step = max(1, SLAB_BYTES // (voxels * (BYTES_PER_VOXEL if self._how.three_d else SLICE_BYTES)))
        if self._how.three_d:  # thinner ones would mostly work on their margins
            step = max(step, halvings_of(shape, self._seen.together.a.spacing).margin(self._axis))
        return ((start, min(start + step, self._count)) for start in range(0, self._count, step))

    def _solid(self, start: int, stop: int) -> NDArray[np.float32]:
        """A slab fused in three dimensions, from the sources with a margin around it."""
        a = self._seen.together.a
        halvings = halvings_of(a.shape, a.spacing)
        first, last = with_margin(start, stop, self._count, halvings, self._axis)
        one, other, _ = self._seen.units(slab(self._axis, first, last))
        fused = fuse_block(self._luma(one, "a"), self._luma(other, "b"), halvings)
        return fused[slab(self._axis, start - first, stop - first)]

    def _luma(self, block: NDArray[Any], source: Literal["a", "b"]) -> NDArray[np.float32]:
        """What the model sees of a block, (I, J, K) in [0, 1]."""
        flat = block.reshape(block.shape[0], -1, *block.shape[3:])
        return model_input(flat, self._fuser.conventions, source).reshape(block.shape[:3])

    def _measure_output(self) -> None:
        """Measure once which raw output becomes black and white, where the output is stretched at all."""
        how = self._fuser.stretch
        if how is None:
            return
        ranges = []
        for index in range(0, self._count, max(1, self._count // STRETCH_SLICES)):
            for _, (one, other, _) in self._pictures(index, index + 1):
                plane, coverage = self._fuser.plane(one, other)[0], coverage_of(one, other)
                counted = plane if coverage is None else plane[coverage > 0]
                if counted.size:
                    ranges.append(OutputRange.measured(counted, how))
        self._fuser = replace(self._fuser, output_range=reduce(OutputRange.joined, ranges))


def with_margin(start: int, stop: int, count: int, halvings: Halvings, axis: int) -> tuple[int, int]:
    """The slices that a slab depends on; the first is one that the coarsest level keeps."""
    step, margin = 2 ** halvings.times(axis), halvings.margin(axis)
    first = max(0, (start // step) * step - margin)
    return first, min(count, stop + margin + step)


def _is_black(picture: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a source is black, (H, W)."""
    black: NDArray[np.bool_] = (picture == 0) if picture.ndim == 2 else (picture == 0).all(axis=2)
    return black
