"""What camera makers put into a JPEG beside the picture: FLIR's file within the file, DJI's plane of raw counts."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from polyfuse.errors import InputError
from polyfuse.io import jpeg
from polyfuse.io.source import shown

_APP1, _APP3, _APP4 = 0xE1, 0xE3, 0xE4
_FLIR, _EXIF = b"FLIR\x00", b"Exif\x00\x00"
_CHUNK_HEAD = 8
"""Bytes before the content of a chunk: the mark, a version, its number and that of the last."""
_FULL_SEGMENT = 65532
"""Bytes of a segment that is followed by another of the same plane."""
_PLANES = {640 * 512: (640, 512), 1280 * 1024: (1280, 1024), 336 * 256: (336, 256), 160 * 120: (160, 120)}
"""Counts of pixels by which DJI's planes are told, as their blocks name no size."""

RAW, EMBEDDED, CAMERA, PIP = _USED = 0x01, 0x0E, 0x20, 0x2A
"""Types of FLIR's records: raw plane, visible picture, constants, how the one lies on the other.

Source: the tag tables that ExifTool documents (FLIR FFF)."""
_MAX_RECORDS = 256


@dataclass(frozen=True)
class Blocks:
    """What was found in one JPEG; parts that it lacks are empty."""

    flir: bytes
    """FLIR's file, its chunks put together."""
    dji: bytes
    """DJI's plane of raw counts, 16 bits each, low byte first."""
    exif: bytes
    """The EXIF block, as a TIFF structure."""


def read_blocks(file: BinaryIO, path: str | os.PathLike[str]) -> Blocks:
    """Collect the blocks of an open JPEG.

    Raises:
        InputError: If a chunk of FLIR's file is missing or cut short.
    """
    chunks: dict[int, bytes] = {}
    last, exif = -1, b""
    planes: dict[int, list[bytes]] = {_APP3: [], _APP4: []}
    for marker, _, content in jpeg.segments(file):
        if marker == _APP1 and content.startswith(_FLIR) and len(content) >= _CHUNK_HEAD:
            chunks.setdefault(content[6], content[_CHUNK_HEAD:])
            last = max(last, content[7])
        elif marker == _APP1 and content.startswith(_EXIF) and not exif:
            exif = content.removeprefix(_EXIF)
        elif marker in planes:
            planes[marker].append(content)
    if chunks and sorted(chunks) != list(range(max(last, max(chunks)) + 1)):
        raise InputError(f"{shown(path)} lacks parts of its thermal data, it is damaged: get the file again")
    flir = b"".join(chunks[number] for number in sorted(chunks))
    dji = next((plane for parts in planes.values() if (plane := _plane(parts))), b"")
    return Blocks(flir, dji, exif)


def _plane(parts: list[bytes]) -> bytes:
    """The segments of one marker as DJI's plane; empty if they make none."""
    if len(parts) < 2 or any(len(part) != _FULL_SEGMENT for part in parts[:-1]):
        return b""
    plane = b"".join(parts)
    return plane if len(plane) // 2 in _PLANES and len(plane) % 2 == 0 else b""


def plane_size(plane: bytes) -> tuple[int, int]:
    """Width and height of DJI's plane, which its number of pixels tells."""
    return _PLANES[len(plane) // 2]


@dataclass(frozen=True)
class Record:
    """One record of FLIR's file."""

    kind: int
    content: bytes

    @property
    def order(self) -> str:
        """Byte order of its numbers, for struct: records begin with a small number in it."""
        return "<" if len(self.content) > 1 and self.content[1] == 0 else ">"

    def number(self, kind: str, place: int) -> float:
        """A number of one of struct's kinds.

        Raises:
            ValueError: If the record ends before it.
        """
        try:
            (value,) = struct.unpack_from(self.order + kind, self.content, place)
        except struct.error as error:
            raise ValueError("a record of its thermal data ends early") from error
        return float(value)

    def text(self, place: int, length: int) -> str:
        """Text of at most `length` characters; empty if there is none."""
        return self.content[place : place + length].split(b"\x00")[0].decode("latin-1").strip()


def flir_records(flir: bytes, path: str | os.PathLike[str]) -> dict[int, Record]:
    """The records of FLIR's file that are used, by their type, the first of each.

    Raises:
        InputError: If it is damaged.
    """
    damaged = InputError(f"{shown(path)} holds thermal data that are damaged or cut short: get the file again")
    if len(flir) < 64 or flir[:4] not in (b"FFF\x00", b"AFF\x00"):
        raise damaged
    for order in "<>":
        version, directory, number = struct.unpack_from(order + "III", flir, 0x14)
        if 100 <= version < 200:
            break
    else:
        raise damaged
    if number > _MAX_RECORDS or directory + 32 * number > len(flir):
        raise damaged
    records: dict[int, Record] = {}
    for index in range(number):
        kind, _, _, _, start, length = struct.unpack_from(order + "HHIIII", flir, directory + 32 * index)
        if kind not in _USED or length == 0 or kind in records:
            continue
        if start + length > len(flir):
            raise damaged
        records[kind] = Record(kind, flir[start : start + length])
    return records
