"""Builders of files that no library here writes: PNGs chunk by chunk, EXIF blocks."""

import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

Chunk = tuple[bytes, bytes]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    """Bytes of a PNG of (H, W) or (H, W, channels) samples; `before` and `after` are chunks around the pixels."""

    def build(samples: NDArray[np.generic], before: Sequence[Chunk] = (), after: Sequence[Chunk] = ()) -> bytes:
        height, width = samples.shape[:2]
        channels = 1 if samples.ndim == 2 else samples.shape[2]
        color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
        bits = samples.dtype.itemsize * 8
        rows = samples.reshape(height, -1).astype(samples.dtype.newbyteorder(">"))
        raw = b"".join(b"\x00" + row.tobytes() for row in rows)
        chunks = [
            (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)),
            *before,
            (b"IDAT", zlib.compress(raw)),
            *after,
            (b"IEND", b""),
        ]
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)

    return build


@pytest.fixture(scope="session")
def make_exif() -> Callable[[int], bytes]:
    """A minimal big-endian EXIF block that holds nothing but an orientation."""

    def build(orientation: int) -> bytes:
        return b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)

    return build
