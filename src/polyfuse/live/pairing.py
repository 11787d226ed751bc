"""Which frames of two running sources belong together: always the newest pair, and nothing waits in a queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from polyfuse.live.frames import LiveFrame

KEPT_A, KEPT_B = 4, 2
"""Frames that are held of each source: of b, which sets the pace, the newest and one whose partner is already there."""
PATIENCE = 0.06
"""Longest time in seconds for which a frame of b waits for one of a that will be nearer than those that are there."""
_LATE_SHARE = 0.5
"""Share of its period by which the next frame of a may come later than that lets expect."""
_FIRST_PERIOD = 0.04


class LivePair(NamedTuple):
    """Two frames that belong together."""

    a: LiveFrame
    b: LiveFrame

    @property
    def skew(self) -> float:
        """Seconds by which a was taken later than b."""
        return self.a.time - self.b.time


@dataclass
class Drops:
    """Frames that were not shown."""

    b: int = 0
    """Frames of b that came while an earlier pair was fused."""
    unmatched: int = 0
    """Frames of b without a frame of a near enough in time."""
    a: int = 0
    """Frames of a that went by without being the nearest to any of b."""

    def to_json(self) -> dict[str, int]:
        """Plain values for the summary."""
        return {"a": self.a, "b": self.b, "unmatched": self.unmatched}


class LivePairing:
    """Takes frames of both sources from their threads, and gives the newest pair to whoever asks.

    As with clips b sets the pace: each of its frames goes with the frame of a nearest in time. What comes while nobody
    asks is dropped, so that the delay never grows.

    Args:
        max_skew: Seconds; frames that lie farther apart are not paired.
    """

    def __init__(self, max_skew: float) -> None:
        self._max_skew = max_skew
        self._condition = threading.Condition()
        self._frames: dict[str, deque[LiveFrame]] = {"a": deque(maxlen=KEPT_A), "b": deque(maxlen=KEPT_B)}
        self._last = {"a": 0, "b": 0}
        self._period = _FIRST_PERIOD
        self.drops = Drops()
        """Counted when a pair is taken."""

    def put(self, side: str, frame: LiveFrame) -> None:
        """Take note of a frame; the oldest one makes room."""
        with self._condition:
            kept = self._frames[side]
            if side == "a" and kept and 0 < (step := frame.time - kept[-1].time) < 1:
                self._period += 0.1 * (step - self._period)
            kept.append(frame)
            self._condition.notify_all()

    def wake(self) -> None:
        """Let who waits look again at what else may have happened."""
        with self._condition:
            self._condition.notify_all()

    def next(self, seconds: float) -> LivePair | None:
        """The newest pair that was not given yet; None if there is none after so many seconds, or `wake` was called.

        Args:
            seconds: To wait.
        """
        end = time.monotonic() + seconds
        with self._condition:
            while True:
                pair, again = self._choose(time.monotonic())
                if pair is not None:
                    return pair
                until = end if again is None else min(end, again)
                left = until - time.monotonic()
                woken = self._condition.wait(max(0.0, left))
                if time.monotonic() >= end or (woken and not self._has_new()):
                    return None

    def _has_new(self) -> bool:
        """Whether a frame of b waits."""
        kept = self._frames["b"]
        return bool(kept) and kept[-1].number > self._last["b"]

    def _choose(self, now: float) -> tuple[LivePair | None, float | None]:
        """The pair to give now; or else when to look again, if that is known."""
        others = self._frames["a"]
        fresh = [frame for frame in self._frames["b"] if frame.number > self._last["b"]]
        if not fresh or not others:
            return None, None
        newest_of_a = others[-1].time
        chosen = fresh[-1]
        if newest_of_a < chosen.time:
            # Its nearest partner may still come, half a period away at most.
            expected = newest_of_a + (1 + _LATE_SHARE) * self._period
            soon = chosen.time - newest_of_a > self._period / 2 and now < min(expected, chosen.time + PATIENCE)
            settled = [frame for frame in fresh if frame.time <= newest_of_a]
            if soon and not settled:
                return None, min(expected, chosen.time + PATIENCE)
            if soon:
                chosen = settled[-1]
        partner = min(others, key=lambda frame: abs(frame.time - chosen.time))
        self._count(chosen, partner)
        if abs(partner.time - chosen.time) > self._max_skew:
            self.drops.unmatched += 1
            return None, None
        return LivePair(partner, chosen), None

    def _count(self, chosen: LiveFrame, partner: LiveFrame) -> None:
        """Take note of what was passed over."""
        self.drops.b += chosen.number - self._last["b"] - 1
        self.drops.a += max(0, partner.number - self._last["a"] - 1)
        self._last = {"a": max(self._last["a"], partner.number), "b": chosen.number}
