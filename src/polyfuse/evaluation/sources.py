"""Two sources and what was made of them as pictures of one size, also where a warp has to bring them together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from polyfuse.alignment import Warp
from polyfuse.alignment.apply import aligned, shared_part
from polyfuse.alignment.resample import Frame
from polyfuse.errors import InputError
from polyfuse.io import Picture
from polyfuse.io.source import shown


@dataclass(frozen=True, eq=False)
class Together:
    """Two sources of one size, cut to what both have, and how fused pictures are cut likewise."""

    a: Picture
    """First source."""
    b: Picture
    """Second source."""
    whole: Picture
    """The source whose size fused pictures must have."""
    name: Frame
    """Which one that is."""
    window: tuple[slice, slice]
    """Rows and columns of `whole` that are left; all without a warp."""
    notes: tuple[str, ...] = ()
    """What the user should know."""

    def cut(self, fused: Picture) -> Picture:
        """The part of a fused picture that is scored.

        Raises:
            InputError: If it has another size than the sources.
        """
        check_size(fused, self.whole, ("fused", self.name))
        if (self.a.height, self.a.width) == (fused.height, fused.width):
            return fused
        return replace(fused, array=np.ascontiguousarray(fused.array[self.window]))


def brought_together(a: Picture, b: Picture, warp: Warp | None, frame: Frame) -> Together:
    """Both sources at one size: as they are, or warped and cut to the largest rectangle that both have.

    Metrics take rectangles, and outside of it a fused picture has one source alone, or fades to it.

    Raises:
        InputError: If the sizes differ, or are not the warp's.
    """
    if warp is None:
        check_size(a, b, ("a", "b"))
        return Together(a, b, a, "a", (slice(0, a.height), slice(0, a.width)))
    one, other, _ = aligned(a, b, warp, frame)
    one, other, window = shared_part(one, other)
    whole = b if frame == "b" else a
    notes: tuple[str, ...] = ()
    if (one.width, one.height) != (whole.width, whole.height):
        notes = (f"scored in {one.width}x{one.height} of {whole.width}x{whole.height}, which both sources have",)
    return Together(one, other, whole, frame, window, notes)


def check_size(fused: object, source: object, names: tuple[str, str]) -> None:
    """Refuse pictures of different size; the message has their file names, or `names` where they have none.

    Raises:
        InputError: With both names and sizes.
    """
    if not isinstance(fused, Picture) or not isinstance(source, Picture):
        return  # tensors are compared when they are prepared
    if (fused.height, fused.width) != (source.height, source.width):
        texts = [
            f"{shown(picture.path) if picture.path else name} is {picture.width}x{picture.height}"
            for picture, name in zip((fused, source), names, strict=True)
        ]
        raise InputError(f"{texts[0]} but {texts[1]}: resize them, or pass the --warp that they were fused with.")
