"""What an MP4 or MOV file says of its samples, before FFmpeg makes an index of them: it takes any number for granted.

Two bytes of such a file can stand for billions of samples, at 24 bytes of memory each. Every sample has a byte of its
own, but for a few empty ones of subtitles.

Source: ISO/IEC 14496-12, sections 4.2, 8.6.1, 8.7.3, 8.8.8.
"""

import os
from typing import BinaryIO

from polyfuse.errors import InputError
from polyfuse.io.source import shown

_ALWAYS_INDEXED = 1_000_000
"""Samples that any file may declare: 24 MB of index."""
_HOLDING = frozenset(
    b"moov trak mdia minf stbl moof traf mvex edts udta tref dinf wave gmhd ilst meta sinf schi cmov rmra rmda".split()
)
_DEEPEST = 12


def check_boxes(file: BinaryIO, path: str | os.PathLike[str]) -> None:
    """Refuse an MP4 or MOV file that declares more samples than its bytes can hold; any other file passes.

    Raises:
        InputError: If it does.
    """
    num_bytes = file.seek(0, os.SEEK_END)
    counts: dict[bytes, int] = {}
    _walk(file, 0, num_bytes, counts, 0)
    if counts and max(counts.values()) > max(_ALWAYS_INDEXED, num_bytes):
        raise InputError(
            f"{shown(path)} declares {max(counts.values())} samples and has {num_bytes} bytes, which cannot hold them: "
            "get the clip again"
        )


def _walk(file: BinaryIO, position: int, end: int, counts: dict[bytes, int], depth: int) -> None:
    """Add up the samples that the boxes from `position` to `end` declare, by the kind of box."""
    while position + 8 <= end:
        file.seek(position)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        begin = position + (16 if size == 1 else 8)
        size = int.from_bytes(head[8:16], "big") if size == 1 else size or end - position
        if size < begin - position or not kind.isalnum():
            return
        last = min(position + size, end)
        if kind in _HOLDING and depth < _DEEPEST:
            _walk(file, begin, last, counts, depth + 1)
        elif kind in _COUNTERS:
            file.seek(begin)
            counts[kind] = counts.get(kind, 0) + _COUNTERS[kind](file, last - begin)
        position += size


def _trun(file: BinaryIO, num_bytes: int) -> int:
    """Samples of a run in a fragment."""
    return int.from_bytes(file.read(8)[4:], "big")


def _sizes(file: BinaryIO, num_bytes: int) -> int:
    """Samples of a table of sizes, which has one entry for all where they are equal."""
    return int.from_bytes(file.read(12)[8:], "big")


def _times(file: BinaryIO, num_bytes: int) -> int:
    """Samples of a table of (samples, duration)."""
    num_entries = min(int.from_bytes(file.read(8)[4:], "big"), max(0, num_bytes - 8) // 8)
    entries = file.read(8 * num_entries)
    return sum(int.from_bytes(entries[at : at + 4], "big") for at in range(0, len(entries), 8))


_COUNTERS = {b"trun": _trun, b"stsz": _sizes, b"stz2": _sizes, b"stts": _times, b"ctts": _times}
