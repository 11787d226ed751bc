"""Reading one picture: limits first, then pixels in the file's own depth, upright, each step with a note."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from polyfuse.errors import InputError
from polyfuse.io import png
from polyfuse.io.channels import ALPHA_NOTE, GREY_NOTE, collapse_grey
from polyfuse.io.damage import DAMAGE_NOTE, is_damaged
from polyfuse.io.header import DEFAULT_MAX_PIXELS, Header, read_header
from polyfuse.io.orientation import apply_orientation
from polyfuse.io.picture import Picture, Stamp
from polyfuse.io.raster import decode_raster, open_raster
from polyfuse.io.source import decoding, open_source, shown, suffix_note
from polyfuse.io.tiff import decode_tiff


def read_picture(
    path: str | os.PathLike[str], *, page: int = 0, max_pixels: int = DEFAULT_MAX_PIXELS, strict: bool = False
) -> Picture:
    """Read a PNG, JPEG, TIFF, BMP or WebP file, by content and not by suffix.

    The depth is the file's: 8 or 16 bits or 32-bit float, never narrowed (64-bit floats become 32-bit, with a note).
    Alpha is dropped, palettes are looked up, 1-bit becomes 0 and 255, the EXIF orientation is applied once, and colour
    whose three channels are equal becomes one channel. Each leaves a note. Peak memory is about twice the picture.

    Args:
        path: A picture file.
        page: Which page of a TIFF, from 0; 0 for all other formats.
        max_pixels: Largest width times height accepted, checked before decoding.
        strict: Refuse JPEGs whose scans are damaged, parts of which are filled in otherwise, with a note.

    Returns:
        The picture, (H, W) or (H, W, 3), with the digest of the file.

    Raises:
        InputError: If the file is missing, no picture, damaged, too large, or of a type that is not read.
        DependencyError: If it needs a package of the extra `imaging`.
    """
    with open_source(path) as file:
        stamp = Stamp.of(file.fileno())  # before its content, so that what is written meanwhile is seen later
        picture = read_open(file, path, page=page, max_pixels=max_pixels, strict=strict)
    first = suffix_note(Path(path), str(picture.format))
    return replace(picture, path=Path(path), notes=((first,) if first else ()) + picture.notes, stamp=stamp)


def read_open(
    file: BinaryIO, name: str | os.PathLike[str], *, page: int, max_pixels: int, strict: bool = False
) -> Picture:
    """Read a picture from an open file, which can be sought in; `name` is what messages call it. See `read_picture`."""
    header = read_header(file, name, page=page, max_pixels=max_pixels)
    with decoding(name, header.format):
        array, notes = _decode(file, name, header, page)
    if strict and DAMAGE_NOTE in notes:
        raise InputError(f"{shown(name)} is read with --strict, and {DAMAGE_NOTE}")
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any that can be read
    return Picture(array, None, digest, header.format, notes)


def _decode(
    file: BinaryIO, path: str | os.PathLike[str], header: Header, page: int
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Pixels, upright, and the notes."""
    turned = False
    stored = header.stored_width, header.stored_height
    notes: tuple[str, ...]
    if header.format == "TIFF":
        array, notes, turned = decode_tiff(file, path, page)
        if header.num_pages > 1:
            notes = (f"page {page} of {header.num_pages}", *notes)
    else:
        if header.png_layout is not None:
            png.check_checksums(file, path)
        if header.png_layout is not None and header.png_layout.needs_opencv:
            array, notes = collapse_grey(png.decode_wide_colour(file, path, header.png_layout))
            notes = (ALPHA_NOTE, *notes) if header.png_layout.has_transparency else notes
        else:
            array, notes = decode_raster(open_raster(file, header.format), path, (stored,))
        if header.format == "JPEG":
            file.seek(0)
            notes += (DAMAGE_NOTE,) if is_damaged(file.read()) else ()
        if header.num_pages > 1:
            notes = (f"frame 0 of {header.num_pages}", *notes)
    _check_declared(array, path, header, turned=turned, is_equal=GREY_NOTE in notes)
    if header.orientation != 1:
        notes += (f"EXIF orientation {header.orientation} applied",)
    return array if turned else apply_orientation(array, header.orientation), notes


def _check_declared(
    array: NDArray[Any], path: str | os.PathLike[str], header: Header, *, turned: bool, is_equal: bool
) -> None:
    """Refuse pixels that are not what the header declared: two readers of one file understood it differently.

    Args:
        array: What was decoded.
        path: The file, for the message.
        header: What the limits were held against.
        turned: Whether the pixels are upright already.
        is_equal: Whether three equal channels became one.
    """
    size = header.size if turned else (header.stored_width, header.stored_height)
    is_colour = array.ndim == 3 or is_equal
    if array.shape[1::-1] != size or array.dtype.itemsize * 8 != header.depth or is_colour != header.is_colour:
        declared = f"{size[0]}x{size[1]} {_kind(header.is_colour, header.depth)}"
        decoded = f"{array.shape[1]}x{array.shape[0]} {_kind(is_colour, array.dtype.itemsize * 8)}"
        raise InputError(f"{shown(path)} declares {declared} and holds {decoded}, it is damaged: get the file again")


def _kind(is_colour: bool, depth: int) -> str:
    """Kind of pixels in words."""
    return f"{'colour' if is_colour else 'grey'} of {depth} bits"
