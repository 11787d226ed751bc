"""A picture as a browser shows it: 8 bits, in a format that every browser reads, and a small copy for grids."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from polyfuse.errors import InputError
from polyfuse.io import Picture, read_picture
from polyfuse.io.channels import GREY_NOTE
from polyfuse.io.source import read_bytes_of, shown
from polyfuse.transforms import luma, measure_range, parse_range, quantise, to_unit

MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
"""Formats whose files go into a page as they are."""
THUMBNAIL = 480
"""Longest side of a small copy, pixels."""
_QUALITY = 86
"""Of the JPEGs of small copies."""
_MAX_BYTES = 1 << 31
"""Of a file that goes into a page."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a page has of one picture."""

    pixels: NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) RGB, as it is shown."""
    content: bytes
    """A file that a browser reads; the file itself where it is one."""
    media_type: str
    """"image/png", "image/jpeg" or "image/webp"."""
    note: str = ""
    """What was done to show it: where black and white are in a picture of more than 8 bits."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


def read_shown(path: Path, *, max_pixels: int) -> Shown:
    """Read a picture for a page.

    8-bit PNG, JPEG and WebP files go in byte by byte. Others become PNG: 16 bits and floats by the range that `fuse`
    would choose (grey of 16 bits between its percentiles 0.5 and 99.5, else the whole range of the type), upright.

    Raises:
        InputError: If it cannot be read.
    """
    picture = read_picture(path, max_pixels=max_pixels)
    if picture.depth == 8 and picture.format in MEDIA_TYPES and set(picture.notes) <= {GREY_NOTE}:
        return Shown(picture.array, read_bytes_of(path, _MAX_BYTES, what="picture"), MEDIA_TYPES[picture.format])
    pixels, note = levels_of(picture)
    return Shown(pixels, png_bytes(pixels), "image/png", note)


def levels_of(picture: Picture) -> tuple[NDArray[np.uint8], str]:
    """The pixels in 8 bits, and what was done to get them."""
    if picture.depth == 8:
        return picture.array, ""
    window = measure_range(picture.array, parse_range("auto"), name=shown(picture.path or "the picture"))
    pixels: NDArray[np.uint8] = quantise(to_unit(picture.array, window), 8)
    return pixels, f"{picture.depth} bits, shown with 8: black is {window.low:g}, white {window.high:g}"


def png_bytes(pixels: NDArray[np.uint8], *, compress_level: int = 6) -> bytes:
    """A PNG file of (H, W) or (H, W, 3)."""
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG", compress_level=compress_level)
    return content.getvalue()


def thumbnail_bytes(pixels: NDArray[np.uint8], side: int = THUMBNAIL) -> bytes:
    """A JPEG file of a small copy, no side longer than `side`."""
    picture, content = Image.fromarray(pixels), BytesIO()
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2)
    picture.save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()


def grey_of(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Luma in [0, 1], (H, W), not rounded."""
    unit = pixels.astype(np.float64) / 255
    return unit if unit.ndim == 2 else luma(unit)


def check_same_size(name: str, one: Shown, path: Path, other: Shown) -> None:
    """Refuse a picture of another size than the first source.

    Raises:
        InputError: Naming it, its size and the size it should have.
    """
    if one.size != other.size:
        (width, height), (other_width, other_height) = one.size, other.size
        raise InputError(
            f"{name}: {shown(path)} is {other_width}x{other_height} and the first source {width}x{height}: "
            "bring them to one size"
        )
