"""Folders of radiometric files as the frames of a sequence: of one size, one unit and one geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from polyfuse.errors import InputError
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.thermal import Sources, read_sources
from polyfuse.io import Pair, Picture
from polyfuse.io.source import shown
from polyfuse.transforms import RangeRecord, measure_range, parse_range
from polyfuse.video.fusing import RANGE_FRAMES, step_of


class ThermalFrames:
    """Reads radiometric frames with their visible pictures, one pair at a time.

    Args:
        pairs: The files in the order of time; a file paired with itself holds both pictures.
        options: How they are read, and how their ranges are measured.

    Raises:
        InputError: If a file cannot be read, or has not what the first one has.
    """

    def __init__(self, pairs: Sequence[Pair], options: FuseOptions) -> None:
        self._pairs, self._wanted = pairs, options
        self._first = read_sources(pairs[0], options)
        self.options = self._first.options
        """Options for all frames: with the warp and the range of the first file, in levels of its picture."""
        sample = range(0, len(pairs), step_of(len(pairs), RANGE_FRAMES))
        sources = [self.pair(number) for number in sample]
        self.ranges: tuple[RangeRecord, RangeRecord] = (
            measure_range((each.a.array for each in sources), parse_range(self.options.range), name=pairs[0].name),
            measure_range((each.b.array for each in sources), parse_range(self.options.range_b), name=pairs[0].name),
        )
        """The range of each source."""

    def pair(self, number: int) -> Sources:
        """The sources of a pair, which are counted from 0.

        Raises:
            InputError: If they cannot be read, or differ from the first in size, unit or geometry.
        """
        sources, first = read_sources(self._pairs[number], self._wanted), self._first
        name = shown(self._pairs[number].a)
        for one, other in ((sources.a, first.a), (sources.b, first.b)):
            if (one.width, one.height) != (other.width, other.height):
                raise InputError(
                    f"{name} is {one.width}x{one.height} but the first frame is {other.width}x{other.height}: frames "
                    "of a sequence have one size, drop --temporal to fuse them one by one"
                )
        if sources.unit != first.unit:
            raise InputError(f"{name} has other units than the first frame: drop --temporal to fuse them one by one")
        if sources.options.warp is not None and not np.allclose(
            sources.options.aligning.matrix, first.options.aligning.matrix, atol=1e-6
        ):
            raise InputError(f"{name} lies otherwise on its visible picture than the first: drop --temporal")
        return replace(sources, options=self.options, b=_as_coloured(sources.b, first.b))


def _as_coloured(picture: Picture, like: Picture) -> Picture:
    """A grey picture as three channels where the others of the sequence have them."""
    if picture.array.ndim == 2 and like.array.ndim == 3:
        return replace(picture, array=np.repeat(picture.array[..., None], 3, axis=2))
    return picture
