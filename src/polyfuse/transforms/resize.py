"""Changing a picture's size without changing its depth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from polyfuse.errors import InputError, UsageError


def resize(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resample a picture with a bicubic filter that widens with the reduction, so that nothing aliases.

    Pixel centres are at half integers, as everywhere: the outer edges of both sizes coincide. Values are computed in
    float32 (exact for 16 bits), kept inside the smallest and largest value of the picture (bicubic overshoots), and
    integers are rounded half to even.

    Args:
        array: (H, W) or (H, W, 3); uint8, uint16 or float32, finite.
        size: (height, width) wanted.

    Returns:
        (height, width) or (height, width, 3) of the same type; the array itself when it has that size.

    Raises:
        UsageError: If a side is below 1.
        InputError: If the array is no picture.
    """
    height, width = size
    if height < 1 or width < 1:
        raise UsageError(f"size {width}x{height} is empty: give at least 1x1")
    if array.ndim not in (2, 3) or array.size == 0 or array.dtype.name not in ("uint8", "uint16", "float32"):
        raise InputError(f"an array {array.shape} of {array.dtype} cannot be resized: give uint8, uint16 or float32")
    if array.shape[:2] == (height, width):
        return array
    if array.ndim == 2:
        return _resize_plane(array, height, width)
    result = np.empty((height, width, array.shape[2]), array.dtype)
    for channel in range(array.shape[2]):
        result[..., channel] = _resize_plane(array[..., channel], height, width)
    return result


def _resize_plane(plane: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """One channel, through Pillow's float mode: its 8-bit modes round between the two passes, 16-bit ones clip."""
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    values = np.array(image.resize((width, height), Image.Resampling.BICUBIC))
    np.clip(values, np.float32(plane.min()), np.float32(plane.max()), out=values)
    return values if plane.dtype == np.float32 else np.rint(values).astype(plane.dtype)
