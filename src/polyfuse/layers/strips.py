"""Strips of rows that a map is worked off in: they stay in the processor's cache, and every thread takes its own.

A thread per strip keeps all cores at work from the first layer of a pass to its last, where threads that share each
layer wait for each other a thousand times per picture.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

STRIP_BYTES = 3 << 20
"""Size of the strips of a map that are worked on at once: more leaves the caches, or needs fresh pages; with less, more
rows are worked off twice."""
MIN_ROWS = 16
"""Fewest rows of a strip: its context is worked off twice."""

Found = TypeVar("Found")
Part = TypeVar("Part")
_lent = threading.local()


@dataclass(frozen=True)
class Strip:
    """A few rows of a map."""

    inner: slice
    """Rows that it fills."""
    outer: slice
    """The same with context, as far as the map goes."""

    @property
    def crop(self) -> slice:
        """Where `inner` lies within `outer`."""
        return slice(self.inner.start - self.outer.start, self.inner.stop - self.outer.start)


@contextmanager
def threads_for_strips() -> Iterator[None]:
    """Within it PyTorch works with one thread and `each_strip` with as many as PyTorch had.

    Threads with which PyTorch has shared an operation spin for a while, and take the cores from those that have strips.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    _pool(threads)  # beforehand, because it sets the number of threads
    _lent.threads = threads
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        del _lent.threads


def _threads() -> int:
    """How many threads work on strips."""
    threads: int = getattr(_lent, "threads", None) or torch.get_num_threads()
    return threads


def side_by_side(calls: Sequence[Callable[[], Found]]) -> list[Found]:
    """What all calls return; each by one thread, without gradients."""
    return _shared(lambda call: call(), calls)


def each_strip(like: Tensor, halo: int, work: Callable[[Strip], Found]) -> list[Found]:
    """Run `work` on strips that cover maps of the size of `like`, each with `halo` rows of context.

    Without gradients. On a CPU by as many threads as PyTorch would use, each of which calls PyTorch with one; on a GPU
    all rows are one strip.

    Returns:
        What `work` returned, from top to bottom.
    """
    return _shared(work, _strips(like, halo, _threads()))


def _shared(work: Callable[[Part], Found], parts: Sequence[Part]) -> list[Found]:
    """What `work` makes of all parts, whichever thread is free."""
    threads = _threads()
    if threads == 1 or len(parts) == 1:
        return [work(part) for part in parts]
    inference = torch.is_inference_mode_enabled()  # of this thread alone

    def run(part: Part) -> Found:
        with torch.inference_mode(inference), torch.no_grad():
            return work(part)

    return list(_pool(threads).map(run, parts))


def _strips(like: Tensor, halo: int, threads: int) -> list[Strip]:
    """Strips of nearly equal height, as many as make all threads end together."""
    height, width, channels = like.shape
    if like.device.type == "cpu":
        at_once = max(threads * MIN_ROWS, STRIP_BYTES // (width * channels * like.element_size()))
        turns = -(-height // at_once)
        rows = max(MIN_ROWS, -(-height // (turns * threads)))
    else:
        rows = height
    bounds = [(top, min(top + rows, height)) for top in range(0, height, rows)]
    return [Strip(slice(*bound), slice(max(0, bound[0] - halo), min(height, bound[1] + halo))) for bound in bounds]


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that are kept, each of which PyTorch works alone in."""
    pool, all_there = ThreadPoolExecutor(threads), threading.Barrier(threads)

    def alone(_: int) -> None:
        torch.get_num_threads()  # PyTorch sets a thread up at its first question, which must not come later
        torch.set_num_threads(1)
        all_there.wait()

    list(pool.map(alone, range(threads)))
    torch.set_num_threads(threads)  # for threads to come, which take the number that was set last
    return pool


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child process has none of its parent's threads
