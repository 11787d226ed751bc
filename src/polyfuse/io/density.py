"""How many pixels a file of some bytes can hold, so that a few hundred bytes cannot ask for gigabytes.

The limits are what the codecs can do, so that nearly no real file is refused:

- deflate (PNG, most TIFFs) makes at most 1032 bytes of one, 258 bytes from two bits;
- a JPEG with Huffman codes spends at least one bit on 64 pixels, which is 512 pixels a byte;
- uncompressed bitmaps hold at most 8 pixels of one bit in a byte;
- all else may hold `DENSEST` pixels a byte, those of a 1-bit picture under deflate.

A blank page needs next to nothing under WebP, CCITT or Zstandard, so pictures up to `ALWAYS_READ` pixels are read from
files of any size.
"""

import os

from polyfuse.errors import InputError
from polyfuse.io.source import shown

DEFLATE = 1032
"""Bytes that deflate makes of one byte at most. Source: zlib, technical details."""
DENSEST = 8.0 * DEFLATE
"""Pixels a byte of formats without a limit of their own."""
JPEG = 512.0
"""Pixels a byte of a JPEG with Huffman codes: progressive, one bit for the mean of a block, nothing else."""
BITMAP = 8.0
"""Pixels a byte of an uncompressed bitmap."""
ALWAYS_READ = 2**24
"""Pixels that any file may declare: 16.8 million, about 0.1 GB while it is read."""


def check_density(path: str | os.PathLike[str], width: int, height: int, num_bytes: int, per_byte: float) -> None:
    """Refuse a file that declares more pixels than its bytes can hold.

    Args:
        path: The file, for the message.
        width: Columns it declares.
        height: Rows it declares.
        num_bytes: Its size.
        per_byte: Pixels that a byte of its format can hold.

    Raises:
        InputError: With both sizes.
    """
    if width * height > max(ALWAYS_READ, num_bytes * per_byte):
        raise InputError(
            f"{shown(path)} declares {width}x{height} pixels and has {num_bytes} bytes, which cannot hold them: "
            "get the file again"
        )
