"""FLIR's radiometric JPEG: raw plane, constants, visible picture, and how the one lies on the other."""

from __future__ import annotations

import io
import os
import struct

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment import Warp
from polyfuse.errors import DependencyError, InputError
from polyfuse.io import Picture
from polyfuse.io.read import read_open
from polyfuse.io.source import decoding, shown
from polyfuse.radiometric.blocks import Record
from polyfuse.radiometric.temperature import Calibration
from polyfuse.transforms import merge

_PIXELS_AT = 0x20
"""Where the picture begins in a record that holds one."""
_PNG, _JPEG = b"\x89PNG", b"\xff\xd8"
_BLACK, _BORDER_SHARE = 24, 0.02
"""Level of 255 up to which an outer row counts as black, and the share of a side that makes such rows a border."""
_MAX_SIDE = 1 << 14


def raw_plane(record: Record, path: str | os.PathLike[str]) -> NDArray[np.uint16]:
    """The raw counts, (H, W): plain numbers, or a PNG whose bytes are the wrong way round in most cameras.

    Raises:
        InputError: If they are cut short, or of a kind that is not read.
    """
    try:
        width, height = int(record.number("H", 2)), int(record.number("H", 4))
    except ValueError as error:
        raise InputError(f"{shown(path)}: {error}: get the file again") from error
    content = record.content[_PIXELS_AT:]
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise InputError(f"{shown(path)} says that its raw plane is {width}x{height}, it is damaged: get it again")
    if content.startswith(_PNG):
        with decoding(path, "its raw plane"):
            picture = read_open(io.BytesIO(content), path, page=0, max_pixels=width * height)
        plane = picture.array
        if plane.dtype != np.uint16 or plane.shape != (height, width):
            raise InputError(f"{shown(path)} holds a raw plane of another kind than it says: get the file again")
        swapped = plane.byteswap()
        # Neighbours of a scene differ little; with their bytes exchanged they jump over the whole range.
        return swapped if _roughness(swapped) < _roughness(plane) else plane
    if content.startswith(_JPEG):
        # Its own header is looked at first: decoders take room for whatever it says.
        unpacked = _lossless_jpeg(content, path) if content[7:11] == struct.pack(">HH", height, width) else None
        if unpacked is None or unpacked.dtype != np.uint16 or unpacked.shape != (height, width):
            raise InputError(f"{shown(path)} holds a raw plane of another kind than it says: get the file again")
        return unpacked
    if len(content) < 2 * width * height:
        raise InputError(f"{shown(path)}: its raw plane of {width}x{height} is cut short: get the file again")
    kind = np.dtype(np.uint16).newbyteorder(record.order)  # type: ignore[arg-type]  # "<" and ">" are what it takes
    return np.frombuffer(content, kind, width * height).reshape(height, width).astype(np.uint16)


def _lossless_jpeg(content: bytes, path: str | os.PathLike[str]) -> NDArray[np.uint16]:
    """A plane in JPEG-LS, as recordings have it that were compressed in the camera.

    Raises:
        DependencyError: If imagecodecs is missing.
    """
    try:
        import imagecodecs
    except ImportError as error:
        raise DependencyError(
            f'{shown(path)} is compressed (JPEG-LS), which needs imagecodecs: pip install "polyfuse[imaging]"'
        ) from error
    with decoding(path, "JPEG-LS"):
        return np.asarray(imagecodecs.jpegls_decode(content))


def _roughness(plane: NDArray[np.uint16]) -> float:
    """Mean difference of neighbours along the rows."""
    return float(np.abs(np.diff(plane.astype(np.float64), axis=1)).mean()) if plane.shape[1] > 1 else 0.0


def calibration(record: Record, path: str | os.PathLike[str]) -> Calibration:
    """The constants of the camera's record.

    Raises:
        InputError: If one is absurd, or the record is cut short.
    """
    try:
        humidity = record.number("f", 0x3C)
        return Calibration(
            r1=record.number("f", 0x58),
            b=record.number("f", 0x5C),
            f=record.number("f", 0x60),
            o=record.number("i", 0x308),
            r2=record.number("f", 0x30C),
            emissivity=record.number("f", 0x20),
            distance=record.number("f", 0x24),
            reflected=record.number("f", 0x28),
            air=record.number("f", 0x2C),
            window=record.number("f", 0x30),
            window_transmission=record.number("f", 0x34),
            humidity=humidity / 100 if humidity > 2 else humidity,  # some write percents
            alpha1=record.number("f", 0x70),
            alpha2=record.number("f", 0x74),
            beta1=record.number("f", 0x78),
            beta2=record.number("f", 0x7C),
            x=record.number("f", 0x80),
        )
    except (InputError, ValueError) as error:
        raise InputError(f"{shown(path)} cannot be used, {_advised(error)}") from error


def _advised(error: Exception) -> str:
    text = str(error)
    return text if isinstance(error, InputError) else f"{text}: get the file again"


def visible(record: Record, path: str | os.PathLike[str], max_pixels: int) -> Picture:
    """The picture of the second camera; some older cameras store luma and chroma as if they were red, green and blue.

    Raises:
        InputError: If it cannot be read.
    """
    content = record.content[_PIXELS_AT:]
    if not content.startswith((_PNG, _JPEG)):
        raise InputError(f"{shown(path)} holds a visible picture of a kind that is not read: give it as a second file")
    name = f"the visible picture in {shown(path)}"
    picture = read_open(io.BytesIO(content), name, page=0, max_pixels=max_pixels)
    if content.startswith(_PNG) and _is_luma_and_chroma(picture.array):
        values = picture.array.astype(np.float32) / np.float32(255)
        y, cb, cr = values[..., 0], values[..., 1] - np.float32(128 / 255), values[..., 2] - np.float32(128 / 255)
        rgb = np.rint(merge(y, cb, cr, "full", "clip") * 255).astype(np.uint8)
        return Picture(rgb, None, picture.sha256, picture.format, (*picture.notes, "YCbCr stored as RGB, converted"))
    return picture


def _is_luma_and_chroma(array: NDArray[np.uint8]) -> bool:
    """Whether the second and third channel of a picture are chroma: near the middle, far calmer than the first."""
    if array.ndim != 3 or array.dtype != np.uint8:
        return False
    spread = array.std(axis=(0, 1))
    means = array.mean(axis=(0, 1))
    return bool((np.abs(means[1:] - 128) < 32).all() and (spread[1:] < spread[0] / 2).all())


def without_border(picture: Picture) -> tuple[Picture, tuple[int, int]]:
    """A visible picture without the black border that some cameras put around it, and what was cut at left and top."""
    luma = picture.array if picture.is_grey else picture.array.max(axis=2)
    bright = luma > _BLACK
    rows, columns = np.flatnonzero(bright.mean(axis=1) > 0.02), np.flatnonzero(bright.mean(axis=0) > 0.02)
    if len(rows) == 0 or len(columns) == 0:
        return picture, (0, 0)
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    least = _BORDER_SHARE * min(picture.width, picture.height)
    if min(top, left, picture.height - bottom, picture.width - right) < least:
        return picture, (0, 0)
    array = np.ascontiguousarray(picture.array[top:bottom, left:right])
    note = f"black border cut off, {picture.width}x{picture.height} to {array.shape[1]}x{array.shape[0]}"
    return Picture(array, None, picture.sha256, picture.format, (*picture.notes, note)), (left, top)


def pip_warp(
    record: Record | None,
    raw_size: tuple[int, int],
    visible_size: tuple[int, int],
    cut: tuple[int, int],
    cut_size: tuple[int, int],
) -> Warp | None:
    """How the raw plane lies on the visible picture, by what the camera says of its picture in picture.

    The visible picture at `Real2IR` times the width of the raw plane has the plane's scale; the plane's centre lies at
    its centre plus the offset. Found to fit on the files at hand; none of it says how far away the scene is.

    Args:
        record: The camera's picture in picture; None if there is none.
        raw_size: Width and height of the raw plane.
        visible_size: Those of the visible picture as it is stored.
        cut: What was cut from it at left and top.
        cut_size: Width and height that are left.

    Returns:
        The warp; None where the camera says nothing that could be true.
    """
    try:
        ratio = 0.0 if record is None else struct.unpack_from("<f", record.content, 0)[0]
        right, down = (0, 0) if record is None else struct.unpack_from("<2h", record.content, 4)
    except struct.error:
        return None
    if not 0.2 <= ratio <= 20 or max(abs(right), abs(down)) > 4 * max(raw_size):
        return None
    scale = visible_size[0] / (raw_size[0] * ratio)
    shifts = [
        (visible - 1) / 2 - gone + scale * (offset - (raw - 1) / 2)
        for visible, gone, offset, raw in zip(visible_size, cut, (right, down), raw_size, strict=True)
    ]
    matrix = np.array([[scale, 0, shifts[0]], [0, scale, shifts[1]], [0, 0, 1]])
    details = {"Real2IR": ratio, "OffsetX": right, "OffsetY": down}
    return Warp(matrix, raw_size, cut_size, "similarity", found="picture in picture of the camera", details=details)
