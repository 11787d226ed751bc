"""Local sums under separable windows, exact in float64 and quick on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian_window(size: int, sigma: float, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Gaussian weights at integer offsets from the centre, (size,), summing to one."""
    offset = torch.arange(size, dtype=dtype, device=device) - (size - 1) / 2
    weights = torch.exp(-(offset**2) / (2 * sigma**2))
    return weights / weights.sum()


def correlate_window(x: Tensor, weights: list[float], *, step: int = 1) -> Tensor:
    """Correlate with the outer product of `weights` with itself, only where the window lies inside.

    Args:
        x: (N, H, W).
        weights: One weight per tap.
        step: Keep every so many rows and columns of the result, from the first.

    Returns:
        (N, ceil((H - taps + 1) / step), ceil((W - taps + 1) / step)).
    """
    if x.device.type == "cpu" and x.shape[0] > 1:
        # one picture at a time stays in cache
        return torch.cat([correlate_window(plane[None], weights, step=step) for plane in x])
    return correlate(correlate(x, weights, -2, step=step), weights, -1, step=step)


def correlate(x: Tensor, weights: list[float], axis: int, *, step: int = 1) -> Tensor:
    """Correlate along one axis, only where the window lies inside.

    A sum of shifted copies: one pass over memory per tap, where a float64 convolution would unfold the picture.

    Args:
        x: (..., H, W).
        weights: One weight per tap, first to last.
        axis: -2 for columns (vertically), -1 for rows (horizontally).
        step: Keep every so many positions, from the first.

    Returns:
        The same shape but for `axis`, which is shorter by the taps less one, then by `step`.
    """
    size = x.shape[axis] - len(weights) + 1

    def shifted(tap: int) -> Tensor:
        part = x.narrow(axis, tap, size)
        return part if step == 1 else part[..., ::step] if axis == -1 else part[..., ::step, :]

    total = shifted(0) * weights[0]
    for tap, weight in enumerate(weights[1:], start=1):
        total.add_(shifted(tap), alpha=weight)
    return total
