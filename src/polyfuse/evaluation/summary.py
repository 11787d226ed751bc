"""Many values in a few numbers: mean, spread, a bootstrap interval, and how many values were left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyfuse.ops.bootstrap import bootstrap_interval, grouped_interval


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


def summarise(values: Sequence[float], groups: Sequence[str] | None = None) -> Summary:
    """Summarise values; the same values in the same order give the same interval.

    Args:
        values: Any number.
        groups: Group of each value, where some belong together; the interval then comes from draws of groups.

    >>> summarise([1.0, 3.0, float("nan")]).mean
    2.0
    """
    all_values = np.asarray(values, dtype=np.float64)
    finite = all_values[np.isfinite(all_values)]
    n = len(finite)
    mean = float(finite.mean()) if n else math.nan
    if n < 2:
        return Summary(mean, math.nan, math.nan, math.nan, n, len(all_values) - n)
    if groups is None:
        low, high = bootstrap_interval(finite)
    else:
        low, high = grouped_interval(finite, [g for g, v in zip(groups, all_values, strict=True) if np.isfinite(v)])
    return Summary(mean, float(finite.std(ddof=1)), low, high, n, len(all_values) - n)
