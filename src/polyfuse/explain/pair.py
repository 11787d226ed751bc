"""A pair as a model sees it: read, brought to one size and not too large, mapped by the conventions of `fuse`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions, Source
from polyfuse.fusion.conventions import Conventions, decide
from polyfuse.fusion.fuser import Fuser
from polyfuse.fusion.sources import as_picture, same_size
from polyfuse.io import Picture
from polyfuse.transforms import resize

DEFAULT_MAX_SIDE = 640
"""Pixels. A pass keeps up to 6 kB per pixel, 2 GB for 640x480."""


@dataclass(frozen=True, eq=False)
class PreparedPair:
    """What is needed to look at a model at work on one pair."""

    full_a: Picture
    """First source as read, of the size of the second."""
    full_b: Picture
    """Second source."""
    pixels_a: NDArray[Any]
    """First source at the size that is explained, in its own range."""
    pixels_b: NDArray[Any]
    """Second source at that size."""
    conventions: Conventions
    """Ranges, and who carries colour."""
    fuser: Fuser
    """Maps sources to what the model takes, and its result to a picture."""
    notes: tuple[str, ...]
    """What the user should know, one line each."""

    @property
    def tensor_a(self) -> Tensor:
        """The first source as the model takes it, (1, 1, H, W) in [0, 1]."""
        return self.fuser.tensor(self.pixels_a, "a")

    @property
    def tensor_b(self) -> Tensor:
        """The second source as the model takes it."""
        return self.fuser.tensor(self.pixels_b, "b")


def prepare(
    a: Source, b: Source, model: FusionModel, options: FuseOptions, max_side: int | None = DEFAULT_MAX_SIDE
) -> PreparedPair:
    """Read a pair as `fuse` does, and reduce it if it is larger than `max_side`.

    Args:
        a: First source, as for `fuse`.
        b: Second source.
        model: What is to look at them.
        options: How the pictures are read, mapped and coloured; a result has 8 bits whatever they say.
        max_side: Longest side in pixels; None for no limit.

    Raises:
        UsageError: If `max_side` is below 1.
        InputError: If a source cannot be read or the sizes differ.
    """
    chosen = options.changed({"bit_depth": "8"})
    if chosen.swap:
        a, b = b, a
    full_a, full_b = as_picture(a, chosen, "a"), as_picture(b, chosen, "b")
    full_a, full_b, size_notes = same_size(full_a, full_b, chosen)
    conventions, notes = decide(full_a, full_b, chosen, model.provenance)
    size = _reduced(full_a.height, full_a.width, max_side)
    if size != (full_a.height, full_a.width):
        notes += (
            f"explained at {size[1]}x{size[0]}, the pictures have {full_a.width}x{full_a.height}: "
            "--max-side 0 takes them as they are",
        )
    pixels_a, pixels_b = resize(full_a.array, size), resize(full_b.array, size)
    fuser = Fuser(model, chosen, conventions)
    return PreparedPair(full_a, full_b, pixels_a, pixels_b, conventions, fuser, (*size_notes, *notes))


def _reduced(height: int, width: int, max_side: int | None) -> tuple[int, int]:
    """(height, width) with the longest side at most `max_side`, proportions kept."""
    if max_side is None or max(height, width) <= max_side:
        return height, width
    if max_side < 1:
        raise UsageError(f"max_side {max_side} is below 1: give pixels, or None for no limit.")
    scale = max_side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
