"""A thread that keeps one source open and hands over its frames as they come, through losses and new connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from polyfuse.errors import InputError, PolyfuseError
from polyfuse.live.clock import JUMP, ArrivalClock, Pace
from polyfuse.live.frames import LiveFrame, OpenSource, opened, wanted_format
from polyfuse.live.naming import SourceName

FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""Seconds before the first further try to connect; each time twice as long, up to this."""
LATE = 1.0
"""Seconds by which decoding may fall behind before frames are left out, or a clip is played slower."""
_ENDING_SHARE = 0.02
"""Share of its length that may lack when a recording ends by itself; if more is missing, it was cut off."""

State = Literal["opening", "runs", "lost", "ended", "failed"]


@dataclass(frozen=True)
class CaptureOptions:
    """How a source is read."""

    timeout: float = 10.0
    """Seconds to wait for an answer, and for data."""
    reconnect: float = 60.0
    """Seconds for which a source that was lost is tried again; 0 for never."""
    realtime: bool | None = None
    """Whether frames are held back until their time; None: those of a file, or of an address that says how long its
    recording is."""
    loop: bool = False
    """Whether a clip begins again where it ends."""


class Capture:
    """Reads one source in a thread of its own.

    Args:
        side: "a" or "b".
        name: What it is.
        options: How it is read.
        pace: Shared by all sources.
        deliver: Takes each frame, in that thread; must not wait.
        tell: Takes a line for the user.
        changed: Called in that thread whenever the state changes.
        keep_colour: Whether frames count as colour though the first shows none.
    """

    def __init__(
        self,
        side: Literal["a", "b"],
        name: SourceName,
        options: CaptureOptions,
        pace: Pace,
        deliver: Callable[[str, LiveFrame], None],
        tell: Callable[[str], None],
        changed: Callable[[], None],
        *,
        keep_colour: bool,
    ) -> None:
        self.side, self.name, self._options, self._pace = side, name, options, pace
        self._deliver, self._tell, self._changed = deliver, tell, changed
        self._keep_colour = keep_colour
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"polyfuse live {side}", daemon=True)
        self.state: State = "opening"
        """What it is doing."""
        self.problem: PolyfuseError | None = None
        """Why it failed."""
        self.bug: BaseException | None = None
        """What escaped the thread though it should not have."""
        self.num_frames = self.num_losses = self.num_damaged = 0
        """Counted over all connections."""
        self.rate = Fraction(25)
        """Frames a second, as the header says."""
        self.codec = ""
        """FFmpeg's name of the codec."""
        self._is_recording = False
        self._played = 0.0  # where on the shared pace the next turn of a clip begins, seconds

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it may take until its source answers."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread, but not for a source that does not answer: the thread ends with the process."""
        self._thread.join(seconds)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the summary."""
        return {
            "source": self.name.shown,
            "state": self.state,
            "frames": self.num_frames,
            "losses": self.num_losses,
            "damaged": self.num_damaged,
        }

    def _set(self, state: State) -> None:
        self.state = state
        self._changed()

    def _work(self) -> None:
        """Connect, play, and connect again, until there is nothing more to come."""
        lost_at, wait = None, FIRST_WAIT
        try:
            while not self._stop.is_set():
                before = self.num_frames
                try:
                    self._play()
                    if self._is_recording or self._stop.is_set():
                        return self._set("ended")
                    problem: PolyfuseError = InputError(f"{self.name.shown} has ended: start its sender again.")
                except InputError as error:
                    problem = error
                if self.num_frames > before or lost_at is None:
                    lost_at, wait = time.monotonic(), FIRST_WAIT
                gone_for = time.monotonic() - lost_at
                if self.name.kind == "file" or not self.num_frames or gone_for + wait > self._options.reconnect:
                    self.problem = problem
                    return self._set("failed")
                if self.state != "lost":
                    self.num_losses += 1
                    self._tell(f"{self.side}: {str(problem).rstrip('.')}; trying again")
                    self._set("lost")
                self._stop.wait(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            self._set("ended")
        except PolyfuseError as error:
            self.problem = error
            self._set("failed")
        except BaseException as error:  # told by whoever waits for frames; a thread's own end is silent
            self.bug = error
            self._set("failed")

    def _play(self) -> None:
        """Hand over the frames of one connection."""
        with opened(self.name, self._options.timeout) as source:
            self.rate, self.codec = source.rate, source.codec
            recorded = self.name.kind == "file" or (
                self.name.url.startswith("http") and source.seconds is not None and self._options.realtime is not False
            )
            self._is_recording = recorded
            paced = recorded if self._options.realtime is None else self._options.realtime
            try:
                if paced:
                    self._play_paced(source)
                else:
                    self._play_live(source)
            finally:
                self.num_damaged += source.num_damaged
        if self._is_recording and self._options.loop and not self._stop.is_set():
            self._play_on()

    def _play_on(self) -> None:
        """Play a clip again and again, each time from where the last one ended."""
        while not self._stop.is_set():
            with opened(self.name, self._options.timeout) as source:
                self._play_paced(source)

    def _play_live(self, source: OpenSource) -> None:
        """Hand over frames as they come."""
        clock, skipping, wanted = ArrivalClock(), False, None
        for frame, stamp in source.frames(self._options.timeout, ahead=False):
            if self._stop.is_set():
                return
            now = time.monotonic()
            taken = clock.time_of(stamp, now)
            if (now - taken > LATE) != skipping:
                skipping = not skipping
                source.skip(all_but_key=skipping)
            wanted = self._wanted(frame, wanted)
            self._hand_over(frame, taken, wanted[1])

    def _play_paced(self, source: OpenSource) -> None:
        """Hand over frames when their time has come."""
        first = last = None
        wanted = None
        begin, period = self._played, float(1 / source.rate)
        for frame, stamp in source.frames(self._options.timeout, ahead=True):
            following = 0.0 if last is None else last + period
            if stamp is None:
                stamp = following
            if first is not None and last is not None and not last <= stamp < last + JUMP:
                first += stamp - following  # stamps begin anew, as where clips were joined
            if first is None:
                first = stamp
                self._pace.ready(self.side)
                if not self._pace.wait(self._stop):
                    return
                if self.state == "lost":  # a recording that was lost begins again now
                    begin = time.monotonic() - self._pace.due(0.0)
            last = stamp
            seconds = begin + stamp - first
            due = self._pace.due(seconds)
            if (late := time.monotonic() - due) > LATE:
                self._pace.slip(late)
                due += late
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            wanted = self._wanted(frame, wanted)
            self._hand_over(frame, due, wanted[1])
            self._played = seconds + period
        played = self._played - begin
        if first is None:
            raise InputError(f"{self.name.shown} has no frame that can be decoded: get it again.")
        if self.name.kind == "address" and source.seconds and played < (1 - _ENDING_SHARE) * source.seconds - 1:
            raise InputError(f"{self.name.shown} broke off after {played:.1f} of {source.seconds:.1f} s: check it.")

    def _wanted(self, frame: Any, known: tuple[tuple[int, int, str], str] | None) -> tuple[tuple[int, int, str], str]:
        """The kind of a frame, and the format it is wanted in, looked at anew where the kind changes."""
        kind = (frame.width, frame.height, frame.format.name)
        if known is not None and known[0] == kind:
            return known
        return kind, wanted_format(frame, keep_colour=self._keep_colour)

    def _hand_over(self, decoded: Any, taken: float, wanted: str) -> None:
        """Deliver one frame."""
        self.num_frames += 1
        if self.state != "runs":
            if self.state == "lost":
                self._tell(f"{self.side}: {self.name.shown} is back")
            self._pace.ready(self.side)
            self._set("runs")
        self._deliver(self.side, LiveFrame(self.num_frames, taken, decoded, wanted))
