"""Fusing one frame after another under conventions that hold for all of them, and reading frames ahead of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from polyfuse.fusion.conventions import Pixels, finished, model_input
from polyfuse.fusion.fuser import Fuser, coverage_of
from polyfuse.fusion.sources import same_size
from polyfuse.fusion.stretch import OutputRange
from polyfuse.io import Picture
from polyfuse.transforms.ranges import RangeSpec
from polyfuse.video.temporal import TemporalFilter

RANGE_FRAMES = 64
"""About how many frames of a clip its range is measured on, evenly spaced. Source: spec daefuse 8.2."""
STRETCH_FRAMES = 8
"""About how many pairs are fused beforehand to measure the range of the output, where it is stretched."""
AHEAD = 4
"""Frames read ahead, and frames waiting to be written."""

Item = TypeVar("Item")


class FrameFusion:
    """Fuses the frames of a clip or of a folder, in their order.

    Args:
        fuser: What fuses one pair of frames, under conventions that hold for all of them.
        temporal: Filter along time; None for none.
    """

    def __init__(self, fuser: Fuser, temporal: TemporalFilter | None) -> None:
        self.fuser = fuser
        """What fuses one pair; `measure_output` adds the range of the output to it."""
        self._filter = temporal

    def measure_output(self, pairs: Iterable[tuple[Pixels, Pixels]]) -> None:
        """Measure which raw output becomes black and white in all frames, where the output is stretched at all.

        Args:
            pairs: Frames of a and b to measure it on; not looked at where nothing is stretched.
        """
        how = self.fuser.stretch
        if how is not None:
            measured = (self._output_range(*self._same_size(*pair), how) for pair in pairs)
            output_range = reduce(OutputRange.joined, measured)
            self.fuser = replace(self.fuser, output_range=output_range)

    def _output_range(self, a: Picture, b: Picture, how: RangeSpec) -> OutputRange:
        """Range of the raw output of two frames of one size, where both have pixels."""
        plane, coverage = self.fuser.plane(a, b)[0], coverage_of(a, b)
        return OutputRange.measured(plane if coverage is None else plane[coverage > 0], how)

    def __call__(self, a: Picture, b: Picture) -> Pixels:
        """The next frame in the result's depth and colour, (H, W) or (H, W, 3), from two frames of one size."""
        return self.finish(*self._plane(a, b))

    def plane(self, a: Pixels, b: Pixels) -> tuple[NDArray[np.float32], Pixels | None]:
        """Fuse the next frame up to its luma.

        Args:
            a: Frame of the first source, (H, W) or (H, W, 3).
            b: Frame of the second.

        Returns:
            Fused luma, (H, W), stretched and filtered, and the pixels its colour comes from; None for a grey result.
        """
        return self._plane(*self._same_size(a, b))

    def _plane(self, one: Picture, other: Picture) -> tuple[NDArray[np.float32], Pixels | None]:
        """The same for frames of one size."""
        conventions = self.fuser.conventions
        raw, _ = self.fuser.plane(one, other)
        plane = self.fuser.stretched(raw)
        if self._filter is not None:
            seen_a, seen_b = model_input(one.array, conventions, "a"), model_input(other.array, conventions, "b")
            plane = self._filter(np.clip(plane, 0, 1), seen_a, seen_b)
        plane = self.fuser.completed(plane, one, other)
        return plane, conventions.carrier_of(one.array, other.array)

    def finish(self, plane: NDArray[np.float32], carrier: Pixels | None) -> Pixels:
        """Pixels of a frame from what `plane` gave for it; in any thread, whichever frames are fused meanwhile."""
        return finished(plane, carrier, self.fuser.conventions)

    def _same_size(self, a: Pixels, b: Pixels) -> tuple[Picture, Picture]:
        """Two frames as pictures of one size."""
        one, other, _ = same_size(Picture(a), Picture(b), self.fuser.options)
        return one, other


def step_of(num_frames: int, wanted: int) -> int:
    """Distance from one frame to the next for about `wanted` of them, evenly spaced over `num_frames`."""
    return max(1, num_frames // wanted)


def ahead(items: Iterator[Item], reader: ThreadPoolExecutor) -> Iterator[Item]:
    """The same items, none of them None, read in the reader's thread while the caller works on those before."""
    waiting = deque(reader.submit(next, items, None) for _ in range(AHEAD))
    try:
        while (item := waiting.popleft().result()) is not None:
            waiting.append(reader.submit(next, items, None))
            yield item
    finally:
        for future in waiting:
            future.cancel()
        reader.shutdown(wait=True)  # the caller closes `items`, which must not be running then
