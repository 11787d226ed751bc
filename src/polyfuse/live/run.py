"""A run from two running sources to fused frames: until its time is over, a clip ends, or somebody ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from polyfuse.errors import InputError
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.models import Model
from polyfuse.live.capture import Capture, CaptureOptions
from polyfuse.live.clock import Pace
from polyfuse.live.frames import LiveFrame
from polyfuse.live.fusing import LiveFusion, LivePlane
from polyfuse.live.naming import SourceName
from polyfuse.live.outputs import Output
from polyfuse.live.pairing import LivePair, LivePairing
from polyfuse.live.statistics import LiveStatistics

_LOOK = 0.25
"""Seconds after which the state of the sources is looked at while no pair comes."""
_LAST = 0.05
"""Seconds for which a last pair is waited for when a clip has ended."""
_GOODBYE = 1.0
"""Seconds that a source gets to end; one that does not answer ends with the process."""
_STALLED = 1.0
"""Seconds without a frame after which the running line says so."""


@dataclass(frozen=True)
class LiveOptions:
    """What concerns a run as a whole; how frames are fused is in `FuseOptions`."""

    capture: CaptureOptions = field(default_factory=CaptureOptions)
    """How sources are read."""
    duration: float | None = None
    """Seconds after the first fused frame at which the run ends; None for as long as the sources last."""
    max_skew: float = 0.5
    """Seconds; frames that lie farther apart are not fused with each other."""


class LiveRun:
    """Reads two sources in threads of their own, and fuses and hands on in the caller's.

    Args:
        a: First source.
        b: Second source, which sets the pace.
        model: What fuses.
        fuse: How.
        options: Of the run.
        tell: Takes a line for the user, from any thread.
    """

    def __init__(
        self,
        a: SourceName,
        b: SourceName,
        model: Model,
        fuse: FuseOptions,
        options: LiveOptions,
        tell: Callable[[str], None],
    ) -> None:
        self._options, self._tell = options, tell
        self.statistics = LiveStatistics()
        """What the run did so far."""
        self.pairing = LivePairing(options.max_skew)
        """Which frames go together."""
        self._fusion = LiveFusion(model, fuse.changed({"swap": False}), tell)
        pace = Pace(2)
        first, second = (b, a) if fuse.swap else (a, b)
        sides: tuple[tuple[Literal["a", "b"], SourceName], ...] = (("a", first), ("b", second))
        self.captures = tuple(
            Capture(
                side,
                name,
                options.capture,
                pace,
                self._deliver,
                tell,
                self.pairing.wake,
                keep_colour=side == "b",  # a colour camera may see nothing but grey at first
            )
            for side, name in sides
        )
        """Both sources, a first."""
        self._came = {"a": 0.0, "b": 0.0}

    def _deliver(self, side: str, frame: LiveFrame) -> None:
        """Take a frame from a source's thread."""
        self._came[side] = time.monotonic()
        self.pairing.put(side, frame)

    def warm_up(self) -> None:
        """Do what takes long the first time, before frames come that would be dropped meanwhile."""
        self._fusion.warm_up()

    def wait_until_open(self) -> None:
        """Connect to both sources and wait until both have sent a frame.

        Raises:
            InputError: If one is not there, does not answer or sends nothing that is read.
        """
        for capture in self.captures:
            capture.start()
        # Each ends by itself, with frames or an error: whatever is waited for has a limit of time.
        while not all(capture.state in ("runs", "ended") or capture.num_frames for capture in self.captures):
            self._check()
            time.sleep(0.02)
        self._check()

    def fuse(self, outputs: Sequence[Output], each: Callable[[], None] | None = None) -> None:
        """Fuse until the run ends in good order; `close` must be called in any case.

        While one pair is in the model, the one before gets its colour and goes to the outputs in another thread; no
        third one waits.

        Args:
            outputs: Where frames go; taken in that other thread.
            each: Called in this thread whenever something may be new, several times a second.

        Raises:
            InputError: If a source is gone for good, or sizes do not go together.
            OutputError: If an output fails.
        """
        end: float | None = None
        over: float | None = None
        pending: Future[None] | None = None
        with ThreadPoolExecutor(1, "polyfuse live finish") as finisher:
            while all(output.is_open for output in outputs) and (end is None or time.monotonic() < end):
                if each is not None:
                    each()
                wait = _LOOK if over is None else _LAST
                pair = self.pairing.next(wait if end is None else max(0.0, min(wait, end - time.monotonic())))
                if pair is None:
                    self._check()
                    if pending is not None and pending.done():
                        pending.result()
                    if all(capture.state != "ended" for capture in self.captures):
                        continue
                    over = over or time.monotonic()
                    if time.monotonic() - over > _LAST:  # the other one's last frame may come a moment later
                        break
                    continue
                started = time.monotonic()
                plane = self._plane(pair)
                if pending is not None:
                    pending.result()
                pending = finisher.submit(self._finish, plane, pair, started, outputs)
                if end is None and self._options.duration is not None:
                    end = time.monotonic() + self._options.duration
            if pending is not None:
                pending.result()

    def _plane(self, pair: LivePair) -> LivePlane:
        """A pair up to its raw luma."""
        try:
            return self._fusion.plane(pair.a.array, pair.b.array, pair.b.time)
        except InputError as error:
            if not self.statistics.num_fused:
                raise
            after = f"after {self.statistics.seconds:.1f} s the size of a source changed"
            raise InputError(f"{after}: {error}") from error

    def _finish(self, plane: LivePlane, pair: LivePair, started: float, outputs: Sequence[Output]) -> None:
        """Give a pair its colour and hand it on."""
        fused = plane.finished()
        ended = time.monotonic()
        for output in outputs:
            output.put(fused)
        self.statistics.add(taken=pair.b.time, skew=pair.skew, fusing=ended - started)
        self.pairing.wake()

    def _check(self) -> None:
        """Raise what ended a source."""
        for capture in self.captures:
            if capture.bug is not None:
                raise capture.bug
            if capture.problem is not None:
                raise capture.problem

    def close(self) -> None:
        """End both sources."""
        for capture in self.captures:
            capture.stop()
        until = time.monotonic() + _GOODBYE
        for capture in self.captures:
            capture.join(max(0.0, until - time.monotonic()))

    def line(self, outputs: Sequence[Output]) -> tuple[str, bool]:
        """The running line, and whether something in it is amiss."""
        figures, drops = self.statistics, self.pairing.drops
        lost = drops.b + drops.unmatched + sum(output.num_dropped for output in outputs)
        text = (
            f"{figures.num_fused} frames, {figures.recent_rate:.1f} frames/s, delay {figures.delay.recent:.0f} ms, "
            f"skew {figures.skew.recent:.0f} ms, {lost} dropped"
        )
        troubles = [words for capture in self.captures if (words := self._trouble(capture)) is not None]
        return ", ".join([text, *troubles]), bool(troubles)

    def _trouble(self, capture: Capture) -> str | None:
        """What is amiss with a source, if anything."""
        quiet = time.monotonic() - self._came[capture.side] if self._came[capture.side] else 0.0
        if capture.state == "lost":
            return f"{capture.side} is lost for {quiet:.0f} s"
        return f"{capture.side} sends nothing for {quiet:.0f} s" if quiet > _STALLED else None

    def record(self) -> dict[str, Any] | None:
        """The record of the run for a sidecar, plain values; None if nothing was fused."""
        return self._fusion.record({capture.side: capture.name.shown for capture in self.captures})

    def to_json(self, outputs: Sequence[Output]) -> dict[str, Any]:
        """The summary of the run, plain values."""
        dropped = {**self.pairing.drops.to_json(), "output": sum(output.num_dropped for output in outputs)}
        return {
            **self.statistics.to_json(),
            "dropped": dropped,
            "sources": {capture.side: capture.to_json() for capture in self.captures},
        }
