"""How steady a clip is: flicker of its mean brightness, and what changes beyond the motion of the scene.

Flow is computed on a source, never on what is judged, so that methods are compared on equal flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError

FLOOR = 1e-5
"""Flicker below which a source counts as perfectly steady."""
ENOUGH = 0.5
"""Share of pixels that must have a valid flow for a warping error to mean anything."""

Plane = NDArray[np.float32]


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
    return flicker(fused) / max(flicker(a), flicker(b), FLOOR)


def warping_error(frames: Iterable[Plane], source: Iterable[Plane]) -> float:
    """Mean difference of each frame from the one before it, moved as the source moved.

    Where forward and backward flow contradict each other (occlusion) a pixel does not count; a pair of frames with
    fewer than half of its pixels left does not either.

    Args:
        frames: What is judged, (H, W) in [0, 1] each.
        source: The source with more texture, same sizes.

    Returns:
        Mean over frames of the mean over valid pixels, in [0, 1]; NaN if no pair of frames counts.

    Raises:
        DependencyError: If OpenCV is missing.
    Source: spec, section 8.3.
    """
    flow = _Flow()
    errors: list[float] = []
    before: tuple[Plane, NDArray[np.uint8]] | None = None
    for frame, seen in zip(frames, source, strict=True):
        levels = np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8)
        if before is not None:
            backward = flow.between(levels, before[1])
            valid = flow.valid(flow.between(before[1], levels), backward)
            if valid.mean() >= ENOUGH:
                errors.append(float(np.abs(frame - flow.moved(before[0], backward))[valid].mean()))
        before = frame, levels
    return float(np.mean(errors)) if errors else float("nan")


class _Flow:
    """Dense inverse search of OpenCV, medium preset.

    Raises:
        DependencyError: If OpenCV is missing.
    """

    def __init__(self) -> None:
        try:
            import cv2
        except ImportError as error:
            raise DependencyError('the warping error needs OpenCV: pip install "polyfuse[imaging]".') from error
        self._cv2 = cv2
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def between(self, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> Plane:
        """Where each pixel of `here` lies in `there`, as an offset (H, W, 2) of column and row."""
        return np.asarray(self._search.calc(here, there, np.zeros((*here.shape, 2), np.float32)), np.float32)

    def moved(self, plane: Plane, offsets: Plane) -> Plane:
        """Sample a plane or a field at each pixel plus its offset, bilinearly."""
        rows, columns = np.indices(offsets.shape[:2], np.float32)
        sampled = self._cv2.remap(
            plane, columns + offsets[..., 0], rows + offsets[..., 1], self._cv2.INTER_LINEAR,
            borderMode=self._cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return np.asarray(sampled, np.float32)

    def valid(self, forward: Plane, backward: Plane) -> NDArray[np.bool_]:
        """Where the way back and the way there cancel, and the way does not leave the picture."""
        there = self.moved(forward, backward)
        gap = ((backward + there) ** 2).sum(2)
        bound = 0.01 * ((backward**2).sum(2) + (there**2).sum(2)) + 0.5
        rows, columns = np.indices(gap.shape, np.float32) + np.moveaxis(backward, 2, 0)[::-1]
        inside = (rows >= 0) & (rows <= gap.shape[0] - 1) & (columns >= 0) & (columns <= gap.shape[1] - 1)
        return np.asarray((gap <= bound) & inside)
