"""EXIF orientation: read from the raw EXIF block and applied exactly once, by this file and by no library.

Pillow leaves it to the caller for PNG, JPEG and WebP but applies it by itself for TIFF; OpenCV applies it or not by
flag; tifffile never does. An aligned pair falls apart when its sources go through different readers, so we do it.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ORIENTATION_TAG = 274
_SHORT = 3


def exif_orientation(block: bytes | None) -> int:
    """Read the orientation of an EXIF block.

    Args:
        block: A TIFF structure, with or without the leading "Exif" marker; None when the file has none.

    Returns:
        1 to 8; 1 (upright) when the block is missing, damaged, or does not say.
    Source: Exif 2.32, section 4.6.4.
    """
    if not block:
        return 1
    tiff = block.removeprefix(b"Exif\x00\x00")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (num_entries,) = struct.unpack_from(order + "H", tiff, offset)
        for index in range(num_entries):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, offset + 2 + 12 * index)
            if tag == _ORIENTATION_TAG and kind == _SHORT:
                return valid_orientation(value)
    except struct.error:
        return 1
    return 1


def valid_orientation(value: object) -> int:
    """Pass 1 to 8 through; anything else in the tag counts as upright."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def swaps_sides(orientation: int) -> bool:
    """Whether the upright picture is as wide as the stored one is high."""
    return orientation >= 5


def apply_orientation(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn the stored rows and columns upright.

    Args:
        array: (H, W) or (H, W, C).
        orientation: 1 to 8, as EXIF counts them.

    Returns:
        C-contiguous array; the same object for 1.
    """
    if orientation >= 5:
        array = np.swapaxes(array, 0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)
