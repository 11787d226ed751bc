"""The finished parts of a clip under way: what an interrupted run leaves behind, and what the next one goes on from.

A part is one file: encoded packets of some frames, and the state of the temporal filter after them. Parts begin at the
same frames in every run, each with a key frame of a fresh encoder, so a run that was interrupted encodes the frames as
one that was not; with H.264 and FFV1 the packets are the same too (`Codec.is_repeatable`). Parts lie in a hidden folder
beside the result until they are joined.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from polyfuse.errors import OutputError
from polyfuse.io.atomic import make_folder
from polyfuse.io.source import shown
from polyfuse.video.pyav import load_av
from polyfuse.video.store import SUFFIX, read_arrays, read_progress, write_store
from polyfuse.video.temporal import State

_LATEST = 2**62
"""Beyond all time stamps and sizes of a part."""
_STATE = "filter."
"""What the names of the filter's arrays begin with in the file of a part."""


@dataclass(frozen=True)
class Packet:
    """One encoded frame."""

    data: bytes
    """The encoded bytes."""
    pts: int
    """Time stamp in units of the clip's time base."""
    dts: int
    """Time at which it must be decoded, in the same units."""
    duration: int
    """How long it lasts; 0 if the encoder does not say."""
    is_key: bool
    """Whether decoding can begin here."""

    @classmethod
    def of(cls, packet: Any) -> Packet:
        """Copy what has to be kept of a packet of PyAV."""
        return cls(bytes(packet), packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe)

    def for_stream(self, stream: Any, time_base: Fraction) -> Any:
        """A packet of PyAV that can be muxed into a stream."""
        packet = load_av().Packet(self.data)
        packet.pts, packet.dts, packet.time_base = self.pts, self.dts, time_base
        packet.duration, packet.is_keyframe, packet.stream = self.duration, self.is_key, stream
        return packet


class Parts:
    """The parts of one result, in their order.

    Args:
        target: The result.
        fingerprint: What decides over the packets: sources, settings, version.
    """

    def __init__(self, target: Path, fingerprint: dict[str, Any]) -> None:
        self.folder = parts_folder(target)
        self._target, self._fingerprint = target, json.loads(json.dumps(fingerprint))
        self._count, self.num_frames = 0, 0
        while (words := read_progress(self._path(self._count))) is not None:
            if words["fingerprint"] != self._fingerprint:
                break
            self._count, self.num_frames = self._count + 1, words["frames"]
        found = self._count
        self.state: State = self._last_state()
        """Of the filter after these frames; empty without a filter or a part."""
        self.is_damaged = self._count < found or (words is None and os.path.lexists(self._path(self._count)))
        """Whether a part is there that cannot be read, so that it is made again with those after it."""

    def add(self, packets: list[Packet], num_frames: int, state: State) -> None:
        """Put the next part on the disk.

        Args:
            packets: Its packets in decoding order.
            num_frames: Frames from the beginning of the clip to the end of this part.
            state: Of the filter after it; empty without one.

        Raises:
            OutputError: If it cannot be written.
        """
        table = [(packet.pts, packet.dts, packet.duration, packet.is_key, len(packet.data)) for packet in packets]
        arrays: State = {f"{_STATE}{name}": array for name, array in state.items()}
        arrays["table"] = np.array(table, np.int64).reshape(-1, 5)
        arrays["data"] = np.frombuffer(b"".join(packet.data for packet in packets), np.uint8)
        end = max(packet.pts for packet in packets)
        words = {"fingerprint": self._fingerprint, "frames": num_frames, "end": end}
        write_store(self._path(self._count), arrays, words, called=self._target)
        self._count, self.num_frames = self._count + 1, num_frames

    @property
    def end(self) -> int:
        """Time stamp of the last frame in time."""
        words = read_progress(self._path(self._count - 1)) if self._count else None
        return 0 if words is None else int(words["end"])

    def packets(self) -> Iterator[Packet]:
        """All packets of all parts; one part at a time is in memory.

        Raises:
            OutputError: If a part was removed or damaged meanwhile.
        """
        for number in range(self._count):
            arrays = _read_part(self._path(number))
            if arrays is None:
                raise OutputError(f"{shown(self._path(number))} is gone or damaged: pass --overwrite to begin anew")
            data, start = arrays["data"].tobytes(), 0
            for pts, dts, duration, is_key, size in arrays["table"].tolist():
                yield Packet(data[start : start + size], pts, dts, duration, bool(is_key))
                start += size

    def remove(self) -> None:
        """Delete all parts, and the folder unless it holds something else; what a link leads to is another's."""
        with suppress(OSError):
            if self.folder.is_symlink():
                return
            for path in (*self.folder.glob(f"[0-9]*{SUFFIX}"), *self.folder.glob(f".polyfuse-*{SUFFIX}")):
                path.unlink(missing_ok=True)
            self.folder.rmdir()
        self._count, self.num_frames, self.state = 0, 0, {}

    def _path(self, number: int) -> Path:
        """The file of a part."""
        return self.folder / f"{number:06}{SUFFIX}"

    def _last_state(self) -> State:
        """The filter's state in the last part; a part that cannot be read counts as missing, with those after it."""
        while self._count:
            arrays = _read_part(self._path(self._count - 1))
            if arrays is not None:
                return {name.removeprefix(_STATE): array for name, array in arrays.items() if name.startswith(_STATE)}
            self._count -= 1
            words = read_progress(self._path(self._count - 1)) if self._count else None
            self.num_frames = 0 if words is None else words["frames"]
        return {}


def _read_part(path: Path) -> State | None:
    """The arrays of a part; None if it is missing, damaged, or its packets are not those of its table."""
    arrays = read_arrays(path)
    if arrays is None or not {"table", "data"} <= arrays.keys():
        return None
    table, data = arrays["table"], arrays["data"]
    if (table.dtype.name, data.dtype.name) != ("int64", "uint8") or data.ndim != 1 or table.shape[1:] != (5,):
        return None
    is_whole = (table > -_LATEST).all() and (table < _LATEST).all() and (table[:, 4] >= 0).all()
    return arrays if is_whole and sum(table[:, 4].tolist()) == len(data) else None


def parts_folder(target: Path) -> Path:
    """Where the parts of a result lie."""
    return target.with_name(f".{target.name}.parts")


@contextmanager
def parts_of(target: Path, fingerprint: dict[str, Any], *, resume: bool, overwrite: bool) -> Iterator[Parts]:
    """The parts that are there and fit; removed once the body is through, kept for another run if it is not.

    Args:
        target: The result.
        fingerprint: What decides over the packets.
        resume: Whether to go on after parts that fit; others are removed.
        overwrite: Whether to remove all.

    Raises:
        OutputError: If there are parts that fit and neither was asked for, or nothing can be written there.
    """
    folder = parts_folder(target)
    if folder.is_symlink():
        raise OutputError(f"{shown(folder)} is a link, and parts are kept in a folder of their own: remove it")
    parts = Parts(target, fingerprint)
    if parts.num_frames and not (resume or overwrite):
        raise OutputError(
            f"an earlier run got as far as frame {parts.num_frames} of {shown(target)}: pass --resume to go on, or "
            "--overwrite to begin anew"
        )
    if not resume or not parts.num_frames:
        parts.remove()
    make_folder(parts.folder, called=target)
    try:
        yield parts
    except BaseException:
        if not parts.num_frames:
            parts.remove()
        raise
    parts.remove()
