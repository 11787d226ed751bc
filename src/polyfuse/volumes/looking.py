"""Volumes as they are looked at and scored: 8 bits, both sources as the fusion saw them, results on the same grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import UsageError
from polyfuse.io.source import shown
from polyfuse.transforms import RangeRecord, measure_range, parse_range, quantise, to_unit
from polyfuse.volumes.colour_maps import palette
from polyfuse.volumes.fusing import Seen
from polyfuse.volumes.geometry import brought_together
from polyfuse.volumes.options import VolumeOptions
from polyfuse.volumes.read import read_volume
from polyfuse.volumes.recorded import LUMINANCE, Recorded, recorded
from polyfuse.volumes.resample import Order, resampled
from polyfuse.volumes.run import seen_of
from polyfuse.volumes.volume import Affine, Volume, Window
from polyfuse.volumes.windows import WHOLE_COLOUR, WHOLE_UNIT, window_of

WHOLE_DICOM = RangeRecord("full", 0.0, 65535.0, "float32")
"""Of grey results in DICOM, which hold luminance with 16 bits."""


@dataclass(frozen=True, eq=False)
class Look:
    """A volume with all that makes it visible."""

    name: str
    """What it is called."""
    source: Volume
    """As it lies in its file."""
    window: RangeRecord
    """Values that are black and white."""
    colour_map: str | None = None
    """Palette; None for grey, and for what has colours of its own."""
    move: Affine | None = None
    """(4, 4), from a's millimetres to its own; None: they agree."""
    order: Order = "linear"
    """How values between voxels are made."""
    unit: str = ""
    """Of its values, where it is another than its file says."""

    @property
    def black_and_white(self) -> tuple[float, float, str]:
        """Values of both, and their unit; empty for colour, whose levels mean nothing else."""
        if self.source.is_colour:
            return 0.0, 255.0, ""
        if self.window in (WHOLE_UNIT, WHOLE_DICOM):
            return 0.0, 1.0, LUMINANCE
        return self.window.low, self.window.high, self.unit or self.source.unit

    def on(self, affine: Affine, shape: tuple[int, int, int]) -> Volume:
        """The volume on a grid; copied to the bit where its voxels lie on those of the grid."""
        return resampled(self.source, affine, shape, order=self.order, move=self.move)

    def levels(self, volume: Volume, window: Window) -> NDArray[np.uint8]:
        """A block of `on`, grey or RGB of 8 bits, before the palette; black where the volume is not."""
        values, weights = volume.block(window), volume.coverage_block(window)
        if volume.is_colour:
            return values if weights is None else np.rint(values * weights[..., None]).astype(np.uint8)
        unit = to_unit(values, self.window, name=volume.name)
        levels: NDArray[np.uint8] = quantise(unit if weights is None else unit * weights, 8)
        return levels

    def picture(self, volume: Volume, window: Window) -> NDArray[np.uint8]:
        """The same through the palette."""
        levels = self.levels(volume, window)
        return levels if self.colour_map is None else palette(self.colour_map)[levels]


@dataclass(frozen=True, eq=False)
class Looking:
    """Two sources, and what methods made of them."""

    seen: Seen
    """The sources on the grid of a."""
    looks: tuple[Look, ...]
    """a, b, then the fused volumes in the order given."""
    notes: tuple[str, ...]
    """What the user should know."""

    def with_fused(self, name: str, volume: Volume, values: str | None = None) -> Looking:
        """The same with one more fused volume.

        Args:
            name: What it is called.
            volume: It, anywhere in a's millimetres.
            values: What it holds, as its record says: "luminance", "colour", or a's unit; None: it is measured.

        Raises:
            InputError: If it does not overlap with a, or holds NaN.
        """
        a = self.seen.together.a
        notes = list(self.notes)
        if volume.shape != a.shape or not np.allclose(volume.affine, a.affine, atol=1e-3):
            covered = brought_together(a, volume, same_space=True).overlap
            if covered < 1:
                notes.append(f"{name} covers {covered:.0%} of a's voxels")
        window = _window_of_fused(volume, values, self.seen.range_a)
        if window.mode != "full" and window is not self.seen.range_a:
            notes.append(f"{name}: window {window.low:.4g} to {window.high:.4g} ({window.mode})")
        look = Look(name, volume, window, unit=a.unit if window is self.seen.range_a else "")
        return replace(self, looks=(*self.looks, look), notes=tuple(notes))


def open_looking(a: Path, b: Path, fused: Mapping[str, Path], names: Sequence[str] = ("", "")) -> Looking:
    """Read volumes to look at; windows, colours, resampling and move are those of the first record found.

    Args:
        a: First source.
        b: Second source.
        fused: What methods made of them, by name; none needs a record beside it.
        names: What the sources are called; empty ones by their modality.

    Raises:
        UsageError: If a fused volume is a source.
        InputError: If one cannot be read, or they do not lie in one place.
        DependencyError: If a package is missing.
    """
    sources = read_volume(a), read_volume(b)
    for name, path in fused.items():
        if any(path.samefile(source) for source in (a, b) if path.exists()):
            raise UsageError(f"{shown(path)} is given as {name} and as a source: give what a method made.")
    records = {name: recorded(path, *sources) for name, path in fused.items()}
    first = next((record for record in records.values() if record is not None), None)
    record = first or Recorded(VolumeOptions(), None, LUMINANCE)
    how = record.how
    if how.frame is not None:
        sources = read_volume(a, how.frame), read_volume(b, how.frame)
    seen, notes = seen_of(sources, how, record.move)
    told = [f"{letter}: {note}" for letter, volume in zip("ab", sources, strict=True) for note in volume.notes]
    notes = (*told, *notes)
    if any(other is not None and not _alike(record, other) for other in records.values()):
        notes = (*notes, "the records of fused volumes differ in how sources were seen: shown as the first one says")
    called = [name or volume.modality or letter for name, volume, letter in zip(names, sources, "ab", strict=True)]
    looks = (
        Look(called[0], sources[0], seen.range_a),
        Look(called[1], sources[1], seen.range_b, seen.colour_map, record.move, how.interpolation),
    )
    looking = Looking(seen, looks, notes)
    for name, path in fused.items():
        own = records[name]
        looking = looking.with_fused(name, read_volume(path), None if own is None else own.values)
    return looking


def _alike(one: Recorded, other: Recorded) -> bool:
    """Whether two records show sources in the same way."""
    words = ("window", "range_a", "range_b", "colour_map", "interpolation", "frame")
    same_move = (one.move is None) == (other.move is None)
    if one.move is not None and other.move is not None:
        same_move = bool(np.allclose(one.move, other.move))
    return same_move and all(getattr(one.how, word) == getattr(other.how, word) for word in words)


def _window_of_fused(volume: Volume, values: str | None, range_a: RangeRecord) -> RangeRecord:
    """Which values of a fused volume are black and white: those of what it holds, else percentiles."""
    if volume.is_colour:
        return WHOLE_COLOUR
    if values not in (None, LUMINANCE):
        return range_a
    blocks = (volume.block(window) for window in volume.slice_windows(2))
    found = measure_range(blocks, parse_range("minmax"), name=volume.name)
    if found.low >= 0 and found.high <= 1:
        return WHOLE_UNIT
    if volume.origin.format == "DICOM" and volume.unit == "raw" and found.low >= 0 and found.high <= WHOLE_DICOM.high:
        return WHOLE_DICOM
    return window_of(volume, "percentile")
