"""Optical flow: where each pixel of a frame was in another one, and where that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError, InputError

DARK = 0.1
"""Mean luma of the visible frame below which flow comes from the infrared one. Source: spec daefuse 8.2."""
SMALLEST = 32
"""Shortest side of a frame: of 12 to 15 rows, OpenCV's search reads beyond its pyramid and ends the program."""

Plane = NDArray[np.float32]
Levels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Motion:
    """How one frame follows from the one before it."""

    backward: Plane
    """(H, W, 2): where each pixel was, as an offset of column and row."""
    valid: NDArray[np.bool_]
    """(H, W): where the way back and the way there cancel, and the way does not leave the picture."""


class Flow:
    """Dense inverse search of OpenCV, medium preset.

    Args:
        purpose: What needs it, for the message.

    Raises:
        DependencyError: If OpenCV is missing.
    """

    def __init__(self, purpose: str) -> None:
        try:
            import cv2
        except ImportError as error:
            raise DependencyError(f'{purpose} needs OpenCV: pip install "polyfuse[imaging]".') from error
        self._cv2, self._purpose = cv2, purpose
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def motion(self, before: Levels, after: Levels) -> Motion:
        """How `after` follows from `before`, both (H, W).

        Valid is where |b + f(b)|^2 <= 0.01 (|b|^2 + |f(b)|^2) + 0.5, b backward flow and f(b) forward flow where b
        leads.

        Raises:
            InputError: If a side is shorter than `SMALLEST`.
        Source: spec daefuse 8.3.
        """
        height, width = after.shape
        if min(height, width) < SMALLEST:
            raise InputError(
                f"{self._purpose} finds no motion in frames of {width}x{height}: give {SMALLEST} pixels a side or more"
            )
        backward, forward = self._offsets(after, before), self._offsets(before, after)
        there = self.moved(forward, backward)
        gap = ((backward + there) ** 2).sum(2)
        bound = 0.01 * ((backward**2).sum(2) + (there**2).sum(2)) + 0.5
        rows, columns = np.indices(gap.shape, np.float32) + np.moveaxis(backward, 2, 0)[::-1]
        inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
        return Motion(backward, np.asarray((gap <= bound) & inside))

    def _offsets(self, here: Levels, there: Levels) -> Plane:
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


def levels(plane: Plane) -> Levels:
    """A luma plane in [0, 1] as the search takes it."""
    return np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)


def is_dark(visible: Plane) -> bool:
    """Whether the visible frame shows too little to find motion in it."""
    return float(visible.mean()) < DARK
