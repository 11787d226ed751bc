"""A recording of a thermal camera as the frames of a clip: temperatures, or counts, in 16 bits."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from polyfuse.errors import InputError
from polyfuse.io.source import shown
from polyfuse.radiometric.sequence import ThermalFrame, count_frames, read_recording
from polyfuse.radiometric.temperature import KELVIN
from polyfuse.radiometric.thermal import COARSE, FINE
from polyfuse.video.reader import ClipInfo, Frame

RATE = 30
"""Frames per second where neither the camera nor the times of its frames say."""
PROBES = 64
"""Frames whose hottest pixel decides how many kelvin a level has."""
_TIME_BASE = Fraction(1, 1000)
_ROOM = 1.2
"""How much hotter than the probed frames, from 0 K, a frame may be before levels end."""
_LEVELS = np.iinfo(np.uint16).max
_PLAIN = (2, 0, 2, 2)
"""Nothing is said of matrix, primaries and transfer."""


def describe_recording(path: Path, max_pixels: int) -> ClipInfo:
    """What a recording holds, as of a clip.

    Raises:
        InputError: If it cannot be read, or its frames have more than `max_pixels`.
        DependencyError: If its frames are compressed and imagecodecs is missing.
    """
    number = count_frames(path)
    if number == 0:
        raise InputError(f"{shown(path)} is empty: give a recording of a thermal camera")
    step = max(1, number // PROBES)
    first: ThermalFrame | None = None
    hottest, times, notes = 0.0, [], []  # type: float, list[float | None], list[str]
    for index, frame in enumerate(read_recording(path, notes)):
        if first is None:
            first = frame
            if frame.raw.size > max_pixels:
                height, width = frame.raw.shape
                raise InputError(
                    f"{shown(path)} is {width}x{height}, more than {max_pixels} pixels: raise --max-pixels"
                )
        times.append(frame.time)
        if index % step == 0 and frame.calibration is not None:
            hottest = max(hottest, float(frame.calibration.temperature(frame.raw).max()))
    if first is None:
        raise InputError(f"{shown(path)} is empty: give a recording of a thermal camera")
    fits = hottest * _ROOM < FINE * _LEVELS
    return ClipInfo(
        path=path, codec="flir", width=first.raw.shape[1], height=first.raw.shape[0], depth=16, is_grey=True,
        rate=_rate(first, times), time_base=_TIME_BASE, start=Fraction(0), num_frames=number, pixel_aspect=None,
        colorimetry=_PLAIN, has_sound=False,
        unit=None if first.calibration is None else FINE if fits else COARSE, notes=tuple(notes),
    )  # fmt: skip


def _rate(first: ThermalFrame, times: list[float | None]) -> Fraction:
    """Frames per second: as the camera says, else by the times of its frames."""
    if first.rate is not None:
        return Fraction(first.rate)
    known = [time for time in times if time is not None]
    span = known[-1] - known[0] if len(known) == len(times) > 1 else 0.0
    return Fraction((len(times) - 1) / span).limit_denominator(1000) if span > 0 else Fraction(RATE)


def recorded_frames(info: ClipInfo) -> Generator[Frame, None, None]:
    """The frames of a recording with their time stamps: the camera's where these go on, else evenly spaced.

    Raises:
        InputError: If a frame has another size or unit than the first; one that is cut short ends the recording.
    """
    begin: float | None = None
    last = -1
    for number, frame in enumerate(read_recording(info.path, [])):
        if frame.raw.shape != (info.height, info.width):
            height, width = frame.raw.shape
            raise InputError(
                f"{shown(info.path)} changes from {info.width}x{info.height} to {width}x{height}: cut it there"
            )
        even = round(number * info.period / _TIME_BASE)
        begin = frame.time if number == 0 else begin
        clock = None if frame.time is None or begin is None else round((frame.time - begin) / _TIME_BASE)
        near = clock is not None and abs(clock - even) < max(2.0, float(info.num_frames * info.period)) / _TIME_BASE
        last = max(clock if clock is not None and near else even, last + 1)
        yield Frame(_levels(frame, info), last, last * _TIME_BASE)


def _levels(frame: ThermalFrame, info: ClipInfo) -> Any:
    """A frame in 16 bits."""
    if info.unit is None:
        return frame.raw
    if frame.calibration is None:
        raise InputError(f"{shown(info.path)} has a frame without constants: cut it there")
    kelvin = frame.calibration.temperature(frame.raw).astype(np.float64)
    return np.clip(np.rint(kelvin / info.unit), 0, _LEVELS).astype(np.uint16)


def thermal_record(record: dict[str, Any], info: ClipInfo) -> dict[str, Any]:
    """What the sidecar says of the recording: unit, constants of its first frame, and what became black and white."""
    first = next(read_recording(info.path, []))
    window = record["range"]["a"]
    known = info.unit is not None
    ends = [round(window[end] * (info.unit or 1) - (KELVIN if known else 0), 3) for end in ("low", "high")]
    constants = None if first.calibration is None else first.calibration.to_json()
    return {
        "maker": "FLIR", "size": [info.width, info.height], "unit": "degrees Celsius" if known else "counts",
        "calibration": constants, "window": ends,
    }  # fmt: skip
