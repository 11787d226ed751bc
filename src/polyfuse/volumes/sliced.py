"""Volumes as folders of pictures of 8 bits, slice by slice, for all that knows pictures alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polyfuse.io import write_picture
from polyfuse.volumes.looking import Looking
from polyfuse.volumes.picture_write import slice_names
from polyfuse.volumes.planes import plane_across
from polyfuse.volumes.volume import slab


@dataclass(frozen=True)
class Sliced:
    """The pictures of one slice."""

    name: str
    """Its number in three digits or more, from 1."""
    paths: tuple[Path, ...]
    """a, b, then the fused ones."""


def write_sliced(looking: Looking, folder: Path) -> tuple[list[Sliced], int]:
    """Write the slices of all volumes across the thickest axis of a, each as a PNG of its own.

    Returns:
        The slices in order, and how many were left out because both sources are black all over.

    Raises:
        InputError: If a value is NaN, or a file is damaged.
        OutputError: If there is no room.
    """
    a = looking.seen.together.a
    plane = plane_across(a, a.thickest_axis)
    volumes = [look.on(a.affine, a.shape) for look in looking.looks]
    names = slice_names(a.shape[plane.axis])
    slices: list[Sliced] = []
    for index, name in enumerate(names):
        window = slab(plane.axis, index, index + 1)
        blocks = [look.picture(volume, window) for look, volume in zip(looking.looks, volumes, strict=True)]
        if not blocks[0].any() and not blocks[1].any():
            continue
        paths = [write_picture(folder / str(place) / name, plane.picture(block)) for place, block in enumerate(blocks)]
        slices.append(Sliced(Path(name).stem.removeprefix("slice_"), tuple(paths)))
    return slices, len(names) - len(slices)
