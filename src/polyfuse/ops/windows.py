"""Local sums under separable windows, exact in float64 and quick on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian_window(size: int, sigma: float, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Gaussian weights at integer offsets from the centre, (size,), summing to one."""
    offset = torch.arange(size, dtype=dtype, device=device) - (size - 1) / 2
    weights = torch.exp(-(offset**2) / (2 * sigma**2))
    return weights / weights.sum()


def correlate_rows(x: Tensor, weights: list[float]) -> Tensor:
    """Correlate the columns direction (vertically), output only where the window lies inside.

    Args:
        x: (..., H, W).
        weights: One weight per tap, top to bottom.

    Returns:
        (..., H - taps + 1, W).
    """
    return _correlate(x, weights, -2)


def correlate_columns(x: Tensor, weights: list[float]) -> Tensor:
    """The same along rows (horizontally): (..., H, W - taps + 1)."""
    return _correlate(x, weights, -1)


def _correlate(x: Tensor, weights: list[float], axis: int) -> Tensor:
    """Sum of shifted copies: one pass over memory per tap, where a float64 convolution unfolds the picture."""
    size = x.shape[axis] - len(weights) + 1
    total = x.narrow(axis, 0, size) * weights[0]
    for tap, weight in enumerate(weights[1:], start=1):
        total.add_(x.narrow(axis, tap, size), alpha=weight)
    return total


def correlate_window(x: Tensor, weights: list[float]) -> Tensor:
    """Correlate with the outer product of `weights` with itself, output only where the window lies inside.

    Args:
        x: (N, H, W).
        weights: One weight per tap.

    Returns:
        (N, H - taps + 1, W - taps + 1).
    """
    if x.device.type != "cpu" or x.shape[0] == 1:
        return correlate_columns(correlate_rows(x, weights), weights)
    # one picture at a time stays in cache
    return torch.stack([correlate_columns(correlate_rows(plane, weights), weights) for plane in x])
