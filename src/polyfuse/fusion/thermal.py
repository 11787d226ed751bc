"""Reading the sources of a pair, where a radiometric file may be one or both, and what its result has besides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment.apply import resampler_of
from polyfuse.errors import InputError
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.plausible import FALSE_COLOUR
from polyfuse.fusion.result import Result
from polyfuse.fusion.sources import as_picture, flowing
from polyfuse.io import Pair, Picture
from polyfuse.io.source import shown
from polyfuse.radiometric import ThermalFile, read_thermal
from polyfuse.radiometric.exif import carried
from polyfuse.radiometric.temperature import KELVIN, levels_of
from polyfuse.radiometric.thermal import NotRadiometricError, is_radiometric

CELSIUS_SUFFIX = "_celsius.tif"
"""What follows the stem of a result in the name of its temperatures."""
PALETTE_SHOWN = (
    "a is a radiometric file's palette, whose brightness is not warmth: --radiometric takes what was measured"
)
_WINDOW_NOTE = "a has 16 bits, "


@dataclass(frozen=True, eq=False)
class Sources:
    """Both sources of a pair, read."""

    a: Picture
    """First source."""
    b: Picture
    """Second source."""
    options: FuseOptions
    """Options for this pair: with the warp and the range that its file gives."""
    thermal: ThermalFile | None = None
    """The radiometric file that a is from."""
    unit: float | None = None
    """Kelvin of one level of a; None if its levels are counts, or no temperatures are wanted."""
    notes: tuple[str, ...] = ()
    """What the user should know of how they were brought together."""

    def with_flow(self) -> Sources:
        """The same with the flow that they show, where one is wanted.

        Raises:
            InputError: If sizes are not the warp's, or without one differ.
        """
        options, notes = flowing(self.a, self.b, self.options)
        return replace(self, options=options, notes=(*self.notes, *notes))


def read_sources(pair: Pair, options: FuseOptions) -> Sources:
    """Read both sources; a pair of one radiometric file with itself is what that holds, in the thermal camera's view.

    Raises:
        InputError: If a file cannot be read, or lacks what is asked of it.
    """
    if not options.radiometric:
        return Sources(as_picture(pair.a, options, "a"), as_picture(pair.b, options, "b"), options)
    try:
        file = read_thermal(pair.a, max_pixels=options.max_pixels)
    except InputError as error:
        if pair.a != pair.b and is_radiometric(pair.b) and not is_radiometric(pair.a):
            raise InputError(
                f"{shown(pair.b)} is a thermal camera's own file and {shown(pair.a)} is none: pass it first"
            ) from error
        if pair.a != pair.b or not isinstance(error, NotRadiometricError):
            raise
        raise InputError(
            f"{shown(pair.a)} has no partner and is no radiometric JPEG: give two files, or a thermal camera's own, "
            "not one that was edited or exported."
        ) from error
    a, unit = file.picture()
    changes: dict[str, Any] = {}
    if pair.a == pair.b:
        if options.warp is None:
            b, changes["warp"] = file.seen_part()
        elif file.visible is None:
            raise InputError(f"{shown(pair.a)} holds no visible picture: give one as the second file.")
        else:
            b = file.visible
    else:
        b = as_picture(pair.b, options, "b")
    changes["range"] = levels_of(options.range, unit, shown(pair.a))
    return Sources(a, b, options.changed(changes), file, unit)


def completed(result: Result, sources: Sources, made_by: Mapping[str, Any]) -> Result:
    """A result with what its sources add: notes, and of a radiometric file constants and range in the record, and EXIF.

    Args:
        result: From `fuse_pictures`.
        sources: What it was made of.
        made_by: Settings of the run, by which `--resume` knows the result; the pair's own say more.
    """
    file, unit, notes = sources.thermal, sources.unit, [*sources.notes, *result.notes]
    if file is None:
        if FALSE_COLOUR in notes and isinstance(sources.a.path, Path) and is_radiometric(sources.a.path):
            notes = [PALETTE_SHOWN if note == FALSE_COLOUR else note for note in notes]
        record = {**result.record, "settings": dict(made_by), "notes": notes}
        return replace(result, record=record, notes=tuple(notes))
    thermal = file.record()
    window = result.record["range"]["a"]
    if unit is not None:
        low, high = (value * unit - KELVIN for value in (window["low"], window["high"]))
        thermal["window"] = [round(low, 3), round(high, 3)]
        notes = in_degrees(notes, low, high)
    record = {**result.record, "settings": dict(made_by), "thermal": thermal, "notes": notes}
    return replace(result, record=record, notes=tuple(notes), exif=carried(file.exif))


def in_degrees(notes: Sequence[str], low: float, high: float) -> list[str]:
    """Notes, that of a measured window in degrees Celsius."""
    example = f"{math.floor(low)}C,{math.ceil(high)}C"
    told = f"{low:.1f} and {high:.1f} degrees Celsius are black and white: --range takes others, such as {example}"
    return [told if note.startswith(_WINDOW_NOTE) and "percentiles" in note else note for note in notes]


def celsius_path(path: Path) -> Path:
    """Where the temperatures of the result at `path` lie."""
    return path.with_name(path.stem + CELSIUS_SUFFIX)


def celsius(sources: Sources) -> NDArray[np.float32]:
    """Temperatures at the result's size, (H, W) in degrees Celsius; NaN where the thermal camera saw nothing.

    Raises:
        InputError: If the file has none.
    """
    kelvin = None if sources.thermal is None else sources.thermal.kelvin
    if kelvin is None:
        raise InputError(f"{shown(sources.a.path or 'a')} holds no temperatures: drop --keep-temperature.")
    options = sources.options
    if options.warp is not None and options.frame == "b":
        resampler = resampler_of(options.aligning, "b")
        kelvin = np.where(resampler.inside, resampler(kelvin), np.float32(np.nan))
    elif options.resize == "a":
        raise InputError("--keep-temperature keeps what was measured: pass --warp, or --resize b.")
    return (kelvin - np.float32(KELVIN)).astype(np.float32)
