"""EXIF added to a TIFF: behind its pixels a second copy of its directory, with camera, time and position in it."""

from __future__ import annotations

import struct
from typing import BinaryIO

_DIRECTORIES = (0x8769, 0x8825)
"""EXIF and GPS: tags that point to a directory of their own."""
_HEAD = b"II\x2a\x00\x08\x00\x00\x00"
_ORIENTATION = 0x0112
_ASCII, _SHORT, _LONG = 2, 3, 4
_ENTRY = 12
_INLINE = 4
"""Bytes of a value that stand in its entry."""


def add_exif(file: BinaryIO, exif: bytes) -> None:
    """Add the tags of an EXIF block that a TIFF lacks.

    Args:
        file: A little-endian TIFF with 32-bit offsets and one picture, open for reading and writing.
        exif: A TIFF structure, with or without "Exif" before it.
    """
    from PIL import Image
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    block = Image.Exif()
    block.load(b"Exif\x00\x00" + exif.removeprefix(b"Exif\x00\x00"))
    file.seek(0)
    (first,) = struct.unpack("<4xI", file.read(8))
    file.seek(first)
    (count,) = struct.unpack("<H", file.read(2))
    listed = file.read(_ENTRY * count)
    entries = {struct.unpack_from("<H", listed, start)[0]: listed[start : start + _ENTRY]
               for start in range(0, len(listed), _ENTRY)}  # fmt: skip
    for tag, value in block.items():
        if isinstance(value, str) and tag not in entries:
            text = value.encode("utf-8") + b"\0"
            field = text.ljust(_INLINE, b"\0") if len(text) <= _INLINE else struct.pack("<I", _appended(file, text))
            entries[tag] = struct.pack("<HHI", tag, _ASCII, len(text)) + field
    if _ORIENTATION in block and _ORIENTATION not in entries:
        entries[_ORIENTATION] = struct.pack("<HHIHH", _ORIENTATION, _SHORT, 1, int(block[_ORIENTATION]), 0)
    for tag in _DIRECTORIES:
        inner = block.get_ifd(tag)
        if inner:
            directory = ImageFileDirectory_v2(_HEAD, group=tag)
            for key, value in inner.items():
                directory[key] = value
            start = _appended(file, b"")
            file.write(directory.tobytes(start))
            entries[tag] = struct.pack("<HHII", tag, _LONG, 1, start)
    content = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    start = _appended(file, content)
    file.seek(4)
    file.write(struct.pack("<I", start))


def _appended(file: BinaryIO, content: bytes) -> int:
    """Where content begins that is written at the end, at an even place."""
    start = file.seek(0, 2)
    start += file.write(bytes(start % 2))
    file.write(content)
    return start
