"""Writing pictures of a volume: its slices as PNG, and a montage of the middle of it in three planes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from polyfuse.io import write_picture
from polyfuse.transforms import quantise, resize
from polyfuse.volumes.fusing import Fused, Seen
from polyfuse.volumes.planes import plane_across
from polyfuse.volumes.volume import Volume, Window, slab

GAP = 8
"""Pixels between the pictures of a montage."""
SMALLEST, LARGEST = 320, 512
"""Pixels of the longest side of the volume in a montage, where one for each voxel would be fewer or more."""
_HEAD, _LETTER = 18, 14
"""Sizes of the words above columns, and of the letters in pictures."""
_INK = 200
"""Their grey level."""
_SIDES = {"axial": "RLA", "coronal": "RLS", "sagittal": "APS"}
"""What is at the left, at the right and at the top of a picture, as `plane_across` turns it."""


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

    Sides of the patient are named in the pictures, the volumes above them.

    Returns:
        (H, W) or (H, W, 3).
    """
    volume = seen.together.a
    scale = _scale(volume)
    rows = []
    for name in _SIDES:
        plane = next(plane for axis in range(3) if (plane := plane_across(volume, axis)).name == name)
        middle = volume.shape[plane.axis] // 2
        window = slab(plane.axis, middle, middle + 1)
        one, other, _ = seen.units(window)
        pictures = [plane.picture(block) for block in (one, other, _shown(fused, seen, window))]
        size = tuple(max(1, round(volume.shape[k] * volume.spacing[k] * scale)) for k in (plane.rows, plane.columns))
        rows.append([resize(_levels(picture), (size[0], size[1])) for picture in pictures])
    modalities = {"a": volume.modality, "b": seen.together.b.modality}
    names = [f"{side}: {modality}" if modality else side for side, modality in modalities.items()]
    return _laid_out(rows, [*names, "fused"])


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


def _scale(volume: Volume) -> float:
    """Pixels of a millimetre, the same in all planes."""
    longest = max(side * step for side, step in zip(volume.shape, volume.spacing, strict=True))
    return min(max(1 / min(volume.spacing), SMALLEST / longest), LARGEST / longest)


def _laid_out(rows: list[list[NDArray[np.uint8]]], names: list[str]) -> NDArray[np.uint8]:
    """Rows of pictures in columns with names, on one black ground, in colour if any has some."""
    colour = any(picture.ndim == 3 for row in rows for picture in row)
    wide = max(row[0].shape[1] for row in rows)
    head = _HEAD + 2 * GAP
    height = head + sum(row[0].shape[0] + GAP for row in rows)
    sheet = Image.new("RGB" if colour else "L", ((wide + GAP) * len(names) + GAP, height))
    draw = ImageDraw.Draw(sheet)

    def write(text: str, place: tuple[int, int], anchor: str, size: int) -> None:
        fill = (_INK,) * 3 if colour else _INK
        draw.text(place, text, fill=fill, font=ImageFont.load_default(size), anchor=anchor)

    lefts = [GAP + (wide + GAP) * column for column in range(len(names))]
    for left, name in zip(lefts, names, strict=True):
        write(name, (left + wide // 2, head // 2), "mm", _HEAD)
    top = head
    for sides, row in zip(_SIDES.values(), rows, strict=True):
        for left, picture in zip(lefts, row, strict=True):
            tall, broad = picture.shape[:2]
            sheet.paste(Image.fromarray(picture), (left + (wide - broad) // 2, top))
            near, far = left + (wide - broad) // 2 + 3, left + (wide + broad) // 2 - 3
            write(sides[0], (near, top + tall // 2), "lm", _LETTER)
            write(sides[1], (far, top + tall // 2), "rm", _LETTER)
            write(sides[2], (left + wide // 2, top + 3), "ma", _LETTER)
        top += row[0].shape[0] + GAP
    return np.asarray(sheet)
