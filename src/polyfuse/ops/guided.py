"""The guided filter of He, Sun and Tang: a picture smoothed along the edges of another one."""

from __future__ import annotations

from torch import Tensor

from polyfuse.ops.boxes import box_mean

GREY = 0.5
"""Taken off both pictures: it does not change the result, but float32 keeps small variances of numbers near 0 only."""


def guided_filter(guide: Tensor, x: Tensor, radius: int, steady: float) -> Tensor:
    """Per window the line through (guide, x) with the least squares; per pixel the mean of the lines of its windows.

    Args:
        guide: (N, C, H, W), about [0, 1].
        x: What is smoothed, the same shape.
        radius: Of a window, pixels; windows are cut at the border. The result reaches 2 radius.
        steady: Variance of the guide, white is 1, above which an edge is kept (epsilon of the paper).

    Returns:
        The same shape.

    Source: He, Sun and Tang 2010, "Guided image filtering".
    """
    guide = guide - GREY
    mean_guide, mean_x = box_mean(guide, radius), box_mean(x - GREY, radius)
    variance = box_mean(guide.square(), radius) - mean_guide.square()
    covariance = box_mean(guide * (x - GREY), radius) - mean_guide * mean_x
    slope = covariance / (variance.clamp_(min=0) + steady)
    offset = mean_x - slope * mean_guide
    return box_mean(slope, radius) * guide + (box_mean(offset, radius) + GREY)
