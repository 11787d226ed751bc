"""Some frames of two clips, evenly spaced, each with its partner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from polyfuse.io import DEFAULT_MAX_PIXELS
from polyfuse.video.fusing import step_of
from polyfuse.video.pairing import FramePairs
from polyfuse.video.sources import describe


def sampled_pairs(
    a: str | os.PathLike[str], b: str | os.PathLike[str], wanted: int, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """About `wanted` frames of b and the frames of a nearest in time, from the first on.

    Args:
        a: A clip.
        b: A clip.
        wanted: How many pairs, at most.
        max_pixels: Largest width times height of a frame.

    Yields:
        "frame N", the frame of a and the frame of b, (H, W) or (H, W, 3).

    Raises:
        InputError: If a clip cannot be decoded.
        DependencyError: If PyAV is missing.
    """
    info_a, info_b = (describe(path, max_pixels=max_pixels) for path in (a, b))
    step, given = step_of(info_b.num_frames, wanted), 0
    for number, (frame_a, frame_b) in enumerate(FramePairs(info_a, info_b)):
        if number % step == 0:
            yield f"frame {number}", frame_a.array, frame_b.array
            given += 1
            if given == wanted:
                return
