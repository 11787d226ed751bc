"""Size of a picture within a picture: the strips and tiles of a TIFF may be JPEGs or other files of their own."""

import os
from io import BytesIO

from polyfuse.errors import InputError
from polyfuse.io import jpeg, webp
from polyfuse.io.source import shown

_CODESTREAM = b"\xff\x4f\xff\x51"
_PNG = b"\x89PNG\r\n\x1a\n"


def part_size(data: bytes, path: str | os.PathLike[str]) -> tuple[int, int]:
    """Width and height that one strip or tile declares.

    Args:
        data: Its bytes: a JPEG, JPEG 2000, PNG or WebP.
        path: The TIFF, for messages.

    Raises:
        InputError: If it is none of these, so that its size could be known only by decoding it.
    """
    if data.startswith(b"\xff\xd8"):
        layout = jpeg.read_layout(BytesIO(data), path)
        return layout.width, layout.height
    if data.startswith(_PNG) and data[12:16] == b"IHDR":
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[:4] == b"RIFF":
        canvas = webp.read_layout(BytesIO(data), path)
        return canvas.width, canvas.height
    start = data.find(_CODESTREAM)
    if start >= 0:  # the SIZ segment: length, capabilities, then right, bottom, left and top on the grid
        right, bottom, left, top = (int.from_bytes(data[at : at + 4], "big") for at in range(start + 8, start + 24, 4))
        return right - left, bottom - top
    raise InputError(f"{shown(path)} is a TIFF with a compression that is not read: save it with deflate or LZW")
