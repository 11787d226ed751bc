"""What filters along time have in common: how they are named, a fresh start at every cut, a state that can be kept."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError, UsageError

Plane = NDArray[np.float32]
State = dict[str, NDArray[Any]]

DEFAULT_SHARES = {"exponential": 0.6, "flow": 0.5}
"""Share of the new frame in the mix by kind of filter. Source: spec daefuse 8.2."""
CUT_CHANGE = 0.15
"""Mean absolute change from one fused frame to the next, in [0, 1], above which it is certainly a cut."""
CUT_DOUBTFUL = 0.05
"""Change below which it is no cut, whatever the histograms say."""
CUT_CORRELATION = 0.5
"""Between these two, a correlation of the frames' histograms below this makes it a cut."""
BINS = 64
"""Of these histograms."""


@dataclass(frozen=True)
class Temporal:
    """A filter along time as the user names it."""

    kind: str
    """A name of `DEFAULT_SHARES`."""
    share: float
    """Of the new frame, in (0, 1]; 1 changes nothing."""


def parse_temporal(text: str) -> Temporal | None:
    """Read the value of `--temporal`: None for "none".

    Raises:
        UsageError: If it is neither "none" nor "exponential" or "flow", alone or with ":SHARE" above 0, at most 1.
    """
    kind, _, share = text.partition(":")
    if text == "none":
        return None
    try:
        value = float(share) if share else DEFAULT_SHARES.get(kind, math.nan)
    except ValueError:
        value = math.nan
    if kind not in DEFAULT_SHARES or not 0 < value <= 1 or text.endswith(":"):
        raise UsageError(
            f"temporal {text!r} is unknown: use none, exponential or flow, the latter two also as KIND:SHARE, "
            "e.g. exponential:0.6."
        )
    return Temporal(kind, value)


class TemporalFilter(ABC):
    """A recursive filter: each frame is mixed with what is carried over from the one before it.

    Args:
        share: Of the new frame, in (0, 1]; 1 changes nothing.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.cuts: list[int] = []
        """Numbers of the frames, from 0, before which a cut was found."""
        self._count = 0
        self._carried: State = {}
        self._restored = False

    def __call__(self, fused: Plane, a: Plane, b: Plane) -> Plane:
        """Filter the next frame.

        Args:
            fused: Fused luma, (H, W) in [0, 1].
            a: Luma of the first source, (H, W) in [0, 1].
            b: Luma of the second.

        Returns:
            (H, W) float32, about [0, 1].
        """
        if self._restored:
            _check_like(self._carried, {**self._step(fused, a, b, {})[1], "fused": fused})
            self._restored = False
        if self._carried and is_cut(self._carried["fused"], fused):
            self.cuts.append(self._count)
            self._carried = {}
        result, carried = self._step(fused, a, b, self._carried)
        self._carried = {**carried, "fused": fused}
        self._count += 1
        return result

    @abstractmethod
    def _step(self, fused: Plane, a: Plane, b: Plane, before: State) -> tuple[Plane, State]:
        """The filtered frame, and what to carry over; `before` is empty after a cut, else it also has "fused"."""

    def state(self) -> State:
        """Everything the filter has to know of the frames so far, as arrays."""
        return {**self._carried, "count": np.array([self._count]), "cuts": np.array(self.cuts, np.int64)}

    def restore(self, state: State) -> None:
        """Take over a state from `state`: this filter goes on as that one would have.

        Raises:
            InputError: If it is none. Whether it fits the frames is seen at the next one.
        """
        kinds = [(array.dtype.name, array.ndim) for name in ("count", "cuts") if (array := state.get(name)) is not None]
        if kinds != [("int64", 1)] * 2 or len(state["count"]) != 1:
            raise InputError(_UNFIT)
        self._restored = True
        self._carried = {name: array.copy() for name, array in state.items() if name not in ("count", "cuts")}
        self._count, self.cuts = int(state["count"][0]), [int(number) for number in state["cuts"]]


_UNFIT = "what an earlier run kept of the temporal filter is damaged or of other frames: pass --overwrite to begin anew"


def _check_like(state: State, fresh: State) -> None:
    """Compare what was carried over with what the filter makes of a frame.

    Raises:
        InputError: If names, types or shapes differ, or values are not finite.
    """
    fits = not state or state.keys() == fresh.keys()
    for name, array in state.items():
        fits = fits and (array.dtype, array.shape) == (fresh[name].dtype, fresh[name].shape)
        fits = fits and bool(np.isfinite(array).all())
    if not fits:
        raise InputError(_UNFIT)


def is_cut(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether another scene begins: a large mean change, or a fair one with another histogram.

    # ours: spec daefuse 8.2 takes the histogram alone as enough; a flat scene that brightens by one bin would then be
    # a cut.
    """
    change = float(np.abs(after - before).mean())
    if change < CUT_DOUBTFUL or change > CUT_CHANGE:
        return change > CUT_CHANGE
    counts = [np.histogram(plane, BINS, (0.0, 1.0))[0].astype(np.float64) for plane in (before, after)]
    deviations = [count - count.mean() for count in counts]
    scale = math.sqrt(float((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum()))
    return scale > 0 and float((deviations[0] * deviations[1]).sum()) / scale < CUT_CORRELATION
