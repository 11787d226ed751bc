"""A clip that is written frame by frame and is either complete or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from polyfuse.errors import OutputError
from polyfuse.io import atomic_path
from polyfuse.io.source import reason, shown
from polyfuse.video.codecs import Encoding
from polyfuse.video.pyav import CONVERSION, load_av
from polyfuse.video.reader import ClipInfo
from polyfuse.video.sound import Sound

RGB_MATRIX, BT709 = 0, 1
"""Numbers of colour matrices in ITU-T H.273."""
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
"""Matrix as a clip names it to the number FFmpeg's scaler has for it; unnamed is BT.601, as in reading."""


class ClipWriter:
    """Encodes frames with the time stamps, pixel shape and colorimetry of the clip they stand for.

    Args:
        container: Open for writing.
        encoding: Container and codec.
        like: The clip whose frames are replaced.
        grey: Whether frames have one channel.
        depth: Bits of a value.
        sound: Track to carry over.
    """

    def __init__(
        self, container: Any, encoding: Encoding, like: ClipInfo, *, grey: bool, depth: int, sound: Sound | None
    ) -> None:
        self._container, self._like, self._sound = container, like, sound
        self._given = {(True, 8): "gray", (True, 16): "gray16le", (False, 8): "rgb24", (False, 16): "rgb48le"}[
            grey, depth
        ]
        self._wanted = encoding.pixel_format(like.width, like.height, grey=grey, depth=depth)
        options = dict(encoding.codec.options)
        if encoding.crf is not None:
            options["crf"] = str(encoding.crf)
            if encoding.codec.encoder == "libvpx-vp9":
                options["b"] = "0"  # without it crf is only a bound
        self._stream = container.add_stream(encoding.codec.encoder, rate=like.rate, options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = like.width, like.height, self._wanted
        context = self._stream.codec_context
        context.time_base = like.time_base
        if like.pixel_aspect is not None:
            context.sample_aspect_ratio = like.pixel_aspect
        self._matrix: int | None = None
        if self._wanted.startswith("yuv"):
            matrix, _, primaries, transfer = like.colorimetry
            matrix = BT709 if matrix == RGB_MATRIX else matrix
            self._matrix = _MATRICES.get(matrix, 5)
            context.colorspace, context.color_primaries, context.color_trc = matrix, primaries, transfer
            context.color_range = 1  # limited, as players expect of it
        self.notes: tuple[str, ...] = ()
        if self._wanted == "yuv444p":
            self.notes = (f"{like.width}x{like.height} is odd: written as 4:4:4, which some players do not show",)
        if sound is not None and (note := sound.attach(container)) is not None:
            self.notes = (*self.notes, note)
            self._sound = None
        self._end = 0

    def write(self, array: NDArray[Any], ticks: int) -> None:
        """Encode one frame.

        Args:
            array: (H, W) or (H, W, 3), as declared.
            ticks: Its time stamp in the time base of the clip it stands for.
        """
        frame = load_av().VideoFrame.from_ndarray(array, format=self._given)
        if self._wanted != self._given:
            frame = frame.reformat(format=self._wanted, dst_colorspace=self._matrix, interpolation=CONVERSION)
        frame.pts, frame.time_base = ticks, self._like.time_base
        self._end = ticks
        self._mux(self._stream.encode(frame))
        self._sound_until(ticks * self._like.time_base)

    def finish(self) -> None:
        """Encode what is still held back, and the sound up to the end of the last frame."""
        self._mux(self._stream.encode())
        self._sound_until(self._end * self._like.time_base + self._like.period)

    def _mux(self, packets: list[Any]) -> None:
        """Write packets; the last frame in time gets a duration, which no following one gives it."""
        period = round(self._like.period / self._like.time_base)
        for packet in packets:
            if packet.pts == self._end and not packet.duration:
                packet.duration = period
            self._container.mux(packet)

    def _sound_until(self, time: Fraction) -> None:
        """Write the sound before `time`."""
        if self._sound is not None:
            self._sound.write_until(self._container, time)


@contextmanager
def clip_writer(
    path: Path, encoding: Encoding, like: ClipInfo, *, grey: bool, depth: int, sound: bool, overwrite: bool
) -> Iterator[ClipWriter]:
    """A writer for `path`; the file appears, complete, once the body is through.

    Raises:
        OutputError: If the path exists and `overwrite` is off, or it cannot be written; nothing half-written remains.
    """
    av = load_av()
    track = Sound(like) if sound and like.has_sound else None
    with atomic_path(path, overwrite) as temporary:
        try:
            # A file of our own, so that a full disk is seen at the latest when it is closed.
            with open(temporary, "wb") as file:
                container = av.open(file, "w", format=encoding.muxer)
                try:
                    writer = ClipWriter(container, encoding, like, grey=grey, depth=depth, sound=track)
                    yield writer
                    writer.finish()
                finally:
                    container.close()
        except av.FFmpegError as error:
            if error.errno in _SYSTEM_ERRORS:
                raise OSError(error.errno, os.strerror(error.errno)) from error
            raise OutputError(f"{shown(path)} cannot be encoded ({reason(error)}): pass another --codec") from error
        finally:
            if track is not None:
                track.close()


_SYSTEM_ERRORS = range(1, 134)
"""Numbers that are the operating system's; FFmpeg's own are far larger."""
