"""Time stamps of a source on this machine's clock, and clips held to their pace."""

from __future__ import annotations

import threading
import time

WINDOW = 10.0
"""Seconds after which the least delay of a source is forgotten, so that clocks which drift apart are followed."""
JUMP = 5.0
"""Seconds by which stamps and clock part before a source is taken to count from another beginning."""


class ArrivalClock:
    """Puts stamps of a sender on this machine's clock.

    A frame comes later than it was taken by a delay that jitters. The least delay seen in the last seconds is taken for
    all, so that times have the sender's even distances and the earliest arrivals are on time. Frames without a stamp
    have the time of their arrival. What the camera and the way take at least cannot be told, and is not in the times.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._least, self._before = float("inf"), float("inf")

    def time_of(self, stamp: float | None, now: float) -> float:
        """When a frame was taken.

        Args:
            stamp: The sender's, seconds from any beginning; None if it has none.
            now: When it arrived, as `time.monotonic` gives it.

        Returns:
            The same clock as `now`, never later.
        """
        if stamp is None:
            return now
        offset = now - stamp
        known = min(self._least, self._before)
        if self._began is None or abs(offset - known) > JUMP:
            self._began, self._least, self._before = now, offset, float("inf")
        elif now - self._began > WINDOW:
            self._began, self._before, self._least = now, self._least, offset
        self._least = min(self._least, offset)
        return stamp + min(self._least, self._before)


class Pace:
    """One beginning for all clips that are played in real time, once every source is there.

    Args:
        num_sources: How many there are.
    """

    def __init__(self, num_sources: int) -> None:
        self._condition = threading.Condition()
        self._waiting_for = num_sources
        self._ready = set[str]()
        self._epoch: float | None = None
        self.slipped = 0.0
        """Seconds that the clips were held back because decoding is slower than real time."""

    def ready(self, name: str) -> None:
        """Tell that a source has its first frame."""
        with self._condition:
            self._ready.add(name)
            self._condition.notify_all()

    def wait(self, stop: threading.Event) -> bool:
        """Wait until all sources are ready; False if it was stopped before."""
        with self._condition:
            while len(self._ready) < self._waiting_for:
                if stop.is_set():
                    return False
                self._condition.wait(0.05)
            if self._epoch is None:
                self._epoch = time.monotonic()
        return not stop.is_set()

    def due(self, seconds: float) -> float:
        """When a frame is due that lies so many seconds after the beginning, as `time.monotonic` counts."""
        with self._condition:
            return (self._epoch or 0.0) + seconds

    def slip(self, seconds: float) -> None:
        """Let all clips be that much later."""
        with self._condition:
            if self._epoch is not None:
                self._epoch += seconds
                self.slipped += seconds
