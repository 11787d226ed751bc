"""FLIR's recordings, .seq and .csq: one file of FLIR's after another, each a frame with its own constants."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError
from polyfuse.io.source import RECORDING_SUFFIXES, open_source, shown
from polyfuse.radiometric import blocks
from polyfuse.radiometric.flir import calibration, raw_plane
from polyfuse.radiometric.temperature import Calibration

SUFFIXES = RECORDING_SUFFIXES
"""Suffixes of recordings, lower case."""
_SECONDS, _MILLISECONDS, _RATE = 0x384, 0x388, 0x464
"""Where the camera's record has the time of a frame, and frames per second.

Source: the tag tables that ExifTool documents (DateTimeOriginal, FrameRate)."""
_MOST_RATE = 1000
_MAX_FRAME = 1 << 26
"""Largest frame, bytes; one of 1024x768 has 1.6 million."""
_HEAD = 64


@dataclass(frozen=True, eq=False)
class ThermalFrame:
    """One frame of a recording."""

    raw: NDArray[np.uint16]
    """(H, W) counts."""
    calibration: Calibration | None
    """From counts to temperatures."""
    time: float | None = None
    """Seconds since 1970, as the camera's clock had it; None if the file does not say."""
    rate: int | None = None
    """Frames per second that the camera says; None if it does not."""


def count_frames(path: str | os.PathLike[str]) -> int:
    """How many whole frames a recording has, without decoding them.

    Raises:
        InputError: If it is no recording, or damaged at its first frame.
    """
    number = 0
    with open_source(path, what="recording of a thermal camera") as file:
        while head := file.read(_HEAD):
            try:
                _check_head(head, path)
                _rest(file.read, head, path)
            except InputError:
                if number == 0:
                    raise
                break
            number += 1
    return number


def read_recording(path: str | os.PathLike[str], notes: list[str] | None = None) -> Iterator[ThermalFrame]:
    """The frames of a recording, one at a time.

    Args:
        path: A .seq or .csq file.
        notes: Gets a line where a frame after the first is damaged or cut short, as when a camera was switched off; the
            recording ends there. None: that is an error.

    Raises:
        InputError: If it is no recording, or its first frame is damaged.
        DependencyError: If its frames are compressed (.csq) and imagecodecs is missing.
    """
    with open_source(path, what="recording of a thermal camera") as file:
        number = 0
        while head := file.read(_HEAD):
            try:
                frame = _frame(file.read, head, path)
            except InputError as error:
                if notes is None or number == 0:
                    raise
                notes.append(f"frame {number} is damaged or cut short, the recording ends before it ({error})")
                return
            yield frame
            number += 1


def _frame(read: Callable[[int], bytes], head: bytes, path: str | os.PathLike[str]) -> ThermalFrame:
    """The frame that begins with `head`."""
    _check_head(head, path)
    records = blocks.flir_records(head + _rest(read, head, path), path)
    if blocks.RAW not in records:
        raise InputError(f"{shown(path)} has a frame without a raw plane: get the file again")
    raw = raw_plane(records[blocks.RAW], path)
    if blocks.CAMERA not in records:
        return ThermalFrame(raw, None)
    camera = records[blocks.CAMERA]
    return ThermalFrame(raw, calibration(camera, path), *_when(camera))


def _when(camera: blocks.Record) -> tuple[float | None, int | None]:
    """Time of a frame and frames per second, where the camera's record has room for them and they make sense."""
    try:
        seconds, milliseconds = camera.number("I", _SECONDS), int(camera.number("I", _MILLISECONDS)) & 0xFFFF
        rate = int(camera.number("H", _RATE))
    except ValueError:
        return None, None
    time = seconds + milliseconds / 1000 if seconds > 0 and milliseconds < 1000 else None
    return time, rate if 0 < rate <= _MOST_RATE else None


def _check_head(head: bytes, path: str | os.PathLike[str]) -> None:
    """Refuse what begins like no frame."""
    if len(head) < _HEAD or head[:4] not in (b"FFF\x00", b"AFF\x00"):
        raise InputError(f"{shown(path)} is no recording of FLIR's, or damaged: get the file again")


def _rest(read: Callable[[int], bytes], head: bytes, path: str | os.PathLike[str]) -> bytes:
    """The rest of a frame, whose length its directory tells."""
    damaged = InputError(f"{shown(Path(path))} is cut short or damaged: get the file again")
    for order in "<>":
        version, directory, number = struct.unpack_from(order + "III", head, 0x14)
        if 100 <= version < 200:
            break
    else:
        raise damaged
    listed = directory + 32 * number - _HEAD
    if directory < _HEAD or listed > _MAX_FRAME:
        raise damaged
    content = read(listed)
    if len(content) < listed:
        raise damaged
    ends = [
        sum(struct.unpack_from(order + "II", content, directory - _HEAD + 32 * index + 12)) for index in range(number)
    ]
    more = max(ends, default=0) - _HEAD - listed
    if not 0 <= more <= _MAX_FRAME:
        raise damaged
    rest = read(more)
    if len(rest) < more:
        raise damaged
    return content + rest
