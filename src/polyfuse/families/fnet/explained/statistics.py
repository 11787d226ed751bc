"""What a threshold did to millions of values, counted as they pass, so that nobody has to keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.errors import InputError

NULL_BELOW = 1e-3
"""A value is "null" where it is smaller in magnitude. Ours: the paper gives no definition, and its threshold function
gives no exact zeros."""
NUM_BINS = 201
_CHUNK = 1 << 15
"""Values counted at a time: in cache and within one thread's share, 50 times faster than a 640x480 map at a time."""
HISTOGRAM_LIMIT = 0.5
"""Histograms cover -0.5 to 0.5; what lies outside is counted in the outermost bins."""


@dataclass(frozen=True, eq=False)
class EstimateStatistics:
    """What happened at one threshold of one block."""

    threshold: float
    """theta_k: values well below it become nearly zero."""
    momentum: float
    """rho_k: how much the step goes on in the direction of the one before; 0 for the first estimate."""
    below_threshold: float
    """Share of the values before thresholding whose magnitude is below the threshold, 0 to 1."""
    null_before: float
    """Share of null values before thresholding, 0 to 1."""
    null_after: float
    """Share of null values after thresholding, 0 to 1."""
    histogram_before: NDArray[np.int64]
    """Counts of the values before thresholding in `NUM_BINS` bins."""
    histogram_after: NDArray[np.int64]
    """Counts of the values after thresholding in the same bins."""


@dataclass(frozen=True, eq=False)
class _Counts:
    """Counts over one tensor."""

    total: int
    finite: int
    below: int
    null: int
    histogram: NDArray[np.int64]


class EstimateCounter:
    """An observer for a model's `explain` that counts "before_c.k" and "after_c.k" and keeps none of them.

    Args:
        thresholds: For each block c its thresholds theta_0 .. theta_n.
    """

    def __init__(self, thresholds: Mapping[str, Sequence[float]]) -> None:
        self._thresholds = thresholds
        self._counts: dict[str, _Counts] = {}

    def __call__(self, name: str, values: Tensor) -> None:
        """Count one tensor.

        Raises:
            InputError: If it holds NaN or infinity.
        """
        stage, block, k = _parsed(name)
        counts = _count(values, self._thresholds[block][k])
        if counts.finite < counts.total:
            raise InputError(f"block {block} made NaN or infinity in estimate {k}: check the weights and the inputs.")
        self._counts[f"{stage}_{block}.{k}"] = counts

    def statistics(self, block: str, momenta: Sequence[float]) -> tuple[EstimateStatistics, ...]:
        """What was counted for `block`, estimate by estimate."""
        estimates = []
        for k, (threshold, momentum) in enumerate(zip(self._thresholds[block], momenta, strict=True)):
            before, after = self._counts[f"before_{block}.{k}"], self._counts[f"after_{block}.{k}"]
            shares = before.below / before.total, before.null / before.total, after.null / after.total
            estimates.append(EstimateStatistics(threshold, momentum, *shares, before.histogram, after.histogram))
        return tuple(estimates)


def _parsed(name: str) -> tuple[str, str, int]:
    """'before_u.3' -> ('before', 'u', 3)."""
    stage, _, rest = name.partition("_")
    block, _, k = rest.partition(".")
    return stage, block, int(k)


def _count(values: Tensor, threshold: float) -> _Counts:
    """Count the values of an (N, K, H, W) tensor; the end bins of the histogram take the outliers."""
    sums = torch.zeros(3, dtype=torch.int64, device=values.device)
    bins = torch.zeros(NUM_BINS, dtype=torch.int64, device=values.device)
    for plane in values.flatten(0, 1):
        for chunk in plane.flatten().float().split(_CHUNK):
            magnitude = chunk.abs()
            sums[0] += (magnitude < torch.inf).sum()  # NaN compares as false
            sums[1] += (magnitude < threshold).sum()
            sums[2] += (magnitude < NULL_BELOW).sum()
            place = (chunk + HISTOGRAM_LIMIT) * (NUM_BINS / (2 * HISTOGRAM_LIMIT))
            bins += torch.bincount(place.nan_to_num_().clamp_(0, NUM_BINS - 1).long(), minlength=NUM_BINS)
    finite, below, null = sums.tolist()
    return _Counts(values.numel(), finite, below, null, bins.cpu().numpy())


def bin_edges() -> NDArray[np.float64]:
    """The NUM_BINS + 1 edges of the histograms."""
    return np.linspace(-HISTOGRAM_LIMIT, HISTOGRAM_LIMIT, NUM_BINS + 1)
