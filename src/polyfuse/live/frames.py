"""A source that is open: its frames as they come, each in its own depth, converted only when they are used."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError, InputError
from polyfuse.live.naming import SourceName
from polyfuse.video.pyav import CONVERSION, FORMATS, load_av
from polyfuse.video.reader import opened as opened_clip

MAX_PIXELS = 1 << 26
"""Largest width times height of a frame: 67 million, four times 4K."""
_LIVE_FORMATS = f"{FORMATS},mpjpeg,rtsp,rtp,rawvideo,v4l2,video4linux2"
_UNSTAMPED = ("mpjpeg", "mjpeg", "h264", "hevc", "m4v", "obu")
"""Formats without time stamps; FFmpeg counts their frames instead, 25 a second whatever comes."""
_EMPTY = 4
"""Packets without a frame before a source may be given up."""
_NEUTRAL = 8
"""Levels of 255 by which the channels of a grey picture differ at most after lossy coding."""


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """One decoded frame."""

    number: int
    """Counts all frames of a source, over all its connections."""
    time: float
    """When it was taken, on the clock of `time.monotonic`."""
    decoded: Any
    """PyAV's frame."""
    wanted: str
    """FFmpeg's name of the format of `array`."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.decoded.width, self.decoded.height

    @cached_property
    def array(self) -> NDArray[Any]:
        """(H, W) grey or (H, W, 3) RGB; uint8 or uint16."""
        return np.ascontiguousarray(self.decoded.to_ndarray(format=self.wanted, interpolation=CONVERSION))


class OpenSource:
    """A source whose header was read.

    Args:
        name: What it is.
        container: PyAV's, open.

    Raises:
        InputError: If it holds no pictures.
        DependencyError: If this FFmpeg cannot decode them.
    """

    def __init__(self, name: SourceName, container: Any) -> None:
        self._name, self._container = name, container
        self._stream = container.streams.best("video")
        if self._stream is None:
            raise InputError(f"{name.shown} has no video: name a source with pictures.")
        if self._stream.codec_context is None:
            raise DependencyError(f"{name.shown} has a codec this FFmpeg cannot decode: send H.264.")
        self.seconds: float | None = container.duration / 1e6 if container.duration else None
        """How long it is; None if it says nothing, as sources that run on."""
        self.rate = Fraction(self._stream.average_rate or self._stream.guessed_rate or 25)
        """Frames a second, as far as the header tells."""
        self.codec: str = self._stream.codec_context.name
        """FFmpeg's name of the codec."""
        self._has_stamps = name.kind == "file" or container.format.name.split(",")[0] not in _UNSTAMPED
        self.num_damaged = 0
        """Frames that could not be decoded."""

    def frames(self, timeout: float, *, ahead: bool) -> Generator[tuple[Any, float | None], None, None]:
        """Decode frame by frame, passing over what is damaged, as what comes before the first whole picture.

        Args:
            timeout: Seconds for which data may come without a frame.
            ahead: Whether the decoder may work at several frames at a time, which holds them back by as many.

        Yields:
            PyAV's frame, and its time stamp in seconds, if it has one.

        Raises:
            InputError: If the source is gone, or sends nothing, or nothing that can be decoded.
        """
        error_type = load_av().FFmpegError
        self._stream.thread_type = "AUTO" if ahead else "SLICE"
        self._stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        packets, since, empty = self._container.demux(self._stream), time.monotonic(), 0
        while True:
            with saying(self._name):
                packet = next(packets, None)
            if packet is None:
                return
            empty += 1
            # One packet may come late; several without a frame show nothing that is waited for.
            if empty > _EMPTY and time.monotonic() - since > timeout:
                raise InputError(f"{self._name.shown} sends no frame that can be decoded: check its settings.")
            try:
                decoded = _decoded(packet)
            except error_type:
                self.num_damaged += 1
                continue
            for frame in decoded:
                stamp = float(frame.pts * self._stream.time_base) if frame.pts is not None else None
                yield frame, stamp if self._has_stamps else None
                since, empty = time.monotonic(), 0

    def skip(self, *, all_but_key: bool) -> None:
        """Decode key frames alone for a while, to catch up, or all again."""
        self._stream.codec_context.skip_frame = "NONKEY" if all_but_key else "DEFAULT"


def _decoded(packet: Any) -> list[Any]:
    """The frames that a packet completes."""
    frames: list[Any] = packet.decode()
    return frames


@contextmanager
def opened(name: SourceName, timeout: float) -> Iterator[OpenSource]:
    """Connect to a source.

    Args:
        name: What it is.
        timeout: Seconds to wait for an answer, and later for data.

    Raises:
        InputError: If it is not there, does not answer or holds no pictures.
        DependencyError: If PyAV or a decoder is missing.
    """
    if name.kind == "file":
        with opened_clip(Path(name.url)) as container:
            yield OpenSource(name, container)
        return
    limits = {
        "protocol_whitelist": name.protocols,
        "format_whitelist": _LIVE_FORMATS,
        "max_pixels": str(MAX_PIXELS),
    }
    with saying(name):
        container = load_av().open(
            name.url,
            format=name.format,
            options={**name.options, **limits},
            timeout=(timeout, timeout),
            metadata_errors="replace",
        )
    try:
        yield OpenSource(name, container)
    finally:
        container.close()


@contextmanager
def saying(name: SourceName) -> Iterator[None]:
    """Turn what FFmpeg raises on a source into one line that names it, without what its address may hold of secrets.

    Raises:
        InputError: With FFmpeg's reason.
    """
    av = load_av()
    try:
        yield
    except (av.error.ExitError, TimeoutError) as error:
        raise InputError(f"{name.shown} does not answer: check that it is on, or pass a longer --timeout.") from error
    except av.error.FFmpegError as error:
        words = str(error.strerror or "no reason given")
        if isinstance(error, av.error.InvalidDataError):
            words = "nothing that is read comes from it" if name.kind == "address" else "it sends no pictures"
        raise InputError(f"{name.shown} cannot be read ({words}): {_ADVICE[name.kind]}.") from error


_ADVICE = {
    "camera": "check that it is there and that no other program has it",
    "address": "check the address and that it sends",
    "file": "get it again",
}


def wanted_format(frame: Any, *, keep_colour: bool) -> str:
    """FFmpeg's name of the format that frames like this one are wanted in: grey or RGB, of 8 or 16 bits.

    Args:
        frame: PyAV's.
        keep_colour: Whether a frame counts as colour by its format, though this one shows none.
    """
    name = frame.format.name
    deep = max(component.bits for component in frame.format.components) > 8
    is_grey = name.startswith("gray")
    if not is_grey and not keep_colour:
        pixels = frame.to_ndarray(format="rgb24")
        is_grey = not bool(np.any(np.ptp(pixels, axis=2) > _NEUTRAL))
    if is_grey:
        return "gray16le" if deep else "gray"
    return "rgb48le" if deep else "rgb24"
