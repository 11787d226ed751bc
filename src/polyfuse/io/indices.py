"""Pictures whose values are no light: masks of class indices, and a PNG whose fourth channel is a second source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError
from polyfuse.io import png
from polyfuse.io.channels import collapse_grey
from polyfuse.io.header import DEFAULT_MAX_PIXELS, Header, read_header
from polyfuse.io.picture import Picture
from polyfuse.io.raster import STRICTNESS, open_raster
from polyfuse.io.read import read_open
from polyfuse.io.source import decoding, open_source, shown

_LOSSY = ("JPEG", "WEBP")


def read_indices(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[Any]:
    """Read a mask of class indices, one a pixel.

    `read_picture` is for light: it looks up palettes and makes 0 and 255 of single bits. Here a palette picture gives
    its indices, a picture of one bit 0 and 1, and grey its values as they are.

    Args:
        path: A PNG, BMP or TIFF of one channel, or of three equal ones.
        max_pixels: Largest width times height accepted, checked before decoding.

    Returns:
        (H, W) uint8 or uint16.

    Raises:
        InputError: If it cannot be read, is a JPEG or WebP (which change values), or holds colours or fractions.
    """
    with open_source(path, what="mask") as file:
        header = read_header(file, path, page=0, max_pixels=max_pixels)
        if header.format in _LOSSY:
            raise InputError(f"{shown(path)} is a {header.format}, which changes class indices: save the mask as PNG")
        plain = _single_channel(file, path, header) if header.format in ("PNG", "BMP") else None
        values = read_open(file, path, page=0, max_pixels=max_pixels).array if plain is None else plain
    if values.ndim != 2:
        raise InputError(f"{shown(path)} holds colours, not class indices: save one number a pixel, as grey or palette")
    if values.dtype.kind != "u":
        raise InputError(f"{shown(path)} holds {values.dtype} values, not class indices: save whole numbers")
    return values


def _single_channel(file: BinaryIO, path: str | os.PathLike[str], header: Header) -> NDArray[Any] | None:
    """Values of a palette or of single bits, which `read_picture` would turn into light; None for other kinds."""
    with decoding(path, header.format):
        image = open_raster(file, header.format)
        if image.mode not in ("P", "1"):
            return None
        if header.png_layout is not None:
            png.check_checksums(file, path)
            image = open_raster(file, header.format)
        with STRICTNESS.hold():
            image.load()
        return np.asarray(image).astype(np.uint8)


def read_four_channels(
    path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> tuple[Picture, Picture]:
    """Read a PNG that holds a visible picture in its three colours and an infrared one where others have alpha.

    Args:
        path: A PNG of four channels of 8 bits.
        max_pixels: Largest width times height accepted, checked before decoding.

    Returns:
        The infrared picture, (H, W), and the visible one, (H, W, 3) or (H, W) where its channels are equal.

    Raises:
        InputError: If it cannot be read or is no PNG of four channels.
    """
    with open_source(path) as file:
        header = read_header(file, path, page=0, max_pixels=max_pixels)
        if header.format != "PNG":
            raise InputError(f"{shown(path)} is a {header.format}: give a PNG of four channels")
        with decoding(path, header.format):
            png.check_checksums(file, path)
            image = open_raster(file, header.format)
            if image.mode != "RGBA" or header.depth != 8:
                raise InputError(
                    f"{shown(path)} does not hold four channels of 8 bits: give red, green, blue and infrared"
                )
            with STRICTNESS.hold():
                image.load()
            values = np.asarray(image)
    visible, _ = collapse_grey(np.ascontiguousarray(values[..., :3]))
    name = Path(path)
    return Picture(np.ascontiguousarray(values[..., 3]), name), Picture(visible, name)
