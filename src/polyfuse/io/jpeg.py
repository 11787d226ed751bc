"""What the markers of a JPEG say before anything is decoded."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from polyfuse.errors import InputError
from polyfuse.io.density import DENSEST, JPEG
from polyfuse.io.source import shown

_NO_LENGTH = (0x01, 0xD8, *range(0xD0, 0xD8))
FRAMES = tuple(code for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC))
_SCAN, _END = 0xDA, 0xD9
_ARITHMETIC_FROM = 0xC9


@dataclass(frozen=True)
class JpegLayout:
    """What the frame header of a JPEG says."""

    width: int
    height: int
    num_components: int
    marker: int
    """0xC0 baseline, 0xC2 progressive, 0xC9 and more with arithmetic codes."""
    position: int
    """Where the data of the frame header start, after its length."""

    @property
    def pixels_per_byte(self) -> float:
        """Pixels that a byte can hold."""
        return DENSEST if self.marker >= _ARITHMETIC_FROM else JPEG


def segments(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """(marker, position of its data, data) of every segment up to the first scan, whose own header is the last."""
    file.seek(2)
    while head := file.read(2):
        if len(head) < 2 or head[0] != 0xFF or head[1] in (0x00, 0xFF):
            file.seek(1 - len(head), os.SEEK_CUR)  # decoders skip such bytes too
            continue
        if head[1] == _END:
            return
        if head[1] in _NO_LENGTH:
            continue
        length = int.from_bytes(file.read(2), "big")
        position = file.tell()
        yield head[1], position, file.read(max(0, length - 2))
        if head[1] == _SCAN:
            return


def read_layout(file: BinaryIO, path: str | os.PathLike[str]) -> JpegLayout:
    """Read the frame header.

    Args:
        file: A JPEG, or as much of it as holds all before its first scan.
        path: The file it is from, for messages.

    Raises:
        InputError: If there is none, or more than one: decoders differ in which of them they believe.
    """
    layouts = [
        JpegLayout(
            width=int.from_bytes(data[3:5], "big"),
            height=int.from_bytes(data[1:3], "big"),
            num_components=data[5],
            marker=marker,
            position=position,
        )
        for marker, position, data in segments(file)
        if marker in FRAMES and len(data) >= 6
    ]
    if len(layouts) != 1:
        what = "more than one header" if layouts else "no header"
        raise InputError(f"{shown(path)} is a damaged JPEG with {what}: get the file again")
    return layouts[0]
