"""Normalised mutual information of paired samples, smooth enough to be climbed by its gradient.

NMI = (H(A) + H(B)) / H(A, B), from 1 (they say nothing of each other) to 2 (each tells the other). Samples count with
the share of them that both volumes have, so those outside do not count at all; NMI itself changes little when the
overlap does, which is why Studholme divides.

Sources: Studholme, Hill and Hawkes, "An overlap invariant entropy measure of 3D medical image alignment", Pattern
Recognition 32(1), 1999; windows as in Thevenaz and Unser, "Optimization of mutual information for multiresolution image
registration", IEEE Transactions on Image Processing 9(12), 2000, and Mattes et al., "PET-CT image registration in the
chest using free-form deformations", IEEE Transactions on Medical Imaging 22(1), 2003.
# ours: both volumes get cubic windows, where Mattes et al. give the fixed one boxes, so the measure is symmetric; and
# windows are straight between 128 values, so that samples are counted once, in a table, whatever the number of bins.
"""

from __future__ import annotations

from functools import cache

import torch

FINE = 128
"""Values between which windows are straight lines: 4 or more in a bin of 32."""
_TINY = 1e-12


def windows(values: torch.Tensor, num_bins: int) -> torch.Tensor:
    """How much each value counts in each bin.

    Args:
        values: (N,), in [0, 1].
        num_bins: At least 4.

    Returns:
        (N, num_bins), rows with the sum 1: cubic B-splines. 0 lies on the second bin and 1 on the last but one, so
        that no window is cut.
    """
    places = 1 + values * (num_bins - 3)
    away = (places[:, None] - torch.arange(num_bins, dtype=values.dtype)).abs()
    wide, narrow = (2 - away).clamp(min=0), (1 - away).clamp(min=0)
    return (wide**3 - 4 * narrow**3) / 6


def joint_histogram(a: torch.Tensor, b: torch.Tensor, inside: torch.Tensor, num_bins: int) -> torch.Tensor:
    """The joint distribution of paired values, with gradients in all three.

    Args:
        a: (N,), in [0, 1].
        b: (N,), in [0, 1].
        inside: (N,): the share of each sample that both volumes have, 0 to 1.
        num_bins: Windows over each.

    Returns:
        (num_bins, num_bins) with the sum 1; zeros if nothing is inside.
    """
    (below_a, rest_a), (below_b, rest_b) = _split(a), _split(b)
    index = below_a * FINE + below_b
    near, far = (1 - rest_a) * inside, rest_a * inside
    shares = torch.cat([near - near * rest_b, near * rest_b, far - far * rest_b, far * rest_b])
    places = torch.cat([index, index + 1, index + FINE, index + FINE + 1])
    counts = torch.zeros(FINE * FINE, dtype=b.dtype).index_add(0, places, shares)
    table = _table(num_bins, b.dtype)
    joint = table.T @ counts.reshape(FINE, FINE) @ table
    return joint / joint.sum().clamp(min=_TINY)


@cache
def _table(num_bins: int, dtype: torch.dtype) -> torch.Tensor:
    """The windows of the fine values: (FINE, num_bins)."""
    return windows(torch.linspace(0, 1, FINE, dtype=dtype), num_bins)


def _split(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The fine value below each, and how far beyond it each lies, 0 to 1."""
    places = values * (FINE - 1)
    below = places.detach().long().clamp(0, FINE - 2)
    return below, places - below


def normalised_mutual_information(joint: torch.Tensor) -> torch.Tensor:
    """NMI of a joint distribution, (..., bins, bins) to (...): 1 to 2; 1 where one side has one value alone."""
    whole = _entropy(joint.flatten(-2))
    parts = _entropy(joint.sum(-1)) + _entropy(joint.sum(-2))
    return torch.where(whole > _TINY, parts / whole.clamp(min=_TINY), torch.ones_like(whole))


def _entropy(shares: torch.Tensor) -> torch.Tensor:
    """Of distributions along the last dimension, nats."""
    return -(shares * shares.clamp(min=_TINY).log()).sum(-1)
