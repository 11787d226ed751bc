"""What must be known of a PNG beyond Pillow: its true depth, its checksums, and its 16-bit colour.

Pillow opens 16-bit colour and 16-bit grey with alpha as 8 bits without a word, never looks at the checksum of the pixel
chunks, and needs a full decode to find an EXIF block that follows the pixels.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError, InputError
from polyfuse.io.chatter import caught_chatter
from polyfuse.io.density import DEFLATE
from polyfuse.io.orientation import exif_orientation
from polyfuse.io.source import shown

_SIGNATURE_LENGTH = 8
_BLOCK = 1 << 20
_MAX_CHUNK = 2**31 - 1
_MAX_EXIF = 1 << 20
_ACTL_LENGTH = 8
_GREY = 0
_PALETTE = 3
_GREY_ALPHA = 4
_RGB_ALPHA = 6
_CHANNELS = {_GREY: 1, 2: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGB_ALPHA: 4}


@dataclass(frozen=True)
class PngLayout:
    """What the chunks of a PNG say before any pixel is decoded."""

    width: int
    height: int
    bit_depth: int
    color_type: int
    orientation: int
    has_transparency: bool
    num_frames: int

    @property
    def needs_opencv(self) -> bool:
        """16 bits with more than one channel: Pillow would give 8 bits."""
        return self.bit_depth == 16 and self.color_type != _GREY

    @property
    def is_colour(self) -> bool:
        """Whether its pixels have three colours, directly or by a palette."""
        return self.color_type not in (_GREY, _GREY_ALPHA)

    @property
    def pixels_per_byte(self) -> float:
        """Pixels that a byte can hold."""
        return 8 * DEFLATE / max(1, self.bit_depth * _CHANNELS.get(self.color_type, 1))


def _chunks(file: BinaryIO, path: str | os.PathLike[str]) -> Iterator[tuple[bytes, int]]:
    """Walk the chunks up to IEND; yields (type, length) with the file standing at the chunk's data."""
    position = _SIGNATURE_LENGTH
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            raise InputError(f"{shown(path)} ends early, the PNG is cut short: get the file again")
        length, kind = struct.unpack(">I4s", head)
        if length > _MAX_CHUNK:
            raise InputError(f"{shown(path)} is a damaged PNG, a chunk has no sensible length: get the file again")
        yield kind, length
        if kind == b"IEND":
            return
        position += 12 + length


def read_layout(file: BinaryIO, path: str | os.PathLike[str]) -> PngLayout:
    """Read size, depth and orientation from the chunks, without decoding pixels.

    Raises:
        InputError: If the file ends early, does not begin with a header chunk, or has a second one: decoders differ in
            which of the two they believe.
    """
    header = b""
    orientation, transparency, num_frames = 1, False, 0
    for kind, length in _chunks(file, path):
        if kind == b"IHDR":
            if header:
                raise InputError(f"{shown(path)} is a damaged PNG with more than one header: get the file again")
            header = file.read(length) if length == 13 else b""
        elif not header:
            break
        elif kind == b"eXIf" and length <= _MAX_EXIF:
            orientation = exif_orientation(file.read(length))
        elif kind == b"tRNS":
            transparency = True
        elif kind == b"acTL":
            if num_frames:
                raise InputError(f"{shown(path)} is a damaged PNG with two counts of frames: get the file again")
            num_frames = int.from_bytes(file.read(min(length, 4)), "big")
            if not 0 < num_frames <= _MAX_CHUNK or length != _ACTL_LENGTH:
                raise InputError(f"{shown(path)} is a damaged PNG with a wrong count of frames: get the file again")
    if len(header) < 13:
        raise InputError(f"{shown(path)} is a damaged PNG without a header: get the file again")
    width, height, bit_depth, color_type = struct.unpack(">IIBB", header[:10])
    transparency = transparency or color_type in (_GREY_ALPHA, _RGB_ALPHA)
    return PngLayout(width, height, bit_depth, color_type, orientation, transparency, max(1, num_frames))


def check_checksums(file: BinaryIO, path: str | os.PathLike[str]) -> None:
    """Compare every chunk with its CRC, in bounded memory.

    Raises:
        InputError: Naming the first chunk that does not match, or if the file ends early.
    """
    for kind, length in _chunks(file, path):
        checksum = zlib.crc32(kind)
        while length > 0:
            block = file.read(min(length, _BLOCK))
            if not block:
                raise InputError(f"{shown(path)} ends early, the PNG is cut short: get the file again")
            checksum = zlib.crc32(block, checksum)
            length -= len(block)
        if file.read(4) != checksum.to_bytes(4, "big"):
            name = kind.decode("ascii", "replace")
            raise InputError(f"{shown(path)} is a damaged PNG, the checksum of {name} is wrong: get the file again")


def decode_wide_colour(file: BinaryIO, path: str | os.PathLike[str], layout: PngLayout) -> NDArray[Any]:
    """Decode a 16-bit PNG with more than one channel, as stored: not turned, alpha dropped.

    Returns:
        (H, W, 3) uint16 RGB, or (H, W) for grey with alpha.

    Raises:
        DependencyError: If OpenCV is not installed.
        InputError: If OpenCV cannot decode it.
    """
    try:
        import cv2
    except ImportError as error:
        raise DependencyError(
            f'{shown(path)} is a 16-bit colour PNG, which needs OpenCV: pip install "polyfuse[imaging]"'
        ) from error
    # From memory and not by name: OpenCV cannot open names outside the system's code page on Windows. Read and not
    # mapped: a mapped file that is cut while it is decoded ends the process.
    file.seek(0)
    data = np.frombuffer(file.read(), np.uint8)
    # UNCHANGED is the only flag under which OpenCV keeps 16 bits; it also leaves the EXIF orientation to us.
    with caught_chatter():
        decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or (decoded.ndim == 2 and layout.is_colour):
        raise InputError(f"{shown(path)} cannot be decoded as a 16-bit PNG: the file is damaged, get it again")
    if not layout.is_colour:
        return decoded if decoded.ndim == 2 else np.ascontiguousarray(decoded[..., 0])
    colours: NDArray[Any]
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        colours = cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGB)
    else:
        colours = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded)
    return colours
