"""Many values in a few numbers: mean, spread, a bootstrap interval, and how many values were left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 0
LEVEL = 0.95
_BLOCK_VALUES = 1 << 20
"""Values drawn at a time: memory stays at some megabytes however long the list is."""


@dataclass(frozen=True)
class Summary:
    """The values of one metric over a set of pictures. NaN stands for what the count does not allow."""

    mean: float
    """Mean of the finite values."""
    sd: float
    """Standard deviation of a sample (divided by n - 1); needs two values."""
    low: float
    """Lower end of the bootstrap 95 % interval of the mean; needs two values."""
    high: float
    """Upper end of that interval."""
    n: int
    """How many values are finite."""
    left_out: int
    """How many values are NaN or infinite; they count for nothing above."""


def summarise(values: Sequence[float]) -> Summary:
    """Summarise values; the same values in the same order give the same interval.

    >>> summarise([1.0, 3.0, float("nan")]).mean
    2.0
    """
    all_values = np.asarray(values, dtype=np.float64)
    finite = all_values[np.isfinite(all_values)]
    n = len(finite)
    mean = float(finite.mean()) if n else math.nan
    if n < 2:
        return Summary(mean, math.nan, math.nan, math.nan, n, len(all_values) - n)
    low, high = bootstrap_interval(finite)
    return Summary(mean, float(finite.std(ddof=1)), low, high, n, len(all_values) - n)


def bootstrap_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval of the mean from `RESAMPLES` draws with replacement, seeded."""
    rng = np.random.default_rng(SEED)
    n = len(values)
    rows = max(1, _BLOCK_VALUES // n)
    means = np.concatenate(
        [
            values[rng.integers(0, n, (min(rows, RESAMPLES - start), n))].mean(axis=1)
            for start in range(0, RESAMPLES, rows)
        ]
    )
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
