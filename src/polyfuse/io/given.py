"""What a caller may give as a picture, beside a path: content of a file, Pillow's pictures, arrays of many types."""

import io
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from polyfuse.errors import InputError
from polyfuse.io.channels import ALPHA_NOTE
from polyfuse.io.header import DEFAULT_MAX_PIXELS
from polyfuse.io.orientation import apply_orientation, valid_orientation
from polyfuse.io.picture import Picture, check_pixels
from polyfuse.io.raster import decode_raster
from polyfuse.io.read import read_open, read_picture
from polyfuse.io.source import decoding, reason

_EXIF_ORIENTATION = 0x0112
_SIGNED = ("int8", "int16")
"""Types of which float32 holds every value, and whose black and white nobody knows."""


def as_picture(
    source: object,
    name: str,
    *,
    has_range: bool = False,
    page: int = 0,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    strict: bool = False,
) -> Picture:
    """Read or wrap a source.

    A file's content is read as the file would be, Pillow's pictures as they show: alpha dropped, palettes looked up,
    upright. Arrays go through `plain_array`; floats become float32.

    Args:
        source: A path, bytes, a binary file object, a picture of Pillow's, an array or what NumPy makes an array of; a
            `Picture` stays as it is.
        name: What messages call it.
        has_range: Whether the caller says which values are black and white: int8 and int16 are taken then, as float32.
        page: Which page of a TIFF, from 0.
        max_pixels: Largest width times height of what is decoded.
        strict: Refuse JPEGs whose scans are damaged.

    Raises:
        InputError: If it is no picture.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | os.PathLike):
        return read_picture(source, page=page, max_pixels=max_pixels, strict=strict)
    if isinstance(source, Image.Image):
        return _from_pillow(source, name, max_pixels)
    if isinstance(source, bytes | bytearray | memoryview) or hasattr(source, "read"):
        content = io.BytesIO(_content(source, name))
        return read_open(content, name, page=page, max_pixels=max_pixels, strict=strict)
    array, notes = plain_array(source, name)
    if array.dtype.kind == "f" and array.dtype != np.float32:
        notes += (f"{array.dtype.itemsize * 8}-bit floats read as 32-bit",)
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is refused as such
            array = array.astype(np.float32)
    elif array.dtype.name in _SIGNED:
        if not has_range:
            raise InputError(
                f"{name} holds {array.dtype} values, of which no type says what is black: state a range, "
                f"{'range_b' if name == 'b' else 'range'}='LO,HI' or 'percentile'"
            )
        notes += (f"{array.dtype} values read as 32-bit floats",)
        array = array.astype(np.float32)
    check_pixels(array, name)
    return Picture(np.ascontiguousarray(array), notes=notes)


def plain_array(source: object, name: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """An array of a picture's shape in the machine's byte order, values as they are, and notes.

    (H, W, 1) is grey; of (H, W, 4) the fourth channel is dropped, as alpha of a file; bool becomes 0 and 255.

    Args:
        source: An array, or an object that NumPy can ask for one.
        name: What messages call it.

    Raises:
        InputError: If it is no array, has another shape, or some values are masked.
    """
    if not hasattr(source, "__array__"):
        raise InputError(f"{name} is a {type(source).__name__}: give a path, an array or a tensor.")
    if np.ma.is_masked(source):
        raise InputError(f"{name} has masked values: fill them first, for example with x.filled(0)")
    try:
        array: NDArray[Any] = np.asarray(source)
    except Exception as error:  # it is the caller's object that makes the array
        raise InputError(
            f"{name} is a {type(source).__name__} that gives no array ({reason(error)}): give one that does"
        ) from error
    notes: tuple[str, ...] = ()
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    elif array.ndim == 3 and array.shape[2] == 4:
        array, notes = array[..., :3], (ALPHA_NOTE,)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise InputError(f"{name} has shape {array.shape}: give (height, width) grey or (height, width, 3) RGB")
    if array.dtype == np.bool_:
        array, notes = array * np.uint8(255), (*notes, "two levels read as 0 and 255")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)  # torch has no longer one
    return array, notes


def is_plain(source: object) -> bool:
    """Whether a source is pixels, not something to be read or decoded first."""
    decoded = (str, os.PathLike, Image.Image, bytes, bytearray, memoryview)
    return not isinstance(source, decoded) and not hasattr(source, "read")


def _from_pillow(image: Image.Image, name: str, max_pixels: int) -> Picture:
    """The picture as Pillow shows it, in its depth, upright."""
    if 0 in image.size:
        raise InputError(f"{name} is {image.width}x{image.height} and has no pixels: give at least 1x1")
    if image.width * image.height > max_pixels:
        raise InputError(f"{name} is {image.width}x{image.height}, more than {max_pixels} pixels: raise max_pixels")
    with decoding(name, "a picture of Pillow's"):
        array, notes = decode_raster(image, name)
        orientation = valid_orientation(image.getexif().get(_EXIF_ORIENTATION, 1))
    if orientation != 1:
        notes += (f"EXIF orientation {orientation} applied",)
    return Picture(np.ascontiguousarray(apply_orientation(array, orientation)), notes=notes)


def _content(source: Any, name: str) -> bytes:
    """What bytes or a file object hold, the object from where it stands."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    try:
        content = source.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{name} is a file object that cannot be read ({error}): open it anew") from error
    if not isinstance(content, bytes | bytearray | memoryview):
        raise InputError(f"{name} is a file object that gives {type(content).__name__}: open it with mode 'rb'")
    return bytes(content)
