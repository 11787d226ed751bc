"""Strips of rows that a map is worked off in: they stay in the processor's cache, and every thread takes its own.

A thread per strip keeps all cores at work from the first layer of a pass to its last, where threads that share each
layer wait for each other a thousand times per picture. How many threads there are: `polyfuse.ops.threads`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from polyfuse.ops.threads import Result, share_out, side_by_side, threads

__all__ = ["MIN_ROWS", "STRIP_BYTES", "Strip", "each_strip", "side_by_side"]

STRIP_BYTES = 3 << 20
"""Size of the strips of a map that are worked on at once: more leaves the caches, or needs fresh pages; with less, more
rows are worked off twice."""
MIN_ROWS = 16
"""Fewest rows of a strip: its context is worked off twice."""


@dataclass(frozen=True)
class Strip:
    """A few rows of a map that one thread works on at a time."""

    inner: slice
    """Rows of the result that this strip is responsible for."""
    outer: slice
    """Rows of the input that these depend on: `inner` and its context, as far as the map goes."""

    @property
    def crop(self) -> slice:
        """Rows of `outer`, counted from its first, that are `inner`."""
        return slice(self.inner.start - self.outer.start, self.inner.stop - self.outer.start)


def each_strip(like: Tensor, halo: int, work: Callable[[Strip], Result]) -> list[Result]:
    """Run `work` on strips that cover maps of the size of `like`, each with `halo` rows of context.

    Without gradients. On a CPU by `threads()` threads, each of which calls PyTorch with one; on a GPU all rows are
    one strip.

    Returns:
        What `work` returned, from top to bottom.
    """
    return share_out(work, _strips(like, halo, threads()))


def _strips(like: Tensor, halo: int, count: int) -> list[Strip]:
    """Strips of nearly equal height, as many as make all threads end together."""
    height, width, channels = like.shape
    if like.device.type == "cpu":
        at_once = max(count * MIN_ROWS, STRIP_BYTES // (width * channels * like.element_size()))
        turns = -(-height // at_once)
        rows = max(MIN_ROWS, -(-height // (turns * count)))
    else:
        rows = height
    bounds = [(top, min(top + rows, height)) for top in range(0, height, rows)]
    return [Strip(slice(*bound), slice(max(0, bound[0] - halo), min(height, bound[1] + halo))) for bound in bounds]
