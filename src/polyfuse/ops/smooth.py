"""Smoothing of whole pictures that repeats the edge pixel: Gaussian, bilateral, median of 3 x 3.

Sums of shifted copies, in an order that does not depend on the place: a tile has the values of the whole.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.windows import correlate


def gaussian(x: Tensor, sigma: float, radius: int) -> Tensor:
    """Gaussian of (2 radius + 1)^2 taps.

    Args:
        x: (N, C, H, W), any size from 1 x 1.
        sigma: Pixels, positive.
        radius: Of the window, pixels.

    Returns:
        The same shape.
    """
    taps = [math.exp(-(offset**2) / (2 * sigma**2)) for offset in range(-radius, radius + 1)]
    weights = [tap / sum(taps) for tap in taps]
    padded = functional.pad(x, (radius,) * 4, mode="replicate")
    return correlate(correlate(padded, weights, -2), weights, -1)


def bilateral(x: Tensor, sigma: float, sigma_range: float, radius: int, step: int = 1) -> Tensor:
    """Mean of neighbours, weighed by distance and by likeness.

    Args:
        x: (N, C, H, W), any size from 1 x 1.
        sigma: Of the Gaussian of the distance, pixels.
        sigma_range: Of the Gaussian of the difference in value.
        radius: Of the window, pixels; a multiple of `step`.
        step: Takes every so many pixels of the window in either direction, for pictures that are smooth already.

    Returns:
        The same shape.

    Source: Tomasi and Manduchi 1998.
    """
    padded = functional.pad(x, (radius,) * 4, mode="replicate")
    height, width = x.shape[-2:]
    total, weights = x.clone(), torch.ones_like(x)
    places = range(-radius, radius + 1, step)
    for down in places:
        for right in places:
            if down or right:
                neighbour = padded[..., radius + down :, radius + right :][..., :height, :width]
                weight = (neighbour - x).square_().mul_(-0.5 / sigma_range**2)
                weight = weight.add_(-(down**2 + right**2) / (2 * sigma**2)).exp_()
                weights = weights.add_(weight)
                total = total.addcmul_(weight, neighbour)
    return total / weights


def median_3x3(x: Tensor) -> Tensor:
    """Median of each pixel and its eight neighbours.

    Args:
        x: (N, C, H, W), any size from 1 x 1.

    Returns:
        The same shape.
    """
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    low, middle, high = _sorted(padded[..., :-2, :], padded[..., 1:-1, :], padded[..., 2:, :])
    lowest = torch.maximum(torch.maximum(low[..., :-2], low[..., 1:-1]), low[..., 2:])
    highest = torch.minimum(torch.minimum(high[..., :-2], high[..., 1:-1]), high[..., 2:])
    centre = _sorted(middle[..., :-2], middle[..., 1:-1], middle[..., 2:])[1]
    return _sorted(lowest, centre, highest)[1]


def _sorted(first: Tensor, second: Tensor, third: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three tensors, sorted place by place."""
    first, second = torch.minimum(first, second), torch.maximum(first, second)
    second, third = torch.minimum(second, third), torch.maximum(second, third)
    return torch.minimum(first, second), torch.maximum(first, second), third
