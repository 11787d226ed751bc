"""Figures of the service for Prometheus: counters, times and gauges in its text format."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from polyfuse._version import __version__

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the times of requests, seconds."""
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text."""


class Figures:
    """What happened since the start. All of it is counted in one thread."""

    def __init__(self) -> None:
        self._started = time.time()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._sums: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def count(self, path: str, status: int, facts: Mapping[str, Any]) -> None:
        """Count an answer.

        Args:
            path: Of the route, never one that a client made up.
            status: Of HTTP.
            facts: What the log says of it.
        """
        self._requests[path, status] += 1
        self._buckets[path][bisect_left(BUCKETS, facts["seconds"])] += 1
        self._seconds[path] += facts["seconds"]
        for name in ("bytes_in", "bytes_out", "pixels"):
            self._sums[name] += facts.get(name, 0)
        if facts.get("worked"):
            self._sums["worked"] += 1
            self._seconds["worked"] += facts["worked"]
            self._seconds["waited"] += facts["waited"]

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """The text that is scraped.

        Args:
            gauges: Help and value by name, as things are now.
        """
        return "\n".join([*self._lines(), *_gauges({**gauges, **self._process()}), ""])

    def _lines(self) -> Iterator[str]:
        """Lines of what is counted."""
        yield from _head("polyfuse_build_info", "gauge", "Version of polyfuse.")
        yield f'polyfuse_build_info{{version="{__version__}"}} 1'
        yield from _head("polyfuse_requests_total", "counter", "Answers by route and status.")
        for (path, status), number in sorted(self._requests.items()):
            yield f'polyfuse_requests_total{{path="{path}",status="{status}"}} {number}'
        name = "polyfuse_request_seconds"
        yield from _head(name, "histogram", "Time from the head of a request to its answer.")
        for path, counts in sorted(self._buckets.items()):
            total = 0
            for bound, number in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                total += number
                yield f'{name}_bucket{{path="{path}",le="{bound}"}} {total}'
            yield f'{name}_sum{{path="{path}"}} {self._seconds[path]:.6f}'
            yield f'{name}_count{{path="{path}"}} {total}'
        for kind, text in (("waited", "Time in the queue."), ("worked", "Time of fusing or scoring.")):
            yield from _head(f"polyfuse_{kind}_seconds", "summary", text)
            yield f"polyfuse_{kind}_seconds_sum {self._seconds[kind]:.6f}"
            yield f"polyfuse_{kind}_seconds_count {self._sums['worked']}"
        sums = (("bytes_in", "received_bytes", "Bytes of bodies."), ("bytes_out", "sent_bytes", "Bytes of answers."),
                ("pixels", "fused_pixels", "Pixels of fused pictures."))  # fmt: skip
        for key, name, text in sums:
            yield from _head(f"polyfuse_{name}_total", "counter", text)
            yield f"polyfuse_{name}_total {self._sums[key]}"

    def _process(self) -> dict[str, tuple[str, float]]:
        """Gauges of the process, under the names that exporters use."""
        gauges = {"process_start_time_seconds": ("Start, seconds since 1970.", round(self._started, 3))}
        memory = resident_bytes()
        if memory is not None:
            gauges["process_resident_memory_bytes"] = ("Resident memory.", memory)
        return gauges


def resident_bytes(process: int | str = "self") -> int | None:
    """Resident memory of a process; None where the system has no /proc."""
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _gauges(gauges: Mapping[str, tuple[str, float]]) -> Iterator[str]:
    for name, (text, value) in gauges.items():
        yield from _head(name, "gauge", text)
        yield f"{name} {value}"
