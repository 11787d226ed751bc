"""A clip that is encoded part by part and joined to a file that is either complete or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from polyfuse.errors import OutputError
from polyfuse.io import atomic_path
from polyfuse.io.source import reason, shown
from polyfuse.video.parts import Packet, Parts
from polyfuse.video.picture_stream import PictureFormat
from polyfuse.video.pyav import load_av
from polyfuse.video.reader import ClipInfo
from polyfuse.video.sound import Sound
from polyfuse.video.temporal import State

PART_FRAMES = 250
"""Most frames of a part, which begins with a key frame: the distance that encoders choose by themselves."""
FIRST_PART_FRAMES = 16
"""Frames of the first part; each further one has twice as many, so that a run of a short clip that is killed does not
lose all of it, and a long clip has only four key frames more."""
LOSSLESS_BYTES = 2**28
"""Size of a part's frames before encoding, where the codec is lossless and a part must fit into memory."""


class PartEncoder:
    """Encodes frames into parts.

    Args:
        target: The result, for messages.
        pictures: What the frames are.
        parts: Where they go; encoding goes on after those that are there.
    """

    def __init__(self, target: Path, pictures: PictureFormat, parts: Parts) -> None:
        self._target, self._pictures, self._parts = target, pictures, parts
        self._container: Any = None
        self._stream: Any = None
        self._packets: list[Packet] = []
        self._num_frames = parts.num_frames

    def write(self, array: NDArray[Any], ticks: int) -> None:
        """Encode one frame.

        Args:
            array: (H, W) or (H, W, 3), as declared.
            ticks: Its time stamp in the time base of the clip it stands for.

        Raises:
            OutputError: If the encoder refuses it.
        """
        with _encoding(self._target):
            if self._stream is None:
                # The container lends its rules to the encoder; nothing is ever written to it.
                self._container = load_av().open(BytesIO(), "w", format=self._pictures.encoding.muxer)
                self._stream = self._pictures.add_stream(self._container)
            self._keep(self._stream.encode(self._pictures.frame(array, ticks)))
        self._num_frames += 1

    def end_part(self, num_frames: int, state: State) -> None:
        """Put the frames since the last part on the disk as one more, if there are any and none of them failed.

        Args:
            num_frames: Frames there should be by now, from the beginning of the clip.
            state: Of the temporal filter after them; empty without one.

        Raises:
            OutputError: If it cannot be written.
        """
        if self._stream is None or self._num_frames != num_frames:  # a frame failed, which its writer tells
            return
        with _encoding(self._target):
            self._keep(self._stream.encode())
            self._container.close()
        self._parts.add(self._packets, self._num_frames, state)
        self._container, self._stream, self._packets = None, None, []

    def _keep(self, packets: list[Any]) -> None:
        """Add encoded packets to the part under way."""
        self._packets += [Packet.of(packet) for packet in packets]


def part_ends(pictures: PictureFormat) -> Iterator[int]:
    """Numbers of frames, from the beginning of the clip, after which a part ends; the same in every run."""
    longest = PART_FRAMES
    if pictures.encoding.crf is None:
        longest = max(1, min(PART_FRAMES, LOSSLESS_BYTES // pictures.frame_bytes))
    end, length = 0, FIRST_PART_FRAMES
    while True:
        end += min(length, longest)
        yield end
        length = min(2 * length, longest)


def join(target: Path, pictures: PictureFormat, parts: Parts, *, sound: bool, overwrite: bool) -> tuple[str, ...]:
    """Join the parts without encoding them again, with the sound of the clip they stand for; returns notes.

    Raises:
        OutputError: If the target exists and `overwrite` is off, or it cannot be written; nothing half-written remains.
    """
    like = pictures.like
    track = Sound(like) if sound and like.has_sound else None
    notes: list[str] = []
    try:
        # A file of our own, so that a full disk is seen at the latest when it is closed.
        with atomic_path(target, overwrite) as temporary, _encoding(target), open(temporary, "wb") as file:
            container = load_av().open(file, "w", format=pictures.encoding.muxer)
            try:
                stream = pictures.add_stream(container)
                if track is not None and (note := track.attach(container)) is not None:
                    notes.append(note)
                    track = None
                for packet in _timed(parts, like):
                    container.mux(packet.for_stream(stream, like.time_base))
                    if track is not None:
                        track.write_until(container, packet.dts * like.time_base)
                if track is not None:
                    track.write_until(container, parts.end * like.time_base + like.period)
            finally:
                container.close()
    finally:
        if track is not None:
            track.close()
    return (*pictures.notes, *notes)


def _timed(parts: Parts, like: ClipInfo) -> Iterator[Packet]:
    """The packets in decoding order; the last frame in time gets a duration, which no following one gives it.

    An encoder with frames that refer ahead begins a part with decoding times before its first frame, which may lie
    before the last ones of the part before: those are moved on, at most to the first frame.
    """
    end, last = parts.end, None
    for packet in parts.packets():
        if last is not None and packet.dts <= last:
            packet = replace(packet, dts=last + 1)
        if packet.pts == end and not packet.duration:
            packet = replace(packet, duration=round(like.period / like.time_base))
        last = packet.dts
        yield packet


@contextmanager
def _encoding(target: Path) -> Iterator[None]:
    """Turn what FFmpeg raises in encoding or writing into one error that names the result.

    Raises:
        OutputError: If the encoder refuses.
        OSError: If the operating system does.
    """
    error_type = load_av().FFmpegError
    try:
        yield
    except error_type as error:
        if error.errno in _SYSTEM_ERRORS:
            raise OSError(error.errno, os.strerror(error.errno)) from error
        raise OutputError(f"{shown(target)} cannot be encoded ({reason(error)}): pass another --codec") from error


_SYSTEM_ERRORS = range(1, 134)
"""Numbers that are the operating system's; FFmpeg's own are far larger."""
