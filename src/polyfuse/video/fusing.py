"""One frame after another under conventions that hold for all of them: fused, stretched alike, filtered, finished."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.conventions import Conventions, finished, model_input
from polyfuse.fusion.pair import fuse_plane, same_size
from polyfuse.fusion.stretch import OutputRange, stretch_of
from polyfuse.io import Picture
from polyfuse.video.temporal import TemporalFilter

RANGE_FRAMES = 64
"""Frames over which a range is measured, evenly spaced. Source: spec, section 8.2."""
STRETCH_FRAMES = 8
"""Pairs over which the output of a model that stretches its result is measured."""
AHEAD = 4
"""Frames read ahead, and frames waiting to be written."""

Pixels = NDArray[Any]
Item = TypeVar("Item")


class FrameFusion:
    """Fuses the frames of a clip or of a folder, in their order.

    Args:
        model: What fuses them.
        options: How.
        conventions: What was decided for all of them.
        temporal: Filter along time, if one is wanted.
    """

    def __init__(
        self, model: FusionModel, options: FuseOptions, conventions: Conventions, temporal: TemporalFilter | None
    ) -> None:
        self._model, self._options, self._conventions, self._filter = model, options, conventions, temporal
        self._range: OutputRange | None = None

    def measure_output(self, pairs: Iterable[tuple[Pixels, Pixels]]) -> None:
        """Settle which raw output becomes black and white, for a model that stretches its result."""
        how = stretch_of(self._model.spec, self._options.stretch)
        if how is not None:
            planes = (self._planes(*pair)[2] for pair in pairs)
            self._range = reduce(OutputRange.joined, (OutputRange.measured(plane, how) for plane in planes))

    def __call__(self, a: Pixels, b: Pixels) -> Pixels:
        """The next frame in the result's depth and colour, (H, W) or (H, W, 3)."""
        return self.finish(*self.plane(a, b))

    def finish(self, plane: NDArray[np.float32], carrier: Pixels | None) -> Pixels:
        """A frame of what `plane` gave, whichever thread asks and whatever comes meanwhile."""
        return finished(plane, carrier, self._conventions)

    def plane(self, a: Pixels, b: Pixels) -> tuple[NDArray[np.float32], Pixels | None]:
        """Fused luma of the next frame, (H, W), and the pixels its colour comes from, if it has any."""
        one, other, plane = self._planes(a, b)
        if self._range is not None:
            plane = self._range.stretch(plane)
        if self._filter is not None:
            seen_a, seen_b = model_input(one, self._conventions, "a"), model_input(other, self._conventions, "b")
            plane = self._filter(np.clip(plane, 0, 1), seen_a, seen_b)
        return plane, {"a": one, "b": other}.get(self._conventions.carrier or "")

    def _planes(self, a: Pixels, b: Pixels) -> tuple[Pixels, Pixels, NDArray[np.float32]]:
        """Both frames at one size, and the model's raw output."""
        one, other, _ = same_size(Picture(a), Picture(b), self._options)
        plane, _ = fuse_plane(one, other, self._model, self._conventions, self._options)
        return one.array, other.array, plane


def step_of(num_frames: int, wanted: int) -> int:
    """Every which frame to take for about so many, evenly spaced."""
    return max(1, num_frames // wanted)


def ahead(items: Iterator[Item], reader: ThreadPoolExecutor) -> Iterator[Item]:
    """The same items, read in the reader's thread while the caller works."""
    waiting = deque(reader.submit(next, items, None) for _ in range(AHEAD))
    try:
        while (item := waiting.popleft().result()) is not None:
            waiting.append(reader.submit(next, items, None))
            yield item
    finally:
        for future in waiting:
            future.cancel()
        reader.shutdown(wait=True)  # the caller closes `items`, which must not be running then
