"""TIFF pages through tifffile, which keeps every depth; through Pillow only where that narrows nothing.

tifffile reads uncompressed and deflate by itself and the rest with imagecodecs (the extra `imaging`). It leaves the
orientation tag alone; Pillow applies it while decoding.
"""

import logging
import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from polyfuse.errors import DependencyError, InputError
from polyfuse.io.channels import ALPHA_NOTE, collapse_grey
from polyfuse.io.chatter import caught_chatter
from polyfuse.io.orientation import valid_orientation
from polyfuse.io.parts import part_size
from polyfuse.io.raster import decode_raster
from polyfuse.io.source import shown

_ORIENTATION_TAG = 274
_READ_AHEAD_BYTES = 1 << 24
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 1, 2, 3, 5, 6
_JPEG_COMPRESSIONS = (6, 7)
_LERC = 34887
_LARGEST_BLOCK = 32
_READ_PHOTOMETRICS = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE)


@dataclass(frozen=True)
class TiffLayout:
    """What a page's tags say before any pixel is decoded."""

    width: int
    height: int
    orientation: int
    num_pages: int
    depth: int
    """Bits of a decoded value: 8, 16, 32, or 0 if values of this type are not read."""
    is_colour: bool
    largest_part: int
    """Rows of the largest strip or tile, which is decoded as a whole, times its columns."""


class _LogCatcher(logging.Handler):
    """Collects what tifffile logs on this thread; with a handler in place nothing of it reaches stderr."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep errors: tifffile reports some damage only there and fills in zeros."""
        if record.thread == self._thread and record.levelno >= logging.ERROR:
            self.errors.append(record.getMessage())


@contextmanager
def _open_page(file: BinaryIO, path: str | os.PathLike[str], page: int) -> Iterator[tuple[tifffile.TiffPage, int]]:
    """Open one page; yields it with the number of pages. Damage that tifffile only logs is an error."""
    catcher = _LogCatcher()
    logger = logging.getLogger("tifffile")
    logger.addHandler(catcher)
    try:
        file.seek(0)
        with tifffile.TiffFile(file) as tiff:
            num_pages = len(tiff.pages)
            if not 0 <= page < num_pages:
                raise InputError(f"{shown(path)} has {num_pages} pages: page {page} must lie in 0 to {num_pages - 1}")
            tiff_page = tiff.pages[page]
            if not isinstance(tiff_page, tifffile.TiffPage):
                raise ValueError("page without tags")
            yield tiff_page, num_pages
        if catcher.errors:
            raise ValueError(catcher.errors[0])
    finally:
        logger.removeHandler(catcher)


def read_layout(file: BinaryIO, path: str | os.PathLike[str], page: int) -> TiffLayout:
    """Read one page's size and orientation.

    Raises:
        InputError: If there is no such page.
    """
    with _open_page(file, path, page) as (tiff_page, num_pages):
        orientation = valid_orientation(tiff_page.tags.valueof(_ORIENTATION_TAG, 1))
        return TiffLayout(
            width=int(tiff_page.imagewidth),
            height=int(tiff_page.imagelength),
            orientation=orientation,
            num_pages=num_pages,
            depth=_decoded_depth(tiff_page),
            is_colour=tiff_page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) or tiff_page.samplesperpixel > 2,
            largest_part=int(tiff_page.tilewidth) * int(tiff_page.tilelength) if tiff_page.is_tiled else 0,
        )


def _decoded_depth(page: tifffile.TiffPage) -> int:
    """Bits of a value once it is decoded."""
    kind = "" if page.dtype is None else page.dtype.name
    if page.photometric == _PALETTE:
        return 8 if page.colormap is None else int(_palette_colours(page).dtype.itemsize) * 8
    return {"bool": 8, "uint8": 8, "uint16": 16, "float16": 32, "float32": 32, "float64": 32}.get(kind, 0)


def decode_tiff(file: BinaryIO, path: str | os.PathLike[str], page: int) -> tuple[NDArray[Any], tuple[str, ...], bool]:
    """Decode one page.

    Returns:
        (H, W) or (H, W, 3) array, uint8, uint16 or float32; the notes; whether the orientation was already applied.

    Raises:
        InputError: If the page is cut short or its pixels are of a type or colour that is not read.
        DependencyError: If its codec is missing and Pillow would narrow it.
    """
    with _open_page(file, path, page) as (tiff_page, _):
        _check_kind(tiff_page, path)
        _check_complete(tiff_page, file, path)
        _check_parts(tiff_page, file, path)
        if not _tifffile_can(tiff_page):
            _check_pillow_can(tiff_page, path)
            array, notes = _through_pillow(file, path, page, (tiff_page.imagewidth, tiff_page.imagelength))
            return array, notes, True
        array, notes = _samples(tiff_page, path)
        array, kind_notes = _to_picture_type(array, tiff_page)
        array, grey_notes = collapse_grey(array)
        return array, notes + kind_notes + grey_notes, False


def _check_kind(page: tifffile.TiffPage, path: str | os.PathLike[str]) -> None:
    """Refuse colours, types and channel counts that cannot be read without loss."""
    name = shown(path)
    if page.photometric not in (*_READ_PHOTOMETRICS, _SEPARATED, _YCBCR):
        kind = getattr(page.photometric, "name", page.photometric)
        raise InputError(f"{name} is a {kind} TIFF: convert it to grey or RGB")
    if page.imagedepth != 1:
        raise InputError(f"{name} is a volume in one page: save its slices as pages")
    if page.samplesperpixel > 4:
        raise InputError(f"{name} has {page.samplesperpixel} channels: give a grey or RGB picture")
    kind = "none" if page.dtype is None else page.dtype.name
    if kind not in ("bool", "uint8", "uint16", "float16", "float32", "float64"):
        raise InputError(
            f"{name} holds {kind} values, and polyfuse reads 8- and 16-bit unsigned integers and floats: convert it"
        )


def _check_complete(page: tifffile.TiffPage, file: BinaryIO, path: str | os.PathLike[str]) -> None:
    """Refuse a file that ends before its last strip or tile."""
    size = file.seek(0, os.SEEK_END)
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    too_few = len(ends) < math.prod(page.chunked)
    if page.compression == 1 and page.is_contiguous:
        too_few = sum(page.databytecounts) < page.nbytes
    if too_few or max(ends, default=0) > size:
        raise InputError(f"{shown(path)} ends early, the TIFF is cut short: get the file again")


def _check_parts(page: tifffile.TiffPage, file: BinaryIO, path: str | os.PathLike[str]) -> None:
    """Refuse strips and tiles that are pictures of their own and say that they are larger than their place.

    Their decoders give as many pixels as the part declares, whatever the page does.
    """
    if page.compression not in {*tifffile.TIFF.IMAGE_COMPRESSIONS, _LERC}:
        return
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    # Encoders round the last strip up to whole blocks.
    most = (_rounded(columns), _rounded(min(rows, max(page.imagelength, page.tilelength))))
    for offset, num_bytes in zip(page.dataoffsets, page.databytecounts, strict=False):
        if num_bytes == 0:
            continue
        file.seek(offset)
        width, height = part_size(file.read(num_bytes), path)
        if width > most[0] or height > most[1]:
            raise InputError(
                f"{shown(path)} is a damaged TIFF, a part of {width}x{height} stands where {columns}x{rows} is: "
                "get the file again"
            )


def _rounded(length: int) -> int:
    """The next multiple of the largest block of a JPEG."""
    return -(-length // _LARGEST_BLOCK) * _LARGEST_BLOCK


def _tifffile_can(page: tifffile.TiffPage) -> bool:
    """Whether tifffile decodes this page to grey, RGB or palette with the codecs at hand."""
    if page.photometric == _YCBCR:
        if page.compression not in _JPEG_COMPRESSIONS:
            return False
    elif page.photometric not in _READ_PHOTOMETRICS:
        return False
    if page.compression not in tifffile.TIFF.DECOMPRESSORS or page.predictor not in tifffile.TIFF.UNPREDICTORS:
        return False
    return page.bitspersample in (1, 8, 16, 32, 64) or _has_imagecodecs()


def _has_imagecodecs() -> bool:
    """Whether tifffile has the package that unpacks odd bit counts."""
    try:
        import imagecodecs  # noqa: F401
    except ImportError:
        return False
    return True


def _check_pillow_can(page: tifffile.TiffPage, path: str | os.PathLike[str]) -> None:
    """Raise unless Pillow reads the page without narrowing it and without its own size limit.

    8 bits at most, or one channel of 16 bits or 32-bit float: Pillow makes 8 bits of 16-bit colour without a word.
    """
    limit = Image.MAX_IMAGE_PIXELS
    small = limit is None or page.imagewidth * page.imagelength <= limit
    deep = page.bitspersample in (16, 32) and page.samplesperpixel == 1
    if small and (page.bitspersample in (1, 2, 4, 8) or deep):
        return
    codec = getattr(page.compression, "name", page.compression)
    raise DependencyError(
        f"{shown(path)} is a {page.bitspersample}-bit TIFF ({codec}, {page.imagewidth}x{page.imagelength}) that needs "
        'imagecodecs: pip install "polyfuse[imaging]"'
    )


def _through_pillow(
    file: BinaryIO, path: str | os.PathLike[str], page: int, size: tuple[int, int]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Decode a page with Pillow, which also turns it upright."""
    file.seek(0)
    # From memory: libtiff maps files, and one that is cut while it is decoded would end the process.
    content = BytesIO(file.read())
    with caught_chatter() as lines, warnings.catch_warnings():
        # Tags that are not as they should be: what they mean for the pixels was found by tifffile.
        warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")
        image = TiffImageFile(content)
        image.seek(page)
        decoded = decode_raster(image, path, (size, size[::-1]))
    if lines:
        raise ValueError(lines[0])
    return decoded


def _samples(page: tifffile.TiffPage, path: str | os.PathLike[str]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Grey or RGB samples of a page in their own type; palettes looked up, further channels dropped with a note."""
    # One worker, so that what tifffile logs is logged on this thread; a small read-ahead instead of its 256 MiB.
    array = page.asarray(squeeze=False, maxworkers=1, buffersize=_READ_AHEAD_BYTES)
    planes, _, height, width, samples = array.shape
    array = array.reshape(planes, height, width, samples)
    num_channels = planes * samples
    array = array[0] if planes == 1 else np.moveaxis(array[..., 0], 0, 2)
    if page.photometric == _PALETTE:
        return _palette_colours(page)[array[..., 0]], () if num_channels == 1 else (ALPHA_NOTE,)
    if num_channels == 3:
        return np.ascontiguousarray(array), () if page.photometric != _BLACK_IS_ZERO else (
            "three channels read as RGB",
        )
    if num_channels == 4:
        return np.ascontiguousarray(array[..., :3]), (ALPHA_NOTE,)
    if page.photometric in (_RGB, _YCBCR):
        raise InputError(f"{shown(path)} is a colour TIFF with {num_channels} channels: give a grey or RGB picture")
    return np.ascontiguousarray(array[..., 0]), () if num_channels == 1 else (ALPHA_NOTE,)


def _palette_colours(page: tifffile.TiffPage) -> NDArray[Any]:
    """(entries, 3) colours: 8-bit unless the palette needs more. TIFF stores all palettes with 16 bits."""
    if page.colormap is None:
        raise ValueError("palette missing")
    colours = np.ascontiguousarray(np.asarray(page.colormap, np.uint16).T)
    if colours.max() <= 255:
        return colours.astype(np.uint8)
    if not (colours & 255).any() or not (colours % 257).any():
        return (colours >> 8).astype(np.uint8)
    return colours


def _to_picture_type(array: NDArray[Any], page: tifffile.TiffPage) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Bring samples to uint8, uint16 or float32 without losing levels; white-is-zero is inverted."""
    notes: tuple[str, ...] = ()
    bits = page.bitspersample
    if array.dtype.kind == "f":
        if array.dtype != np.float32:
            notes = (f"{array.dtype.itemsize * 8}-bit floats read as 32-bit",)
            with np.errstate(over="ignore", invalid="ignore"):
                array = array.astype(np.float32)
    elif page.photometric != _PALETTE and bits < 8:
        # Every level of 1, 2 and 4 bits has an exact place in 0..255, as in PNG.
        array = (array.astype(np.uint16) * 255 // (2**bits - 1)).astype(np.uint8)
        bits = 8
    elif page.photometric != _PALETTE and 8 < bits < 16:
        notes = (f"{bits}-bit values kept as they are in 16 bits",)
    if page.photometric == _WHITE_IS_ZERO and array.dtype.kind != "f":
        array = np.subtract(array.dtype.type(2**bits - 1), array, dtype=array.dtype)
    return array, notes
