"""Which frame of `a` belongs to which frame of `b`: the nearest in time, both clips counted from their first frame."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction

from polyfuse.errors import InputError
from polyfuse.io.source import counted, shown
from polyfuse.video.reader import ClipInfo, Frame
from polyfuse.video.sources import read_frames

LOST_SHARE = 0.02
"""Share of the frames its header announces that a clip may lack before it counts as cut off. One more may always be
missing, because headers give rounded durations."""


class FramePairs:
    """The frames of `b`, each with the frame of `a` nearest in time, until one of the clips ends.

    The visible clip sets the pace because people watch it and its sound belongs to it. The last frame of `a` lasts one
    period of `a`, within half a period of `b`.

    Args:
        a: The first clip.
        b: The clip whose frames and time stamps the result has.
    """

    def __init__(self, a: ClipInfo, b: ClipInfo) -> None:
        self.a, self.b = a, b
        self._ending = ""
        self._seen, self._damaged = {"a": 0, "b": 0}, {"a": 0, "b": 0}

    def __iter__(self) -> Generator[tuple[Frame, Frame], None, None]:
        """Decode both clips from their beginning, in step.

        Raises:
            InputError: If a clip cannot be decoded.
        """
        self._ending, self._seen, self._damaged = "", {"a": 0, "b": 0}, {"a": 0, "b": 0}
        frames_a = self._counted("a", self.a)
        current = next(frames_a, None)
        if current is None:
            raise InputError(f"{shown(self.a.path)} has no frame that can be decoded: get it again")
        following = next(frames_a, None)
        end = Fraction(0)
        for frame in self._counted("b", self.b):
            while following is not None and abs(following.time - frame.time) < abs(current.time - frame.time):
                current, following = following, next(frames_a, None)
            limit = max(current.time + self.a.period - self.b.period / 2, current.time + self.b.time_base)
            if following is None and frame.time >= limit:
                self._ending = f"a ends after {float(current.time + self.a.period):.2f} s: the rest of b is left out"
                return
            end = frame.time + self.b.period
            yield current, frame
        while following is not None and following.time < end - self.a.period / 2:
            following = next(frames_a, None)
        if following is not None:
            self._ending = f"b ends after {float(end):.2f} s: the rest of a is left out"

    def _counted(self, name: str, info: ClipInfo) -> Iterator[Frame]:
        """The frames of one clip, while those decoded and those damaged are counted."""
        for frame in read_frames(info):
            self._seen[name] += 1
            self._damaged[name] += frame.is_damaged
            yield frame

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, complete once all pairs were taken."""
        notes = []
        if abs(self.a.rate / self.b.rate - 1) > 0.01:
            notes.append(
                f"a has {float(self.a.rate):g} frames/s and b {float(self.b.rate):g}: "
                "each frame of b takes the nearest of a"
            )
        if self._ending:
            notes.append(self._ending)
        ended = self._ending[:1]  # name of the shorter clip; the other was not read to its end
        for name, info in (("a", self.a), ("b", self.b)):
            if self._damaged[name]:
                notes.append(f"{name} has {counted(self._damaged[name], 'damaged frame')}: look at the result there")
            read_whole = ended in ("", name)
            if read_whole and self._seen[name] < (1 - LOST_SHARE) * info.num_frames - 1:
                notes.append(f"only {self._seen[name]} of {info.num_frames} frames of {name} are there: it is cut off")
        return tuple(notes)
