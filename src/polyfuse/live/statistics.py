"""Counting a run: frames, speed, delay and skew, in memory that does not grow with its length."""

from __future__ import annotations

import time
from typing import Any

_BINS = 10_000
"""Milliseconds that are told apart; what is longer counts as that."""
_RECENT = 0.2
"""Share of a new value in the figures of the running line."""


class Milliseconds:
    """Values in milliseconds: how many had which, to a whole one."""

    def __init__(self) -> None:
        self._counts = [0] * (_BINS + 1)
        self.num = 0
        """How many values there are."""
        self.recent = 0.0
        """Of the last few, a running mean."""
        self.largest = 0.0
        """Of all."""

    def add(self, seconds: float) -> None:
        """Count a value, given in seconds; its sign does not count."""
        value = 1000 * abs(seconds)
        self._counts[min(_BINS, round(value))] += 1
        self.recent += (value - self.recent) * (_RECENT if self.num else 1)
        self.num += 1
        self.largest = max(self.largest, value)

    def quantile(self, share: float) -> float:
        """The value that this share of all do not exceed, to a millisecond; 0 if there are none."""
        seen = 0
        for value, count in enumerate(self._counts):
            seen += count
            if count and seen >= share * self.num:
                return float(value)
        return 0.0

    def to_json(self) -> dict[str, float]:
        """Plain values for the summary."""
        return {
            "median": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "max": round(self.largest, 1),
        }


class LiveStatistics:
    """What a run did so far."""

    def __init__(self) -> None:
        self.delay = Milliseconds()
        """From when b's frame was taken, as far as that can be told, to when the fused frame was handed on."""
        self.skew = Milliseconds()
        """How far the two frames of a pair lie apart in time."""
        self.fusing = Milliseconds()
        """From when a pair was taken up to when it had its colour."""
        self.num_fused = 0
        """Frames put out."""
        self._first = self._last = self._step = 0.0

    def add(self, *, taken: float, skew: float, fusing: float) -> None:
        """Count a fused frame that is handed on now."""
        now = time.monotonic()
        if not self.num_fused:
            self._first = self._last = now
        else:
            self._step += (now - self._last - self._step) * (_RECENT if self.num_fused > 1 else 1)
        self._last = now
        self.num_fused += 1
        self.delay.add(now - taken)
        self.skew.add(skew)
        self.fusing.add(fusing)

    @property
    def seconds(self) -> float:
        """From the first fused frame to the last."""
        return self._last - self._first

    @property
    def recent_rate(self) -> float:
        """Fused frames a second just now; it falls where none come."""
        step = max(self._step, time.monotonic() - self._last) if self._step else 0.0
        return 1 / step if step > 0 else 0.0

    @property
    def rate(self) -> float:
        """Fused frames a second, over the whole run."""
        return (self.num_fused - 1) / self.seconds if self.num_fused > 1 and self.seconds > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values for the summary."""
        return {
            "frames": self.num_fused,
            "seconds": round(self.seconds, 3),
            "frames_per_second": round(self.rate, 2),
            "delay_ms": self.delay.to_json(),
            "skew_ms": self.skew.to_json(),
            "fusing_ms": self.fusing.to_json(),
        }
