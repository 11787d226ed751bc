"""Histograms of 8-bit levels, one picture or two jointly."""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 256


def histogram(levels: Tensor) -> Tensor:
    """Share of pixels of each level.

    Args:
        levels: (N, H, W) integers in [0, 255].

    Returns:
        (N, 256) float64, each row summing to one.
    """
    return _shares(levels, LEVELS)


def joint_histogram(first: Tensor, second: Tensor) -> Tensor:
    """Share of pixels of each pair of levels.

    Args:
        first: (N, H, W) integers in [0, 255].
        second: Same shape.

    Returns:
        (N, 256, 256) float64, indexed [picture, level of first, level of second].
    """
    return _shares(first * LEVELS + second, LEVELS * LEVELS).view(-1, LEVELS, LEVELS)


def _shares(index: Tensor, bins: int) -> Tensor:
    """Counts per picture over its number of pixels."""
    count = index.shape[0]
    if count > 1:
        index = index + bins * torch.arange(count, device=index.device)[:, None, None]
    counts = _counts(index.flatten(), count * bins).view(count, bins)
    return counts.double() / index[0].numel()


def _counts(index: Tensor, bins: int) -> Tensor:
    """How often each index occurs; on a GPU without waiting for it, as `torch.bincount` does."""
    if index.is_cuda:
        return index.new_zeros(bins).scatter_add_(0, index, torch.ones_like(index))
    return torch.bincount(index, minlength=bins)
