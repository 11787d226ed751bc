"""Fusing pairs that go on and on: what is decided holds until a source changes, and ranges follow the scene slowly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment.apply import resampler_of
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.conventions import Conventions, Pixels, decide, finished, model_input
from polyfuse.fusion.fuser import Fuser, coverage_of
from polyfuse.fusion.models import Model
from polyfuse.fusion.sources import same_size
from polyfuse.fusion.stretch import OutputRange
from polyfuse.io import Picture
from polyfuse.transforms import RangeRecord, measure_range, parse_range, quantise, to_unit

MEASURED_EVERY = 0.5
"""Seconds between two looks at the range of a source."""
SETTLING = 2.0
"""Seconds in which a range goes most of the way (1 - 1/e) to a new scene, so that brightness does not pump."""
_WARM_SHAPE = (96, 128)
View = Literal["fused", "a", "b"]
VIEWS: tuple[View, ...] = ("fused", "a", "b")


@dataclass(frozen=True, eq=False)
class LiveFused:
    """A fused frame and what it was made of."""

    image: NDArray[np.uint8]
    """(H, W) or (H, W, 3), RGB."""
    a: Picture
    """First source at the size of the result."""
    b: Picture
    """Second source, the same."""
    conventions: Conventions
    """How their values become [0, 1]."""
    taken: float
    """When b's frame was taken, on the clock of `time.monotonic`."""
    seconds: float
    """The same after the first frame fused."""

    def view(self, name: View) -> NDArray[np.uint8]:
        """The fused picture or one of its sources as it is shown, (H, W) or (H, W, 3) in 8 bits."""
        if name == "fused":
            return self.image
        pixels = (self.a if name == "a" else self.b).array
        record = self.conventions.range_a if name == "a" else self.conventions.range_b
        if pixels.dtype == np.uint8 and record.mode == "full" and name != "a":
            return pixels
        if name == "a" and self.a.is_grey:  # as the model sees it, so that warm is bright
            shown = quantise(model_input(pixels, self.conventions, "a"), 8)
        else:
            shown = quantise(to_unit(pixels, record), 8)
        return np.asarray(shown, np.uint8)


@dataclass(frozen=True, eq=False)
class LivePlane:
    """What a model made of a pair, before colour and depth are put back."""

    plane: NDArray[np.float32]
    """Raw output, (H, W)."""
    a: Picture
    """First source at the size of the result."""
    b: Picture
    """Second source, the same."""
    fuser: Fuser
    """What finishes it."""
    taken: float
    """When b's frame was taken."""
    seconds: float
    """The same after the first frame fused."""

    def finished(self) -> LiveFused:
        """The frame, made in any thread, whichever pair is fused meanwhile."""
        fuser, one, other = self.fuser, self.a, self.b
        plane = fuser.completed(fuser.stretched(self.plane), one, other)
        carrier = fuser.conventions.carrier_of(one.array, other.array)
        image = np.asarray(finished(plane, carrier, fuser.conventions), np.uint8)
        return LiveFused(image, one, other, fuser.conventions, self.taken, self.seconds)


class LiveFusion:
    """Fuses one pair of frames after another.

    Ranges that have to be measured, of a source or of the model's output, are measured on the first pair and then
    follow the scene: every half second a source is looked at, and the range goes a part of the way.

    Args:
        model: What fuses.
        options: How; results have 8 bits.
        tell: Takes a note for the user, each one once.
    """

    def __init__(self, model: Model, options: FuseOptions, tell: Callable[[str], None]) -> None:
        self._model, self._options = model, options.changed({"bit_depth": "8"})
        self._tell, self._told = tell, set[str]()
        self._kind: tuple[Any, ...] | None = None
        self._fuser: Fuser | None = None
        self._last: tuple[Picture, Picture] | None = None
        self._measured = self._began = self._fused = 0.0

    def warm_up(self) -> None:
        """Load kernels, start threads and work out the warp, on a picture that shows nothing."""
        if self._options.warp is not None:
            resampler_of(self._options.aligning, self._options.frame)
        blank = np.zeros(_WARM_SHAPE, np.uint8)
        conventions, _ = decide(Picture(blank), Picture(blank), FuseOptions(), self._model.provenance)
        Fuser(self._model, FuseOptions(), conventions).plane(Picture(blank), Picture(blank))

    def record(self, names: Mapping[str, str]) -> dict[str, Any] | None:
        """The record of the last pair, for a sidecar; None before the first.

        Args:
            names: What the sources "a" and "b" are called.
        """
        if self._fuser is None or self._last is None:
            return None
        record = self._fuser.record(*self._last, num_tiles=1, seconds=0.0)
        for side, name in names.items():
            record["sources"][side]["path"] = name
        return record

    def __call__(self, a: Pixels, b: Pixels, taken: float) -> LiveFused:
        """Fuse a pair; arguments and errors as of `plane`."""
        return self.plane(a, b, taken).finished()

    def plane(self, a: Pixels, b: Pixels, taken: float) -> LivePlane:
        """Fuse a pair up to its raw luma.

        Args:
            a: Frame of the first source, (H, W) or (H, W, 3); uint8 or uint16.
            b: Frame of the second.
            taken: When it was taken, seconds.

        Raises:
            InputError: If the sizes do not go together.
        """
        one, other, size_notes = same_size(Picture(a), Picture(b), self._options)
        kind = (a.shape, a.dtype, b.shape, b.dtype)
        if self._fuser is None or kind != self._kind:
            conventions, notes = decide(one, other, self._options, self._model.provenance)
            self._say((*size_notes, *notes))
            self._began = self._began or taken
            self._fuser, self._kind = Fuser(self._model, self._options, conventions), kind
            self._measured = taken
        elif taken - self._measured > MEASURED_EVERY:
            self._follow(one, other, taken - self._measured)
            self._measured = taken
        fuser, self._last = self._fuser, (one, other)
        plane, _ = fuser.plane(one, other)
        fuser = self._with_output_range(fuser, plane, one, other, taken)
        return LivePlane(plane, one, other, fuser, taken, taken - self._began)

    def _say(self, notes: tuple[str, ...]) -> None:
        """Tell notes that were not told yet."""
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                self._tell(note)

    def _follow(self, a: Picture, b: Picture, seconds: float) -> None:
        """Bring measured ranges a part of the way to what the sources have now."""
        if self._fuser is None:
            return
        conventions = self._fuser.conventions
        share = _share(seconds)
        followed = replace(
            conventions,
            range_a=_followed(conventions.range_a, a, share),
            range_b=_followed(conventions.range_b, b, share),
        )
        self._fuser = replace(self._fuser, conventions=followed)

    def _with_output_range(
        self, fuser: Fuser, plane: NDArray[np.float32], a: Picture, b: Picture, taken: float
    ) -> Fuser:
        """The same with the range of the model's output, where it is stretched at all."""
        how = fuser.stretch
        if how is None:
            return fuser
        coverage = coverage_of(a, b)
        now = OutputRange.measured(plane if coverage is None else plane[coverage > 0], how)
        if (known := fuser.output_range) is not None:
            share = _share(taken - self._fused)
            now = OutputRange(known.low + share * (now.low - known.low), known.high + share * (now.high - known.high))
        self._fused = taken
        self._fuser = replace(fuser, output_range=now)
        return self._fuser


def _share(seconds: float) -> float:
    """Which part of the way to a new range is gone after so long."""
    return float(1 - np.exp(-max(0.0, seconds) / SETTLING))


def _followed(known: RangeRecord, picture: Picture, share: float) -> RangeRecord:
    """A range that goes a part of the way to what a picture has now; one that was given stays."""
    if not known.mode.startswith(("minmax", "percentile")):
        return known
    pixels = picture.array if picture.coverage is None else picture.array[picture.coverage > 0][None]
    now = measure_range(pixels, parse_range(known.mode))
    low, high = known.low + share * (now.low - known.low), known.high + share * (now.high - known.high)
    return replace(known, low=low, high=max(low, high))
