"""Writing one picture: atomic, in the depth of the array, format by suffix."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError, InputError, UsageError
from polyfuse.io.atomic import atomic_path, check_free
from polyfuse.io.picture import check_pixels
from polyfuse.io.source import SUFFIXES, shown
from polyfuse.io.tiff_exif import add_exif

_PNG_LEVEL = 2
"""zlib level for PNG. 640x480 grey: 13 ms and 191 kB; level 6 takes 31 ms for 167 kB, level 1 saves under 1 ms."""

_TIFF_LEVEL = 2
"""zlib level for TIFF. 351x376 RGB: 3.7 ms and 166 kB; level 6 takes 7.0 ms for 159 kB."""

_LARGEST_CLASSIC = 1 << 31
"""Bytes of pixels beyond which a TIFF has 64-bit offsets, and no EXIF."""

_PNG_HEAD = 33
"""Bytes of a PNG's signature and first chunk, after which its EXIF block may stand."""
_MAX_SIDE = {"JPEG": 65500, "WEBP": 16383}
_DEPTHS = {"PNG": (8, 16), "JPEG": (8,), "BMP": (8,), "WEBP": (8,), "TIFF": (8, 16, 32)}


def check_output(path: str | os.PathLike[str], *, depth: int, colour: bool, overwrite: bool = False) -> str:
    """Check, before any work, that a picture can be written under this name.

    Args:
        path: The target; its suffix chooses the format.
        depth: Bits per channel: 8, 16 or 32 (float).
        colour: Whether the picture will have three channels.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The format: "PNG", "JPEG", "TIFF", "BMP" or "WEBP".

    Raises:
        UsageError: If the suffix is unknown or its format cannot hold that depth.
        DependencyError: If that needs OpenCV and it is missing.
        OutputError: If the path exists and `overwrite` is off, or is a folder.
    """
    suffix = Path(path).suffix
    format_name = SUFFIXES.get(suffix.lower())
    if format_name is None:
        known = " ".join(SUFFIXES)
        raise UsageError(f"{shown(path)} has the unknown suffix {suffix or '(none)'}: use one of {known}")
    if depth not in _DEPTHS[format_name]:
        other = ".png or .tif, or pass" if depth == 16 else ".tif, or pass"
        kind = "16-bit" if depth == 16 else "32-bit float"
        raise UsageError(f"{shown(path)}: {format_name} cannot hold {kind} pixels: write {other} --bit-depth 8")
    if format_name == "PNG" and depth == 16 and colour and not _has_opencv():
        raise DependencyError(
            f"{shown(path)} needs OpenCV to hold 16-bit colour: write .tif, pass --bit-depth 8, "
            'or pip install "polyfuse[imaging]"'
        )
    check_free(path, overwrite=overwrite)
    return format_name


def _has_opencv() -> bool:
    """Whether 16-bit colour PNG can be written."""
    try:
        import cv2  # noqa: F401
    except ImportError:
        return False
    return True


def write_picture(
    path: str | os.PathLike[str],
    array: NDArray[Any],
    *,
    overwrite: bool = False,
    quality: int = 95,
    exif: bytes | None = None,
) -> Path:
    """Write a picture atomically: after a failure or an interruption nothing half-written remains.

    PNG holds 8 and 16 bits, TIFF (deflate) also 32-bit float, JPEG, WebP and BMP 8 bits. Nothing is converted.

    Args:
        path: The target; missing folders are made.
        array: (H, W) grey or (H, W, 3) RGB, uint8, uint16 or float32; floats finite.
        overwrite: Whether an existing file may be replaced.
        quality: 1 to 100, for JPEG and (lossy) WebP.
        exif: EXIF block, which begins with "Exif"; BMP has no place for one and is written without.

    Returns:
        The path written.

    Raises:
        InputError: If the array is no picture or holds NaN or infinity.
        UsageError: If the suffix does not fit, or the picture is too large for its format.
        DependencyError: If 16-bit colour PNG needs OpenCV.
        OutputError: If the file exists or cannot be written.
    """
    format_name = _checked(path, array, quality, overwrite=overwrite)
    array = np.ascontiguousarray(array)
    with atomic_path(path, overwrite) as temporary, open(temporary, "w+b") as file:
        _encode(file, array, format_name, quality, exif)
    return Path(path)


def encoded_picture(
    name: str | os.PathLike[str], array: NDArray[Any], *, quality: int = 95, exif: bytes | None = None
) -> bytes:
    """The bytes of the file that `write_picture` would write under this name; arguments and errors are the same.

    Args:
        name: Its suffix chooses the format; nothing is written.
        array: (H, W) grey or (H, W, 3) RGB, uint8, uint16 or float32; floats finite.
        quality: 1 to 100, for JPEG and (lossy) WebP.
        exif: EXIF block, which begins with "Exif".
    """
    format_name = _checked(name, array, quality, overwrite=True)
    content = io.BytesIO()
    _encode(content, np.ascontiguousarray(array), format_name, quality, exif)
    return content.getvalue()


def _checked(path: str | os.PathLike[str], array: NDArray[Any], quality: int, *, overwrite: bool) -> str:
    """The format for a picture, once it is sure that it can hold it; errors as of `write_picture`."""
    check_pixels(array, name=f"the picture for {shown(path)}")
    if not 1 <= quality <= 100:
        raise UsageError(f"quality {quality} is out of range: give 1 to 100")
    format_name = check_output(path, depth=array.dtype.itemsize * 8, colour=array.ndim == 3, overwrite=overwrite)
    longest = max(array.shape[:2])
    if longest > _MAX_SIDE.get(format_name, longest):
        limit = _MAX_SIDE[format_name]
        raise UsageError(f"{shown(path)}: {format_name} holds at most {limit} pixels a side: write .png or .tif")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"the picture for {shown(path)} holds NaN or infinity: nothing was written")
    return format_name


def write_measured(path: str | os.PathLike[str], plane: NDArray[np.float32], *, overwrite: bool = False) -> Path:
    """Write measured values as a TIFF of 32-bit floats, atomically; NaN stands where nothing was measured.

    Args:
        path: The target; missing folders are made.
        plane: (H, W).
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path written.

    Raises:
        OutputError: If the file exists or cannot be written.
    """
    check_free(path, overwrite=overwrite)
    with atomic_path(path, overwrite) as temporary, open(temporary, "w+b") as file:
        _encode_tiff(file, np.ascontiguousarray(plane, np.float32))
    return Path(path)


def _encode(file: BinaryIO, array: NDArray[Any], format_name: str, quality: int, exif: bytes | None) -> None:
    """Write the picture into an empty file, open for reading and writing."""
    if format_name == "TIFF":
        _encode_tiff(file, array, exif)
    elif format_name == "PNG" and array.dtype == np.uint16 and array.ndim == 3:
        _encode_wide_colour(file, array, exif)
    else:
        _encode_raster(file, array, format_name, quality, exif)


class _PlainFile:
    """A file without a descriptor, so that Pillow writes through Python.

    Given a descriptor, Pillow's C code writes itself and reports a full disk as "encoder error -2".
    """

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write
        self.seek = file.seek
        self.tell = file.tell
        self.flush = file.flush


def _encode_raster(file: BinaryIO, array: NDArray[Any], format_name: str, quality: int, exif: bytes | None) -> None:
    """PNG, JPEG, BMP and WebP through Pillow."""
    from PIL import Image

    options: dict[str, Any] = {}
    if format_name == "PNG":
        options = {"compress_level": _PNG_LEVEL}
    elif format_name == "JPEG":
        # Chroma at full resolution: halved, it bleeds over the edges the fusion has just kept sharp.
        options = {"quality": quality, "subsampling": 0}
    elif format_name == "WEBP":
        options = {"quality": quality, "lossless": False}
    if exif is not None and format_name != "BMP":
        options["exif"] = exif
    Image.fromarray(array).save(_PlainFile(file), format=format_name, **options)  # type: ignore[arg-type]


def _encode_wide_colour(file: BinaryIO, array: NDArray[Any], exif: bytes | None) -> None:
    """16-bit colour PNG through OpenCV: into memory first, as its own writing does not tell a full disk."""
    import cv2

    bgr = cv2.cvtColor(array, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    if not done:
        raise OSError("OpenCV could not encode it")
    content = data.tobytes()
    if exif is not None:
        content = content[:_PNG_HEAD] + _png_chunk(b"eXIf", exif.removeprefix(b"Exif\x00\x00")) + content[_PNG_HEAD:]
    file.write(content)


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _encode_tiff(file: BinaryIO, array: NDArray[Any], exif: bytes | None = None) -> None:
    """TIFF through tifffile: deflate, integers with the horizontal predictor, nothing that changes with the date."""
    import tifffile

    tifffile.imwrite(
        file,
        array,
        photometric="minisblack" if array.ndim == 2 else "rgb",
        compression="zlib",
        compressionargs={"level": _TIFF_LEVEL},
        predictor=array.dtype.kind == "u",
        metadata=None,
        software="polyfuse",
        maxworkers=1,
        byteorder="<",
    )
    if exif is not None and array.nbytes <= _LARGEST_CLASSIC:
        add_exif(file, exif)
