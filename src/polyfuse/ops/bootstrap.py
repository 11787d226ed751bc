"""How sure a mean is: an interval from draws with replacement, the same for the same values. NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 0
LEVEL = 0.95
_BLOCK_VALUES = 1 << 20
"""Values drawn at a time: memory stays at some megabytes however long the list is."""


def bootstrap_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval of the mean from `RESAMPLES` draws with replacement, seeded.

    Args:
        values: (n,), finite, at least one.

    Returns:
        Lower and upper end of the `LEVEL` interval; both are the value itself where all are the same.
    """
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


def grouped_interval(values: NDArray[np.float64], groups: Sequence[str]) -> tuple[float, float]:
    """The same where some values belong together, as pictures of one patient: whole groups are drawn.

    The mean of a draw is that of all values in it, so that large groups count for more, as in the mean itself.

    Args:
        values: (n,), finite, at least one.
        groups: Group of each; with n different ones the interval is that of `bootstrap_interval`.

    Returns:
        Lower and upper end; NaN for a single group, which says nothing of others.
    """
    names = list(dict.fromkeys(groups))
    if len(names) == len(values):
        return bootstrap_interval(values)
    if len(names) < 2:
        return float("nan"), float("nan")
    place = np.array([names.index(group) for group in groups])
    sums, counts = (np.bincount(place, weights, len(names)) for weights in (values, np.ones(len(values))))
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, len(names), (RESAMPLES, len(names)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
