"""Reading ahead in a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AHEAD = 4
"""Frames read ahead, and frames waiting to be written."""
Item = TypeVar("Item")


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
