"""The pair that is explained: read, brought to one size, reduced if large, with everything decided about it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment.apply import shared_part
from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel, Provenance
from polyfuse.fusion import FuseOptions, Source
from polyfuse.fusion.conventions import Conventions, decide
from polyfuse.fusion.sources import as_picture, same_size
from polyfuse.io import Picture
from polyfuse.transforms import quantise, resize, to_unit

DEFAULT_MAX_SIDE = 640
"""Pixels. A pass keeps up to 6 kB per pixel, 2 GB for 640x480."""
_LONGEST_NAME = 28
"""Characters of a source's name in a caption."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sources, ready to be fused and shown."""

    names: tuple[str, str]
    """What they are called in captions."""
    a: Picture
    """First source, of the size that is explained."""
    b: Picture
    """Second source, same size."""
    full_size: tuple[int, int]
    """Height and width before the pictures were cut and reduced."""
    window: tuple[slice, slice]
    """Rows and columns that were looked at: all, or with a warp the largest rectangle that both sources have."""
    conventions: Conventions
    """Ranges, colour and polarity."""
    notes: tuple[str, ...]
    """What the user should know, one line each."""

    def shown(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Both sources in 8 bits as the model's range shows them, with warm as bright in the first."""
        unit_a = to_unit(self.a.array, self.conventions.range_a)
        if self.conventions.polarity == "black-hot":
            unit_a = np.float32(1) - unit_a
        return quantise(unit_a, 8), quantise(to_unit(self.b.array, self.conventions.range_b), 8)

    def record(self, maker: dict[str, Any]) -> dict[str, Any]:
        """Where the numbers come from, as plain JSON values.

        Args:
            maker: What made the fused picture, from `maker_of`.
        """
        return {
            **maker,
            "sources": {
                name: {"path": None if p.path is None else str(p.path), "sha256": p.sha256, "dtype": p.array.dtype.name}
                for name, p in (("a", self.a), ("b", self.b))
            },
            "window": {
                name: [part.start, part.stop] for name, part in zip(("rows", "columns"), self.window, strict=True)
            },
            "size": {"width": self.full_size[1], "height": self.full_size[0]},
            "explained_size": {"width": self.a.width, "height": self.a.height},
            **self.conventions.to_json(),
        }


def read_pair(a: Source, b: Source, options: FuseOptions, provenance: Provenance, max_side: int | None) -> Pair:
    """Read two sources as `fuse` does.

    Args:
        a: First source.
        b: Second source.
        options: How they are read, mapped and coloured.
        provenance: Of the model that fuses them: conventions its weights were made for.
        max_side: Longest side in pixels; larger pictures are reduced. None: no limit.

    Raises:
        UsageError: If `max_side` is below 1, or colour is asked from a grey source.
        InputError: If a source cannot be read or the sizes differ.
    """
    if options.swap:
        a, b = b, a
    full_a, full_b = as_picture(a, options, "a"), as_picture(b, options, "b")
    names = _names(full_a, full_b)
    full_a, full_b, size_notes = same_size(full_a, full_b, options)
    full_size = full_a.height, full_a.width
    full_a, full_b, window = shared_part(full_a, full_b)
    conventions, notes = decide(full_a, full_b, options, provenance)
    if (full_a.height, full_a.width) != full_size:
        notes += (f"explained in {full_a.width}x{full_a.height} of {full_size[1]}x{full_size[0]}, which both have",)
    size = _reduced(full_a.height, full_a.width, max_side)
    if size != (full_a.height, full_a.width):
        notes += (
            f"explained at {size[1]}x{size[0]}, the pictures have {full_a.width}x{full_a.height}: "
            "--max-side 0 takes them as they are",
        )
    one, other = (replace(picture, array=resize(picture.array, size)) for picture in (full_a, full_b))
    return Pair(names, one, other, full_size, window, conventions, (*size_notes, *notes))


def maker_of(model: FusionModel) -> dict[str, Any]:
    """The part of a record that says which model fused the pair."""
    provenance = model.provenance
    return {
        "model": provenance.name,
        "family": model.spec.family,
        "weights_sha256": provenance.weights_sha256,
        "border": model.configuration().get("border"),
    }


def _reduced(height: int, width: int, max_side: int | None) -> tuple[int, int]:
    """(height, width) with the longest side at most `max_side`, proportions kept."""
    if max_side is None or max(height, width) <= max_side:
        return height, width
    if max_side < 1:
        raise UsageError(f"max_side {max_side} is below 1: give pixels, or None for no limit.")
    scale = max_side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _names(a: Picture, b: Picture) -> tuple[str, str]:
    """What the sources are called: file stems, behind their folders' names where both stems are the same.

    "a" and "b" where a source comes from no file.
    """
    if a.path is None or b.path is None:
        return "a", "b"
    stems = a.path.stem, b.path.stem
    if stems[0] == stems[1]:
        folders = a.path.absolute().parent.name, b.path.absolute().parent.name
        stems = f"{folders[0]}{os.sep}{stems[0]}", f"{folders[1]}{os.sep}{stems[1]}"
    return short_name(stems[0]), short_name(stems[1])


def short_name(name: str) -> str:
    """Fit a name into a caption by leaving out its middle."""
    name = name if name.isprintable() else ascii(name)[1:-1]
    half = _LONGEST_NAME // 2 - 1
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}…{name[-half:]}"
