"""Which frame of `a` belongs to which frame of `b`: the nearest in time, both clips counted from their first frame."""

from __future__ import annotations

from collections.abc import Iterator

from polyfuse.errors import InputError
from polyfuse.video.reader import ClipInfo, Frame, read_frames


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
        self._ending: list[str] = []
        self._num_a = self._num_b = 0

    def __iter__(self) -> Iterator[tuple[Frame, Frame]]:
        """Decode both clips from their beginning, in step."""
        self._ending, self._num_a, self._num_b = [], 0, 0
        frames_a, frames_b = read_frames(self.a), read_frames(self.b)
        current = next(frames_a, None)
        if current is None:
            raise InputError(f"{self.a.path} has no frame that can be decoded: get it again")
        self._num_a = 1
        following = next(frames_a, None)
        for frame in frames_b:
            while following is not None and abs(following.time - frame.time) < abs(current.time - frame.time):
                current, following = following, next(frames_a, None)
                self._num_a += 1
            if following is None and frame.time >= current.time + self.a.period - self.b.period / 2:
                self._ending = [f"a ends after {float(current.time + self.a.period):.2f} s: the rest of b is left out"]
                return
            self._num_b += 1
            end = frame.time + self.b.period
            yield current, frame
        if following is not None and following.time >= end + self.a.period / 2:
            self._ending = [f"b ends after {float(end):.2f} s: the rest of a is left out"]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, complete once all pairs were taken."""
        notes = []
        if abs(self.a.rate / self.b.rate - 1) > 0.01:
            notes.append(
                f"a has {float(self.a.rate):g} frames/s and b {float(self.b.rate):g}: "
                "each frame of b takes the nearest of a"
            )
        if not self._ending:
            for name, info, seen in (("a", self.a, self._num_a), ("b", self.b, self._num_b)):
                if seen < 0.98 * info.num_frames - 1:
                    notes.append(f"{name} has {seen} frames of {info.num_frames}: the file is cut off")
        return (*notes, *self._ending)
