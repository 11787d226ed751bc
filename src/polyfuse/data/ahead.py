"""Batches made ahead of time by other processes, so that the device need not wait for them.

A batch is a function of seed and step, so these are the same to the bit as those made when they are wanted.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process

import numpy as np
from numpy.typing import NDArray

from polyfuse.data.batches import Batches

DEPTH = 3
"""Batches kept ready or under way for each worker."""
_worker_batches: Batches  # set in worker processes only
_Arrays = tuple[NDArray[np.float32], NDArray[np.float32]]


class Ahead:
    """`Batches.get` for steps that follow one another, done by `workers` processes.

    Args:
        batches: Where batches come from.
        workers: Processes; with 0 a batch is made when it is asked for.
        rank: Number of this process among all that train.
        num_ranks: How many processes train.
    """

    def __init__(self, batches: Batches, workers: int = 0, *, rank: int = 0, num_ranks: int = 1) -> None:
        self._batches, self._rank, self._num_ranks = batches, rank, num_ranks
        self._depth = DEPTH * workers
        self._waiting: deque[tuple[int, Future[_Arrays]]] = deque()
        self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (batches,)) if workers else None

    def get(self, step: int) -> _Arrays:
        """This process's share of batch `step`; cheapest for the step after the last one asked for."""
        if self._pool is None:
            return self._batches.get(step, rank=self._rank, num_ranks=self._num_ranks)
        if not self._waiting or self._waiting[0][0] != step:
            self._waiting.clear()
        first = self._waiting[-1][0] + 1 if self._waiting else step
        for following in range(first, step + self._depth):
            self._waiting.append((following, self._pool.submit(_cut, following, self._rank, self._num_ranks)))
        return self._waiting.popleft()[1].result()

    def close(self) -> None:
        """End the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _begin(batches: Batches) -> None:
    """Get a worker ready: Ctrl-C and the end of the terminal stay with the process that started it."""
    global _worker_batches
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    _worker_batches = batches


def _follow_parent() -> None:
    """End this worker as soon as the process that started it is gone, killed ones included.

    A worker waits for work on a pipe whose other end it holds itself, so that it would never notice.
    """
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _cut(step: int, rank: int, num_ranks: int) -> _Arrays:
    """Make a batch in a worker."""
    return _worker_batches.get(step, rank=rank, num_ranks=num_ranks)
