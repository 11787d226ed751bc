"""Entropy of distributions, in nats or as a share of the largest possible."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def entropy(shares: Tensor) -> Tensor:
    """-sum h ln h in nats over all axes but the first, empty bins skipped; (N,) of the type of `shares`."""
    terms: Tensor = torch.special.entr(shares)
    return terms.flatten(1).sum(dim=1)


def normalised_entropy(probabilities: Tensor) -> Tensor:
    """-sum p log p / log M over the last axis of M values: 1 for a uniform distribution, 0 for a certain outcome.

    Args:
        probabilities: (..., M), not negative, summing to one along the last axis.

    Returns:
        (...), in [0, 1] up to rounding; 0 where M is 1.

    >>> normalised_entropy(torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 1.0, 0.0]]))
    tensor([1., 0.])
    """
    summands: Tensor = torch.special.entr(probabilities)
    return summands.sum(dim=-1) / math.log(max(probabilities.shape[-1], 2))
