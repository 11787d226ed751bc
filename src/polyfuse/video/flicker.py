"""How steady a clip is: flicker of its mean brightness and of still pixels, and what changes beyond the scene's motion.

Flow is computed on a source, never on what is judged, so that methods are compared on equal flow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError
from polyfuse.video.flow import Flow, Motion, is_dark, levels

FLOOR = 1e-5
"""Flicker or warping error below which a source counts as perfectly steady."""
ENOUGH = 0.5
"""Share of pixels that must have a valid flow for a warping error to mean anything."""
STILL = 0.25
"""Length of the flow, pixels, below which a pixel counts as still."""

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Steadiness:
    """Figures of a clip: each as it is, and divided by that of the less steady source; NaN where it is not defined."""

    flicker: float
    """Mean absolute second difference of the frames' means, [0, 2]."""
    flicker_ratio: float
    """The same divided by that of the less steady source; at most about 1.2 for a steady method."""
    warping: float
    """Mean difference from the frame before it, moved as the source moved, [0, 1]."""
    warping_ratio: float
    """The same divided by that of the less steady source; at most about 1.1 for a steady method."""
    pixel_flicker: float
    """Mean absolute second difference of still pixels, [0, 2]."""
    pixel_ratio: float
    """The same divided by that of the less steady source."""


class SteadinessOf:
    """Judges clips fused from one pair of sources; their flow is computed once.

    Args:
        a: Luma of the first source, (H, W) in [0, 1] each.
        b: Luma of the visible source, same sizes; flow comes from it, from a while it is dark.

    Raises:
        InputError: If the numbers of frames differ, or frames are too small for flow.
        DependencyError: If OpenCV is missing.
    Source: spec daefuse 8.3.
    """

    def __init__(self, a: Sequence[Plane], b: Sequence[Plane]) -> None:
        if len(a) != len(b):
            raise InputError(f"a has {len(a)} frames and b {len(b)}: give as many of both")
        self._flow = Flow("the warping error")
        self._motions = [
            self._flow.motion(*(levels(plane) for plane in (pair_a if is_dark(pair_b[1]) else pair_b)))
            for pair_a, pair_b in zip(pairwise(a), pairwise(b), strict=True)
        ]
        self._sources = [self._figures(clip) for clip in (a, b)]

    def __call__(self, frames: Sequence[Plane]) -> Steadiness:
        """Judge a clip; it may be shorter than its sources.

        Args:
            frames: (H, W) in [0, 1] each.
        """
        own = self._figures(frames)
        with_ratios = [(value, over(value, *of)) for value, *of in zip(own, *self._sources, strict=True)]
        return Steadiness(*(number for both in with_ratios for number in both))

    def _figures(self, frames: Sequence[Plane]) -> tuple[float, float, float]:
        """Flicker, warping error, flicker of still pixels."""
        motions = self._motions[: max(len(frames) - 1, 0)]
        return (
            flicker([float(frame.mean()) for frame in frames]),
            warping_error(frames, motions, self._flow),
            pixel_flicker(frames, motions),
        )


def over(value: float, *sources: float) -> float:
    """A figure divided by that of the less steady source; sources for which it is not defined do not count."""
    return value / max(source for source in (*sources, FLOOR) if not math.isnan(source))


def flicker(means: Sequence[float]) -> float:
    """Mean absolute second difference of the frames' means; NaN below three frames.

    Steady brightening is no flicker, jumping up and down is.

    Args:
        means: Mean luma of each frame, [0, 1].
    """
    if len(means) < 3:
        return float("nan")
    return float(np.abs(np.diff(np.asarray(means, np.float64), 2)).mean())


def flicker_ratio(fused: Sequence[float], a: Sequence[float], b: Sequence[float]) -> float:
    """Flicker of the fused clip over that of its less steady source; at most about 1 for a steady method."""
    return over(flicker(fused), flicker(a), flicker(b))


def warping_error(frames: Sequence[Plane], motions: Sequence[Motion], flow: Flow) -> float:
    """Mean difference of each frame from the one before it, moved as the source moved.

    Where forward and backward flow contradict each other (occlusion) a pixel does not count; a pair of frames with
    fewer than half of its pixels left does not either.

    Args:
        frames: What is judged, (H, W) in [0, 1] each.
        motions: From each frame of the source to the next, one fewer.
        flow: What computed the motions; it moves the frames along them.

    Returns:
        Mean over frames of the mean over valid pixels, in [0, 1]; NaN if no pair of frames counts.
    """
    errors = [
        float(np.abs(after - flow.moved(before, motion.backward))[motion.valid].mean())
        for (before, after), motion in zip(pairwise(frames), motions, strict=True)
        if motion.valid.mean() >= ENOUGH
    ]
    return float(np.mean(errors)) if errors else float("nan")


def pixel_flicker(frames: Sequence[Plane], motions: Sequence[Motion]) -> float:
    """Mean absolute second difference of the pixels that are still.

    # ours: still in both steps of the difference; spec daefuse 8.3 names one.

    Args:
        frames: What is judged, (H, W) in [0, 1] each.
        motions: From each frame of the source to the next, one fewer.

    Returns:
        Mean over frames of the mean over still pixels, in [0, 2]; NaN if no pixel is still.
    """
    still = [(motion.backward**2).sum(2) < STILL**2 for motion in motions]
    changes = []
    for number, (before, after) in enumerate(pairwise(still)):
        one, two, three = frames[number : number + 3]
        if (both := before & after).any():
            changes.append(float(np.abs(three - 2 * two + one)[both].mean()))
    return float(np.mean(changes)) if changes else float("nan")
