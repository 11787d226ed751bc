"""The sound of a clip, carried over without decoding it."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from typing import Any

from polyfuse.io.source import shown
from polyfuse.video.pyav import reading
from polyfuse.video.reader import ClipInfo, opened


class Sound:
    """Packets of the first sound track, given out in step with the pictures.

    Args:
        info: The clip.
    """

    def __init__(self, info: ClipInfo) -> None:
        self._info = info
        self._open = ExitStack()
        self._output: Any = None
        self._ahead: Any = None

    def attach(self, container: Any) -> str | None:
        """Declare the track in the container that is being written; returns a note if it cannot hold it."""
        source = self._open.enter_context(opened(self._info.path))
        track = source.streams.best("audio")
        context = track.codec_context
        if context is None or context.name not in container.supported_codecs:
            name = "an unknown codec" if context is None else context.name
            return f"the sound of {shown(self._info.path)} ({name}) does not go into this format and is left out"
        self._output = container.add_stream_from_template(track)
        self._packets = source.demux(track)
        self._advance()
        return None

    def write_until(self, container: Any, time: Fraction) -> None:
        """Write what sounds before `time`, seconds after the first frame."""
        while self._ahead is not None and self._ahead.pts * self._ahead.time_base < time:
            container.mux(self._ahead)
            self._advance()

    def close(self) -> None:
        """Let go of the clip."""
        self._open.close()

    def _advance(self) -> None:
        """Find the next packet that does not sound before the first frame."""
        self._ahead = None
        with reading(self._info.path):
            for packet in self._packets:
                if packet.pts is None or packet.dts is None:
                    continue
                shift = round(self._info.start / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                if min(packet.pts, packet.dts) >= 0:
                    packet.stream = self._output
                    self._ahead = packet
                    return
