"""What may stand for a clip: what FFmpeg decodes, or a recording of a thermal camera."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

from polyfuse.errors import UsageError
from polyfuse.fusion import FuseOptions
from polyfuse.io import DEFAULT_MAX_PIXELS
from polyfuse.io.source import is_recording, shown
from polyfuse.radiometric.temperature import levels_of
from polyfuse.video import reader
from polyfuse.video.reader import ClipInfo, Frame
from polyfuse.video.recording import describe_recording, recorded_frames


def describe(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ClipInfo:
    """Look at a clip or a recording.

    Raises:
        InputError: If it cannot be read, has no video, or its frames have more than `max_pixels`.
        DependencyError: If what decodes it is missing.
    """
    if is_recording(Path(path)):
        return describe_recording(Path(path), max_pixels)
    return reader.describe(path, max_pixels=max_pixels)


def read_frames(info: ClipInfo) -> Generator[Frame, None, None]:
    """Decode a clip or a recording from its beginning.

    Raises:
        InputError: If a frame cannot be decoded or has another size than the first.
    """
    return recorded_frames(info) if is_recording(info.path) else reader.read_frames(info)


def in_levels(options: FuseOptions, a: ClipInfo, b: ClipInfo) -> FuseOptions:
    """Options whose range of a is in levels of its frames, where it was in degrees.

    Raises:
        UsageError: If b is a recording, or temperatures are asked for of a clip.
        InputError: If the recording has none.
    """
    if is_recording(b.path):
        raise UsageError(
            f"{shown(b.path)} is a recording of a thermal camera: give it first, and the visible clip second."
        )
    if not options.radiometric:
        return options
    if not is_recording(a.path):
        raise UsageError("clips hold no temperatures: give a thermal camera's recording (.seq, .csq), or drop "
                         "--radiometric and degrees in --range.")  # fmt: skip
    return options.changed({"radiometric": False, "range": levels_of(options.range, a.unit, shown(a.path))})
