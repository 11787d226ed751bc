"""Grey saved as colour: recognised by content, band by band, so that a large picture is never held twice."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

GREY_NOTE = "three equal channels read as grey"
ALPHA_NOTE = "alpha channel ignored"
_BAND_VALUES = 1 << 21


def rows_per_band(width: int, channels: int) -> int:
    """How many rows make a band of a few megabytes."""
    return max(1, _BAND_VALUES // max(1, width * channels))


def has_equal_channels(array: NDArray[Any]) -> bool:
    """Whether an (H, W, 3) array holds grey: R = G = B everywhere."""
    step = rows_per_band(array.shape[1], 3)
    for start in range(0, array.shape[0], step):
        band = array[start : start + step]
        if not (np.array_equal(band[..., 0], band[..., 1]) and np.array_equal(band[..., 0], band[..., 2])):
            return False
    return True


def collapse_grey(array: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Turn grey saved as RGB into one channel.

    Args:
        array: (H, W) or (H, W, 3).

    Returns:
        The array, (H, W) when its channels are equal, and the notes.
    """
    if array.ndim == 3 and has_equal_channels(array):
        return np.ascontiguousarray(array[..., 0]), (GREY_NOTE,)
    return array, ()


def gather_bands(bands: Iterable[NDArray[Any]], height: int, width: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Put the bands of a picture together, in one channel for as long as they are grey.

    Args:
        bands: (rows, W) or (rows, W, 3), top to bottom, all of one type.
        height: Rows in all.
        width: Columns.

    Returns:
        The picture, (H, W) or (H, W, 3), C-contiguous, and the notes.
    """
    picture: NDArray[Any] | None = None
    was_colour = False
    row = 0
    for band in bands:
        if band.ndim == 3:
            was_colour = True
            if (picture is None or picture.ndim == 2) and has_equal_channels(band):
                band = band[..., 0]
        if picture is None:
            picture = np.empty((height, width, *band.shape[2:]), band.dtype)
        elif band.ndim > picture.ndim:
            picture = _as_colour(picture, row)
        picture[row : row + band.shape[0]] = band
        row += band.shape[0]
    if picture is None:
        raise ValueError("no rows")
    return picture, ((GREY_NOTE,) if was_colour and picture.ndim == 2 else ())


def _as_colour(grey: NDArray[Any], num_rows: int) -> NDArray[Any]:
    """Copy a grey picture, of which `num_rows` rows are filled, to three equal channels."""
    colour = np.empty((*grey.shape, 3), grey.dtype)
    colour[:num_rows] = grey[:num_rows, :, None]
    return colour
