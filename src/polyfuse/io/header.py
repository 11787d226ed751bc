"""What a file's header says: format, size, orientation. Nothing is decoded, so limits hold before memory is spent."""

import math
import os
from dataclasses import dataclass
from typing import BinaryIO

from polyfuse.errors import InputError
from polyfuse.io import jpeg, png, tiff, webp
from polyfuse.io.density import BITMAP, DENSEST, check_density
from polyfuse.io.orientation import exif_orientation, swaps_sides
from polyfuse.io.raster import open_raster
from polyfuse.io.source import decoding, open_source, shown, sniff_format

DEFAULT_MAX_PIXELS = 2**28
"""Largest picture read unless asked otherwise: 268 megapixels, 0.8 GB as 8-bit RGB."""


class TooLargeError(InputError):
    """A picture with more pixels than are wanted, seen before anything of it is decoded."""


@dataclass(frozen=True)
class Header:
    """Size and orientation of one page of a picture file."""

    format: str
    stored_width: int
    stored_height: int
    orientation: int
    """1 to 8, as EXIF counts them."""
    depth: int
    """Bits of a decoded value: 8, 16 or 32; 0 if values of this type are not read."""
    is_colour: bool
    """Whether its pixels have three colours, which may be equal everywhere."""
    num_pages: int = 1
    """Pages of a TIFF, frames of an animation."""
    png_layout: png.PngLayout | None = None
    """Further facts, for PNG only."""
    pixels_per_byte: float = DENSEST
    """Pixels that a byte of this file can hold."""
    largest_part: int = 0
    """Pixels of a tile, where the file is cut into tiles."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        if swaps_sides(self.orientation):
            return self.stored_height, self.stored_width
        return self.stored_width, self.stored_height


def read_header(file: BinaryIO, path: str | os.PathLike[str], *, page: int, max_pixels: int) -> Header:
    """Read the header of an open file and hold it against the limits.

    Raises:
        InputError: If it is no picture, damaged, without pixels, larger than `max_pixels`, or has no such page.
    """
    format_name = sniff_format(file, path)
    with decoding(path, format_name):
        header = _parse(file, path, format_name, page)
    name = shown(path)
    if format_name != "TIFF" and page != 0:
        raise InputError(f"{name} is a {format_name} with one page: page {page} must be 0")
    width, height = header.size
    if width <= 0 or height <= 0:
        raise InputError(f"{name} is {width}x{height} and has no pixels: give at least 1x1")
    if max(width * height, header.largest_part) > max_pixels:
        raise TooLargeError(
            f"{name} is {width}x{height} = {width * height} pixels, more than the limit of {max_pixels}: "
            "raise it with --max-pixels if you trust the file"
        )
    num_bytes = file.seek(0, os.SEEK_END)
    check_density(path, width, height, num_bytes, header.pixels_per_byte)
    side = math.isqrt(header.largest_part)
    check_density(path, side, side, num_bytes, header.pixels_per_byte)
    return header


def _parse(file: BinaryIO, path: str | os.PathLike[str], format_name: str, page: int) -> Header:
    """Read the header of a file whose format is known."""
    if format_name == "PNG":
        layout = png.read_layout(file, path)
        return Header(
            "PNG", layout.width, layout.height, layout.orientation,
            depth=16 if layout.bit_depth == 16 else 8, is_colour=layout.is_colour, num_pages=layout.num_frames,
            png_layout=layout, pixels_per_byte=layout.pixels_per_byte,
        )  # fmt: skip
    if format_name == "WEBP":
        canvas = webp.read_layout(file, path)
        return Header(
            "WEBP", canvas.width, canvas.height, canvas.orientation, 8, is_colour=True, num_pages=canvas.num_frames
        )
    if format_name == "TIFF":
        page_layout = tiff.read_layout(file, path, page)
        return Header(
            "TIFF", page_layout.width, page_layout.height, page_layout.orientation,
            depth=page_layout.depth, is_colour=page_layout.is_colour, num_pages=page_layout.num_pages,
            largest_part=page_layout.largest_part,
        )  # fmt: skip
    image = open_raster(file, format_name)
    is_colour = image.mode not in ("1", "L")
    if format_name == "BMP":
        per_byte = DENSEST if image.info.get("compression") in (1, 2) else BITMAP
        return Header("BMP", *image.size, 1, 8, is_colour, pixels_per_byte=per_byte)
    frame = jpeg.read_layout(file, path)
    orientation = exif_orientation(image.info.get("exif"))
    return Header("JPEG", frame.width, frame.height, orientation, 8, is_colour, pixels_per_byte=frame.pixels_per_byte)


def peek_size(path: str | os.PathLike[str], *, page: int = 0, max_pixels: int = DEFAULT_MAX_PIXELS) -> tuple[int, int]:
    """Width and height of a picture file as it will be read: upright. Decodes nothing.

    Args:
        path: A picture file.
        page: Which page of a TIFF, from 0.
        max_pixels: Largest width times height accepted.

    Raises:
        InputError: As `read_picture` does for a bad header.
    """
    with open_source(path) as file:
        return read_header(file, path, page=page, max_pixels=max_pixels).size
