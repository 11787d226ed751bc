"""Writing pictures of a volume: its slices as PNG, and a montage of the middle of it in three planes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.io import write_picture
from polyfuse.transforms import quantise, resize
from polyfuse.volumes.fusing import Fused, Seen
from polyfuse.volumes.planes import plane_across
from polyfuse.volumes.volume import Volume, Window, slab

GAP = 6
"""Pixels between the pictures of a montage."""
LARGEST = 512
"""Pixels of the longer side of a picture in a montage."""


def slice_names(count: int) -> list[str]:
    """Names of the files of all slices."""
    digits = max(3, len(str(count)))
    return [f"slice_{number:0{digits}d}.png" for number in range(1, count + 1)]


def write_slices(fused: Fused, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write each slice as a PNG of 8 bits, in the order of the voxels across its axis.

    Returns:
        The paths written.

    Raises:
        OutputError: If one exists or cannot be written.
    """
    volume, plane = fused.volume, fused.plane
    written = []
    for index, name in enumerate(slice_names(volume.shape[plane.axis])):
        picture = plane.picture(volume.block(slab(plane.axis, index, index + 1)))
        written.append(write_picture(folder / name, _levels(picture), overwrite=overwrite))
    return written


def montage(seen: Seen, fused: Fused) -> NDArray[np.uint8]:
    """a, b and the result side by side, through the middle of a: axial, coronal and sagittal, millimetres to scale.

    Returns:
        (H, W) or (H, W, 3).
    """
    volume = seen.together.a
    rows = []
    for name in ("axial", "coronal", "sagittal"):
        plane = next(plane for axis in range(3) if (plane := plane_across(volume, axis)).name == name)
        middle = volume.shape[plane.axis] // 2
        window = slab(plane.axis, middle, middle + 1)
        one, other, _ = seen.units(window)
        pictures = [plane.picture(block) for block in (one, other, _shown(fused, seen, window))]
        size = _size(volume, plane.rows, plane.columns)
        rows.append([resize(_levels(picture), size) for picture in pictures])
    return _laid_out(rows)


def _shown(fused: Fused, seen: Seen, window: Window) -> NDArray[Any]:
    """A block of the result in [0, 1] or in colour."""
    values = fused.volume.block(window)
    if fused.volume.is_colour or fused.volume.unit == "luminance":
        return values
    width = seen.range_a.high - seen.range_a.low
    return np.clip((values - seen.range_a.low) / (width or 1), 0, 1).astype(np.float32)


def _levels(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture in 8 bits."""
    if picture.dtype == np.uint8:
        return picture
    levels: NDArray[np.uint8] = quantise(np.clip(picture, 0, 1), 8)
    return levels


def _size(volume: Volume, rows: int, columns: int) -> tuple[int, int]:
    """Height and width of a slice with square pixels."""
    height, width = (volume.shape[axis] * volume.spacing[axis] for axis in (rows, columns))
    finest = min(volume.spacing)
    scale = min(1 / finest, LARGEST / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _laid_out(rows: list[list[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Rows of pictures on one black ground, in colour if any has some."""
    colour = any(picture.ndim == 3 for row in rows for picture in row)
    height = sum(row[0].shape[0] for row in rows) + GAP * (len(rows) - 1)
    width = max(sum(picture.shape[1] for picture in row) + GAP * (len(row) - 1) for row in rows)
    sheet = np.zeros((height, width, 3) if colour else (height, width), np.uint8)
    top = 0
    for row in rows:
        left = 0
        for picture in row:
            if colour and picture.ndim == 2:
                picture = np.repeat(picture[..., None], 3, axis=2)
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            left += picture.shape[1] + GAP
        top += row[0].shape[0] + GAP
    return sheet
