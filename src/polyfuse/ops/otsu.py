"""Otsu's threshold: the level that parts a picture into two classes as distinct as can be."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.ops.histograms import LEVELS, histogram


def otsu_level(levels: Tensor) -> Tensor:
    """Level t with the largest variance between the pixels up to t and those above, the first where there are several.

    Args:
        levels: (N, H, W) integers in [0, 255].

    Returns:
        (N,) integers; 0 for pictures of one level.

    Source: Otsu 1979.
    """
    shares = histogram(levels)
    weight = shares.cumsum(dim=1)
    moment = (shares * torch.arange(LEVELS, dtype=shares.dtype, device=shares.device)).cumsum(dim=1)
    spread = weight * (1 - weight)
    between = (moment[:, -1:] * weight - moment) ** 2 / spread
    # an empty class has no variance; rounding leaves its share at some 1e-16 instead of 0
    return torch.where(spread > 1e-12, between, 0).argmax(dim=1)
