"""What a fused frame is handed to, and the one of them that every run can have: a file or an address."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError, OutputError, UsageError
from polyfuse.io import atomic_path
from polyfuse.io.atomic import check_all_apart, check_free
from polyfuse.io.source import shown
from polyfuse.live.fusing import LiveFused
from polyfuse.live.naming import TARGETS, without_secrets
from polyfuse.video.codecs import CODECS, ClipOptions, Codec, Encoding, choose_encoding
from polyfuse.video.picture_stream import PictureFormat
from polyfuse.video.pyav import load_av
from polyfuse.video.reader import ClipInfo

TIME_BASE = Fraction(1, 1000)
"""Unit of the time stamps that are written, seconds."""
QUEUED = 2
"""Frames that wait for an encoder; when a third comes the oldest is left out."""
_CLOSING, _CLOSING_ADDRESS = 60.0, 5.0
"""Seconds for which the end of a run waits for an encoder to end a file, and for an address to take what is left."""
# ours: fast presets, since an encoder shares the cores with the network; no frame of a stream waits for a later one.
_LIVE_H264 = Codec("libx264", 20, (("preset", "superfast"),))
_SENT_H264 = Codec("libx264", 23, (("preset", "ultrafast"), ("tune", "zerolatency")))
# With its length before it a frame of MPEG-TS is known to be complete before the next one comes.
_SENDING = {"rtsp": {"rtsp_transport": "tcp"}, "mpegts": {"omit_video_pes_length": "0"}}
_BT601 = (6, 1, 2, 2)
"""Matrix, range, primaries and transfer of what is written, as H.273 numbers them."""


class Output(Protocol):
    """Something that takes fused frames."""

    is_open: bool
    """Whether it wants more; False ends the run in good order."""
    num_dropped: int
    """Frames that it left out because it was busy."""

    def put(self, frame: LiveFused) -> None:
        """Take a frame, without waiting for anything slow."""

    def close(self) -> None:
        """End, and keep what is finished."""


@dataclass(frozen=True)
class Target:
    """Where an encoded result goes, checked before anything is opened."""

    text: str
    """A path, or an address."""
    scheme: str | None
    """Of an address."""
    encoding: Encoding
    """Container and codec."""
    overwrite: bool = False
    """Whether a file may be replaced."""

    @property
    def path(self) -> Path | None:
        """The file; None for an address."""
        return Path(self.text) if self.scheme is None else None

    @property
    def shown(self) -> str:
        """What messages call it."""
        return shown(self.text) if self.scheme is None else without_secrets(self.text)


def make_target(
    text: str,
    scheme: str | None,
    *,
    codec: str = "auto",
    crf: int | None = None,
    overwrite: bool = False,
    inputs: tuple[Path, ...] = (),
) -> Target:
    """Check a target before any work.

    Args:
        text: A path with a clip's suffix, or an address.
        scheme: From `check_target`.
        codec: "auto", or a name of `polyfuse.video.codecs.CODECS`.
        crf: Quality of a lossy codec, lower is better; None for the usual.
        overwrite: Whether a file may be replaced.
        inputs: Files that are read, and so not replaced.

    Raises:
        UsageError: If suffix, codec and quality do not go together.
        OutputError: If the file exists, or is a source.
        DependencyError: If PyAV or the encoder is missing.
    """
    if scheme is not None:
        if codec not in ("auto", "h264"):
            raise UsageError(f"{codec} is not sent to addresses: drop --codec.")
        if _SENT_H264.encoder not in load_av().codecs_available:
            choose_encoding(Path("x.mp4"), ClipOptions())  # says what is missing
        return Target(text, scheme, Encoding(TARGETS[scheme], _SENT_H264, _SENT_H264.crf if crf is None else crf))
    path = Path(text)
    # auto: H.264 where `polyfuse fuse` would write FFV1, which takes a gigabyte a minute
    chosen = "h264" if codec == "auto" and path.suffix.lower() == ".mkv" else codec
    encoding = choose_encoding(path, ClipOptions(codec=chosen, crf=crf))
    if encoding.codec is CODECS["h264"]:
        encoding = replace(encoding, codec=_LIVE_H264, crf=_LIVE_H264.crf if crf is None else crf)
    check_all_apart([path], inputs, "a source and would be replaced by the result")
    check_free(path, overwrite=overwrite)
    return Target(text, None, encoding, overwrite)


class EncodedOutput:
    """Encodes frames in a thread of its own and writes them to a file or an address.

    A file has its name only when it is complete: when the run ends, by itself, by Ctrl-C or by an error.

    Args:
        target: Where they go.
        rate: Frames a second, about; frames have the times at which they were taken.
    """

    def __init__(self, target: Target, rate: Fraction) -> None:
        self.target, self._rate = target, rate
        self._condition = threading.Condition()
        self._waiting: deque[tuple[NDArray[np.uint8], int]] = deque()
        self._closed = False
        self._shape: tuple[int, ...] | None = None
        self._problem: BaseException | None = None
        self._failed = False
        self.is_open = True
        self.num_dropped = self.num_written = 0
        self._thread = threading.Thread(target=self._work, name="polyfuse live output", daemon=True)
        self._thread.start()

    def put(self, frame: LiveFused) -> None:
        """Let a frame be encoded.

        Raises:
            InputError: If it has another size than those before.
            OutputError: If writing has failed.
        """
        self._check()
        shape = frame.image.shape
        if self._shape is not None and shape != self._shape:
            was, now = (f"{one[1]}x{one[0]}" for one in (self._shape, shape))
            raise InputError(
                f"the result changes from {was} to {now} after {frame.seconds:.1f} s, since a source did: "
                f"{self.target.shown} ends there, start again."
            )
        self._shape = shape
        with self._condition:
            if len(self._waiting) >= QUEUED:
                self._waiting.popleft()
                self.num_dropped += 1
            self._waiting.append((frame.image, round(frame.seconds / TIME_BASE)))
            self._condition.notify_all()

    def close(self) -> None:
        """Write what waits, and end the file.

        Raises:
            OutputError: If that fails.
        """
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join(_CLOSING if self.target.path is not None else _CLOSING_ADDRESS)
        self.is_open = False
        if self._thread.is_alive():
            self._failed = True
            raise OutputError(f"{self.target.shown} takes no more: check what it is written or sent to.")
        self._check()

    @property
    def is_complete(self) -> bool:
        """Whether all that was to be written is, and there is something."""
        return not self.is_open and not self._failed and self.num_written > 0

    def _check(self) -> None:
        """Raise in the caller's thread what was raised in the encoder's."""
        if self._problem is not None:
            problem, self._problem = self._problem, None
            raise problem

    def _next(self) -> tuple[NDArray[np.uint8], int] | None:
        """The next frame; None when there are no more."""
        with self._condition:
            while not self._waiting and not self._closed:
                self._condition.wait()
            return self._waiting.popleft() if self._waiting else None

    def _work(self) -> None:
        """Encode until there are no more frames."""
        try:
            first = self._next()
            if first is not None:
                with _place(self.target) as place:
                    self._write(place, first)
        except BaseException as error:  # raised again by `put` or `close`, in the caller's thread
            self._failed, self._problem = True, error

    def _write(self, place: str, first: tuple[NDArray[np.uint8], int]) -> None:
        """Encode the first frame and all that follow."""
        array, _ = first
        pictures = PictureFormat(self.target.encoding, _like(array, self._rate), array.ndim == 2, 8)
        options = _SENDING.get(self.target.encoding.muxer, {}) if self.target.scheme is not None else {}
        with _saying(self.target):
            container = load_av().open(place, "w", format=self.target.encoding.muxer, options=options)
            try:
                stream = pictures.add_stream(container)
                if self.target.scheme is not None:
                    stream.codec_context.gop_size = max(1, round(self._rate))  # whoever looks in waits a second
                item: tuple[NDArray[np.uint8], int] | None = first
                last = -1
                while item is not None:
                    array, ticks = item
                    last = max(ticks, last + 1)
                    container.mux(stream.encode(pictures.frame(array, last)))
                    self.num_written += 1
                    item = self._next()
                container.mux(stream.encode())
            finally:
                container.close()


@contextmanager
def _place(target: Target) -> Iterator[str]:
    """What FFmpeg opens for a target: an address, or a temporary file that gets its name at the end."""
    if target.path is None:
        yield target.text
        return
    with atomic_path(target.path, target.overwrite) as temporary:
        yield f"file:{os.fspath(temporary)}"


@contextmanager
def _saying(target: Target) -> Iterator[None]:
    """Turn what FFmpeg raises into one line that names the target.

    Raises:
        OutputError: If an address does not take it, or the encoder refuses.
        OSError: If the operating system refuses a file.
    """
    av = load_av()
    try:
        yield
    except av.error.FFmpegError as error:
        if target.path is not None and 0 < error.errno < 134:
            raise OSError(error.errno, os.strerror(error.errno)) from error
        advice = "pass another --codec" if target.path is not None else "check that something listens there"
        words = error.strerror or "no reason given"
        raise OutputError(f"{target.shown} cannot be written ({words}): {advice}.") from error


def _like(array: NDArray[Any], rate: Fraction) -> ClipInfo:
    """A clip of the size and rate of what is written."""
    height, width = array.shape[:2]
    return ClipInfo(
        path=Path("live"),
        codec="",
        width=width,
        height=height,
        depth=8,
        is_grey=array.ndim == 2,
        rate=rate,
        time_base=TIME_BASE,
        start=Fraction(0),
        num_frames=0,
        pixel_aspect=None,
        colorimetry=_BT601,
        has_sound=False,
    )
