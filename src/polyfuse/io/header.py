"""What a file's header says: format, size, orientation. Nothing is decoded, so limits hold before memory is spent."""

import os
from dataclasses import dataclass
from typing import BinaryIO

from polyfuse.errors import InputError
from polyfuse.io import png, tiff, webp
from polyfuse.io.orientation import exif_orientation, swaps_sides
from polyfuse.io.raster import open_raster
from polyfuse.io.source import decoding, open_source, shown, sniff_format

DEFAULT_MAX_PIXELS = 2**28
"""Largest picture read unless asked otherwise: 268 megapixels, 0.8 GB as 8-bit RGB."""


@dataclass(frozen=True)
class Header:
    """Size and orientation of one page of a picture file."""

    format: str
    stored_width: int
    stored_height: int
    orientation: int
    """1 to 8, as EXIF counts them."""
    num_pages: int = 1
    """Pages of a TIFF, frames of an animation."""
    png_layout: png.PngLayout | None = None
    """Further facts, for PNG only."""

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
    if width * height > max_pixels:
        raise InputError(
            f"{name} is {width}x{height} = {width * height} pixels, more than the limit of {max_pixels}: "
            "raise it with --max-pixels if you trust the file"
        )
    return header


def _parse(file: BinaryIO, path: str | os.PathLike[str], format_name: str, page: int) -> Header:
    """Read the header of a file whose format is known."""
    if format_name == "PNG":
        png_layout = png.read_layout(file, path)
        return Header(
            "PNG", png_layout.width, png_layout.height, png_layout.orientation, png_layout.num_frames, png_layout
        )
    if format_name == "WEBP":
        webp_layout = webp.read_layout(file, path)
        return Header("WEBP", webp_layout.width, webp_layout.height, webp_layout.orientation, webp_layout.num_frames)
    if format_name == "TIFF":
        tiff_layout = tiff.read_layout(file, path, page)
        return Header("TIFF", tiff_layout.width, tiff_layout.height, tiff_layout.orientation, tiff_layout.num_pages)
    image = open_raster(file, format_name)
    return Header(format_name, *image.size, exif_orientation(image.info.get("exif")))


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
