"""A clip as frames with time stamps, decoded one at a time in their own depth."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError, InputError
from polyfuse.io import DEFAULT_MAX_PIXELS
from polyfuse.io.boxes import check_boxes
from polyfuse.io.density import ALWAYS_READ, DENSEST, check_density
from polyfuse.io.source import open_source, shown
from polyfuse.video.pyav import CONVERSION, FORMATS, load_av, reading

_PROBES = 5
"""Into so many stretches a clip is divided; a frame at the start of each is looked at for colour."""
_NEUTRAL = 8
"""Levels of 255 by which the channels of a grey picture differ at most after lossy coding."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    array: NDArray[Any]
    """(H, W) grey or (H, W, 3) RGB; uint8 or uint16."""
    ticks: int
    """Time stamp after the first frame's, in units of the clip's time base."""
    time: Fraction
    """The same in seconds."""
    is_damaged: bool = False
    """Whether the decoder had to guess some of it."""


@dataclass(frozen=True)
class ClipInfo:
    """What the header of a clip says, and whether its frames have colour."""

    path: Path
    """The file it is in."""
    codec: str
    """FFmpeg's name of the codec."""
    width: int
    """Columns of a frame."""
    height: int
    """Rows of a frame."""
    depth: int
    """Bits that a decoded value gets: 8, or 16 for everything deeper."""
    is_grey: bool
    """Whether it has one channel, or three that are equal as far as lossy coding allows."""
    rate: Fraction
    """Frames per second on average."""
    time_base: Fraction
    """Unit of its time stamps, seconds."""
    start: Fraction
    """Time stamp of the first frame, seconds."""
    num_frames: int
    """Frames it should have; an estimate, 0 where nothing is said."""
    pixel_aspect: Fraction | None
    """Width to height of a pixel, where said."""
    colorimetry: tuple[int, int, int, int]
    """Matrix, range, primaries and transfer as FFmpeg numbers them (ITU-T H.273)."""
    has_sound: bool
    """Whether it has a sound track."""
    unit: float | None = None
    """Kelvin of one level, of a thermal camera's recording that says so."""
    notes: tuple[str, ...] = ()
    """What the user should know of the file."""

    @property
    def period(self) -> Fraction:
        """Seconds from frame to frame on average."""
        return 1 / self.rate

    def resized(self, width: int, height: int) -> ClipInfo:
        """The same facts for frames that were resampled."""
        return replace(self, width=width, height=height)


@contextmanager
def opened(path: Path, max_pixels: int = DEFAULT_MAX_PIXELS) -> Iterator[Any]:
    """The clip as a container of PyAV, whose decoders refuse frames beyond the limits.

    Args:
        path: A clip.
        max_pixels: Largest width times height of a frame.

    Raises:
        InputError: If it is missing, no ordinary file, or nothing FFmpeg knows.
        DependencyError: If PyAV is missing.
    """
    av = load_av()
    with open_source(path, what="clip") as file:
        check_boxes(file, path)
        num_bytes = file.seek(0, os.SEEK_END)
    # Large enough to be told the true size of a clip by; the caller holds that against `max_pixels`.
    most = max(ALWAYS_READ, min(max_pixels, int(num_bytes * DENSEST)))
    # As a local file whatever the name looks like, and never from there to the network or, as a script, to other files.
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS, "max_pixels": str(most)}
    try:
        with reading(path):
            container = av.open(f"file:{os.fspath(path)}", options=options, metadata_errors="replace")
    except InputError as error:
        if isinstance(error.__cause__, av.error.ArgumentError):
            raise InputError(f"{shown(path)} is no clip that is read: give MP4, MOV, MKV, WebM or AVI") from error
        raise
    with container:
        for stream in container.streams.video:
            if stream.codec_context is not None:
                stream.codec_context.options = {"max_pixels": str(most)}
        yield container


def describe(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ClipInfo:
    """Look at a clip: its header, and a few frames for their colour.

    Raises:
        InputError: If it cannot be read, has no video, or its frames have more than `max_pixels`.
        DependencyError: If this FFmpeg cannot decode its codec, or PyAV is missing.
    """
    path = Path(path)
    with opened(path, max_pixels) as container:
        stream = _video_of(container, path)
        context = stream.codec_context
        if context is None:
            raise DependencyError(f"{shown(path)} has a codec this FFmpeg cannot decode: convert it to H.264 first.")
        if context.width * context.height > max_pixels:
            raise InputError(
                f"{shown(path)} is {context.width}x{context.height}, more than {max_pixels} pixels: raise --max-pixels"
            )
        check_density(path, context.width, context.height, path.stat().st_size, DENSEST)
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        seconds = float((stream.duration or 0) * stream.time_base) or (container.duration or 0) / 1_000_000
        with reading(path):
            first = next(container.decode(stream), None)
        if first is None:
            raise InputError(f"{shown(path)} has no frame that can be decoded: get it again")
        pixel_format = first.format
        is_grey = pixel_format.name.startswith("gray")
        return ClipInfo(
            path=path,
            codec=context.name,
            width=first.width,
            height=first.height,
            depth=16 if max(component.bits for component in pixel_format.components) > 8 else 8,
            is_grey=is_grey or not (_has_colour(first) or _later_colour(container, stream, path)),
            rate=rate,
            time_base=Fraction(stream.time_base),
            start=(first.pts or 0) * Fraction(stream.time_base),
            num_frames=stream.frames or round(seconds * rate),
            pixel_aspect=stream.sample_aspect_ratio or None,
            colorimetry=(
                context.colorspace, context.color_range, context.color_primaries, context.color_trc,
            ),
            has_sound=bool(container.streams.audio),
        )  # fmt: skip


def _video_of(container: Any, path: Path) -> Any:
    """The video stream a player would show."""
    stream = container.streams.best("video")
    if stream is None:
        raise InputError(f"{shown(path)} has no video stream: give a clip with pictures")
    return stream


def _has_colour(frame: Any) -> bool:
    """Whether any pixel is clearly not grey."""
    pixels = frame.to_ndarray(format="rgb24")
    return bool(np.any(np.ptp(pixels, axis=2) > _NEUTRAL))


def _later_colour(container: Any, stream: Any, path: Path) -> bool:
    """Whether a frame at one of some later places has colour; the clip may begin in black, which has none."""
    if not container.duration:
        return False
    begin = (container.start_time or 0) / 1_000_000
    for probe in range(1, _PROBES):
        target = container.duration * probe // _PROBES
        with reading(path):
            container.seek((container.start_time or 0) + target)
            # The seek ends at a key frame before the target; the scene may begin between the two.
            reached = (frame for frame in container.decode(stream) if (frame.time or 0) - begin >= target / 1_000_000)
            frame = next(reached, None)
        if frame is not None and _has_colour(frame):
            return True
    return False


def read_frames(info: ClipInfo) -> Generator[Frame, None, None]:
    """Decode a clip from its beginning; frames whose time stamp does not go on are left out.

    Raises:
        InputError: If a frame cannot be decoded or has another size than the first.
    """
    wanted = f"{'gray' if info.is_grey else 'rgb'}{_SUFFIX_OF[info.is_grey, info.depth]}"
    last = -1
    with opened(info.path) as container:
        stream = _video_of(container, info.path)
        stream.thread_type = "AUTO"
        decoded = container.decode(stream)
        step = max(1, round(info.period / info.time_base))
        while True:
            with reading(info.path, f" after {float(max(last, 0) * info.time_base):.2f} s"):
                frame = next(decoded, None)
            if frame is None:
                return
            if (frame.width, frame.height) != (info.width, info.height):
                raise InputError(
                    f"{shown(info.path)} changes from {info.width}x{info.height} to {frame.width}x{frame.height}: "
                    "cut it where the size changes"
                )
            ticks = last + step if frame.pts is None else frame.pts - round(info.start / info.time_base)
            if ticks <= last:
                continue
            last = max(ticks, 0)
            array = np.ascontiguousarray(frame.to_ndarray(format=wanted, interpolation=CONVERSION))
            yield Frame(array, last, last * info.time_base, frame.is_corrupt)


_SUFFIX_OF = {(True, 8): "", (True, 16): "16le", (False, 8): "24", (False, 16): "48le"}
