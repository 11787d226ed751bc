"""How much a network's pictures change from frame to frame where the scene does not. Source: ours."""

from __future__ import annotations

from torch import Tensor

RIM = 16
"""Pixels at the border of a crop that are left out: networks treat borders differently from the middle of a picture."""


def steadiness(frames: Tensor, moved: int) -> Tensor:
    """Mean absolute difference of frame and next frame at the same places of the scene.

    Args:
        frames: (2N, 1, H, W): a frame, the next of the same scene, and so on.
        moved: Pixels by which each next frame is cut further to the right.

    Returns:
        Scalar, over all pixels that both frames show, without `RIM` pixels at their borders.
    """
    before, after = frames[0::2, ..., RIM:-RIM, RIM:-RIM], frames[1::2, ..., RIM:-RIM, RIM:-RIM]
    seen = before.shape[-1] - moved
    return (before[..., moved:] - after[..., :seen]).abs().mean()
