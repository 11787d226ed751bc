"""Pillow's formats into arrays: 8-bit PNG, JPEG, BMP, WebP, 16-bit grey PNG, and TIFFs whose codec only Pillow has.

Pillow's plug-ins are called directly and not through `Image.open`: size limits are ours (checked before this file is
reached), so the process-wide `Image.MAX_IMAGE_PIXELS` need not be touched and its warning cannot appear.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from polyfuse.errors import InputError
from polyfuse.io.channels import ALPHA_NOTE, gather_bands, rows_per_band
from polyfuse.io.source import shown


class _JpegFile(JpegImageFile):
    """Pillow's JPEG plug-in, but without looking for a resolution in the EXIF block: damaged ones make it warn."""

    def _read_dpi_from_exif(self) -> None:
        pass


_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": _JpegFile,
    "BMP": BmpImageFile,
    "WEBP": WebPImageFile,
}
_CONVERTED_MODES = ("CMYK", "YCbCr")
_ALPHA_MODES = ("LA", "PA", "RGBA", "RGBX")
_WIDE_GREY_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
_READ_MODES = ("1", "L", "P", "RGB", "F", *_ALPHA_MODES, *_WIDE_GREY_MODES, *_CONVERTED_MODES)


def open_raster(file: BinaryIO, format_name: str) -> ImageFile.ImageFile:
    """Open a picture's header with the Pillow plug-in of its true format."""
    file.seek(0)
    return _PLUGINS[format_name](file)


class _Strictness:
    """Keeps Pillow from padding cut files with grey while at least one read is under way.

    `ImageFile.LOAD_TRUNCATED_IMAGES` is a process-wide switch that training code often turns on; it is put back when
    the last of our concurrent reads has ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_readers = 0
        self._before = False

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self._lock:
            if self._num_readers == 0:
                self._before = ImageFile.LOAD_TRUNCATED_IMAGES
                ImageFile.LOAD_TRUNCATED_IMAGES = False
            self._num_readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_readers -= 1
                if self._num_readers == 0:
                    ImageFile.LOAD_TRUNCATED_IMAGES = self._before


STRICTNESS = _Strictness()


def decode_raster(
    image: Image.Image, path: str | os.PathLike[str], sizes: Sequence[tuple[int, int]] | None = None
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Decode an opened picture, as stored (not turned upright).

    Never through `convert("L")` or `convert("RGB")` of a 16-bit mode: those clip at 255.

    Args:
        image: What `open_raster` gave.
        path: The file, for messages.
        sizes: Width and height that the limits were held against, in all turns that may come out of the
            decoder; None where `image` itself was looked at.

    Returns:
        (H, W) or (H, W, 3) array, uint8, uint16 or float32, and the notes. Memory: Pillow's buffer and the array.

    Raises:
        InputError: If the pixels are of a kind that is not read, or of another size.
    """
    if sizes is not None and image.size not in sizes:
        raise InputError(f"{shown(path)} contradicts itself about its size, it is damaged: get the file again")
    if image.mode not in _READ_MODES:
        raise InputError(f"{shown(path)} holds {image.mode} pixels: convert the picture to grey or RGB")
    with STRICTNESS.hold():
        image.load()
    notes: tuple[str, ...] = ()
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        notes += (ALPHA_NOTE,)
    if image.mode in _CONVERTED_MODES:
        notes += (f"{image.mode} converted to RGB",)
    array, grey_notes = gather_bands(_bands(image), image.height, image.width)
    return array, notes + grey_notes


def _bands(image: Image.Image) -> Iterator[NDArray[Any]]:
    """The pixels in bands of rows: one `np.asarray` of the whole would hold them three times for a moment."""
    palette = _palette(image)
    step = rows_per_band(image.width, 4)
    for top in range(0, image.height, step):
        band = image.crop((0, top, image.width, min(top + step, image.height)))
        if band.mode in _CONVERTED_MODES:
            band = band.convert("RGB")
        yield _band_values(np.asarray(band), band.mode, palette)


def _palette(image: Image.Image) -> NDArray[np.uint8] | None:
    """(256, 3) colours of a palette picture; entries it does not define are black."""
    if image.mode not in ("P", "PA"):
        return None
    colours = np.zeros((256, 3), np.uint8)
    values = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    colours[: len(values)] = values
    return colours


def _band_values(values: NDArray[Any], mode: str, palette: NDArray[np.uint8] | None) -> NDArray[Any]:
    """Grey or RGB values of a band in one of `_READ_MODES`."""
    if mode == "1":
        return values.astype(np.uint8) * np.uint8(255)
    if mode in _WIDE_GREY_MODES:
        return values.astype(np.uint16)
    if palette is not None:
        indices: NDArray[Any] = values if mode == "P" else values[..., 0]
        colours: NDArray[Any] = palette[indices]
        return colours
    if mode in _ALPHA_MODES:
        return values[..., 0] if mode == "LA" else values[..., :3]
    return values
