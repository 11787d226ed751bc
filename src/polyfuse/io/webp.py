"""The header of a WebP file: size and orientation without Pillow, whose opening already reserves the whole canvas."""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from polyfuse.errors import InputError
from polyfuse.io.orientation import exif_orientation
from polyfuse.io.source import shown

_MAX_EXIF = 1 << 20


@dataclass(frozen=True)
class WebpLayout:
    """What the chunks of a WebP file say before any pixel is decoded."""

    width: int
    height: int
    orientation: int
    num_frames: int


def read_layout(file: BinaryIO, path: str | os.PathLike[str]) -> WebpLayout:
    """Walk the chunks of a WebP file.

    Raises:
        InputError: If none of them gives a size.
    Source: RFC 9649, sections 2.5 to 2.7.
    """
    size: tuple[int, int] | None = None
    orientation, num_frames = 1, 0
    position = 12
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            break
        kind, length = struct.unpack("<4sI", head)
        if kind in (b"VP8X", b"VP8 ", b"VP8L"):
            size = size or _canvas(kind, file.read(10))
        elif kind == b"EXIF" and length <= _MAX_EXIF:
            orientation = exif_orientation(file.read(length))
        elif kind == b"ANMF":
            num_frames += 1
        position += 8 + length + (length & 1)
    if size is None:
        raise InputError(f"{shown(path)} is a damaged WEBP without a size: get the file again")
    return WebpLayout(*size, orientation, max(1, num_frames))


def _canvas(kind: bytes, data: bytes) -> tuple[int, int] | None:
    """Width and height from the head of a size-giving chunk."""
    if kind == b"VP8X" and len(data) >= 10:
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and data[:1] == b"\x2f" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    return None
