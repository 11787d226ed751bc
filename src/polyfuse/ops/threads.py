"""One policy for threads on a CPU: who says how many there are, who works with them, and when PyTorch gets one.

- How many: as many as PyTorch has in the thread that calls the library (`torch.set_num_threads`, `--threads`). Programs
  set that number; the library never does, but for the span of a `threads_for_strips()` that its caller has entered.
- Who: work that is cut into parts, as `each_strip` cuts maps and the compiled sparse coding cuts bands of rows, takes
  `threads()` threads of its own, each of which works alone. Everything else is left to PyTorch's threads.
- When PyTorch gets one: threads with which PyTorch has shared an operation spin for a while after it, and take the
  cores from those that have parts. Whoever runs a model whose work is nearly all in parts enters `threads_for_strips()`
  around the call; `forward` itself sets nothing.

A model called outside gives the same: parts depend on `threads()`, which entering does not change, and what PyTorch
does beside them came out the same to the bit with one thread and with two. It may take longer, for the spinning. A
model that leaves much to PyTorch takes longer inside, because PyTorch has one thread there; so the caller asks the
model, and nobody enters for all of them.

While a thread is inside, PyTorch's number is one for it and for threads that start meanwhile; threads that have asked
PyTorch for anything before keep theirs.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Result = TypeVar("Result")
Part = TypeVar("Part")
_lent = threading.local()
"""Per thread, while it is inside `threads_for_strips`: `threads`, the number that PyTorch had."""


@contextmanager
def threads_for_strips(wanted: bool = True) -> Iterator[None]:
    """Within it PyTorch works with one thread, and work in parts with as many as PyTorch had; may be nested.

    Args:
        wanted: Whether to do anything at all, for callers that run models of both kinds.
    """
    before = torch.get_num_threads()
    if not wanted or before == 1:
        yield
        return
    _pool(before)  # beforehand, because it sets the number of threads
    _lent.threads = before
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        del _lent.threads


def threads() -> int:
    """How many threads work on parts: as many as PyTorch has, or had before `threads_for_strips`."""
    count: int = getattr(_lent, "threads", None) or torch.get_num_threads()
    return count


def share_out(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """What `work` makes of all parts, in their order; each by whichever thread is free, without gradients."""
    count = threads()
    if count == 1 or len(parts) == 1:
        return [work(part) for part in parts]
    inference = torch.is_inference_mode_enabled()  # of this thread alone

    def run(part: Part) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return work(part)

    return list(_pool(count).map(run, parts))


def side_by_side(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """What all calls return; each by one thread, without gradients."""
    return share_out(lambda call: call(), calls)


@functools.cache
def _pool(count: int) -> ThreadPoolExecutor:
    """Threads that are kept, each of which PyTorch works alone in."""
    pool, all_there = ThreadPoolExecutor(count), threading.Barrier(count)

    def alone(_: int) -> None:
        torch.get_num_threads()  # PyTorch sets a thread up at its first question, which must not come later
        torch.set_num_threads(1)
        all_there.wait()

    list(pool.map(alone, range(count)))
    torch.set_num_threads(count)  # for threads to come, which take the number that was set last
    return pool


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child process has none of its parent's threads
