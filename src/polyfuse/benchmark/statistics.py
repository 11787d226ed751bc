"""Whether methods differ: ranks, Friedman's test with Nemenyi's critical difference, Wilcoxon's with Holm's correction.

The unit is a group: the pairs of one scene or patient are averaged first, since they do not speak independently.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError

ALPHA = 0.05
"""Level of all tests."""


def require_scipy() -> None:
    """Fail early where tests cannot be computed.

    Raises:
        DependencyError: If SciPy is missing.
    """
    try:
        import scipy.stats  # noqa: F401
    except ImportError as error:
        raise DependencyError('a benchmark needs SciPy for its tests: pip install "polyfuse[benchmark]".') from error


@dataclass(frozen=True)
class Comparison:
    """What tests say of all methods by one number."""

    name: str
    """Name of the metric, or what stands for all of them."""
    methods: tuple[str, ...]
    """In the order of tables."""
    means: Mapping[str, float]
    """Mean over the pairs where all methods have a value."""
    direction: Literal["up", "down"]
    """Which way is better."""
    num_groups: int
    """Independent groups of pairs."""
    ranks: Mapping[str, float]
    """Mean rank over the groups, 1 is best; ties share."""
    chi2: float
    """Friedman's statistic; NaN below three methods or two groups."""
    p: float
    """Its p, that all methods are alike; NaN likewise."""
    critical: float
    """Nemenyi's critical difference of mean ranks; NaN likewise."""
    p_pairs: Mapping[tuple[str, str], float]
    """Wilcoxon's p of each two methods, two-sided, after Holm's correction."""
    ahead: Mapping[tuple[str, str], bool]
    """Whether the first of each two is ahead, in the mean and in the sum of ranks alike."""

    def is_better(self, one: str, other: str) -> bool:
        """Whether a test says that `one` is better than `other`."""
        key = (one, other) if (one, other) in self.p_pairs else (other, one)
        return self.p_pairs[key] < ALPHA and self.ahead[one, other]

    @property
    def can_tell(self) -> bool:
        """Whether there are groups enough for a test to tell two methods apart after the correction, at its best."""
        return 2.0 ** (1 - self.num_groups) * len(self.p_pairs) < ALPHA

    @property
    def best(self) -> str:
        """The method with the best mean."""
        sign = 1.0 if self.direction == "up" else -1.0
        return max(self.methods, key=lambda method: sign * self.means[method])

    @property
    def top(self) -> tuple[str, ...]:
        """The method with the best mean and all that no test tells apart from it."""
        return tuple(method for method in self.methods if method == self.best or not self.is_better(self.best, method))

    @property
    def all_alike(self) -> bool:
        """Whether Friedman's test tells no method from another."""
        return not self.p < ALPHA


Values = Mapping[str, Mapping[str, float]]
"""By method and name of the pair."""


def compare(
    name: str, values: Values, groups: Mapping[str, str], direction: Literal["up", "down"]
) -> Comparison | None:
    """Test all methods against each other by one number.

    Args:
        name: Of the number.
        values: By method and pair.
        groups: Group by pair.
        direction: Which way is better.

    Returns:
        None if there are fewer than two methods, or no pair at which all of them have a value.
    """
    methods = tuple(values)
    pairs = [pair for pair in groups if all(math.isfinite(values[m].get(pair, math.nan)) for m in methods)]
    if len(methods) < 2 or not pairs:
        return None
    table = np.array([[values[method][pair] for method in methods] for pair in pairs])
    blocks = averaged(table, [groups[pair] for pair in pairs])
    means = dict(zip(methods, map(float, table.mean(0)), strict=True))
    ranked = ranks(blocks, direction)
    chi2, p, critical = friedman(ranked)
    p_pairs, ahead = paired(methods, blocks, means, direction)
    return Comparison(
        name,
        methods,
        means,
        direction,
        len(blocks),
        dict(zip(methods, map(float, ranked.mean(0)), strict=True)),
        chi2,
        p,
        critical,
        p_pairs,
        ahead,
    )


def averaged(table: NDArray[np.float64], groups: Sequence[str]) -> NDArray[np.float64]:
    """Means over the rows of each group, (groups, methods)."""
    names = list(dict.fromkeys(groups))
    rows = [[index for index, group in enumerate(groups) if group == name] for name in names]
    return np.array([table[some].mean(0) for some in rows])


def ranks(blocks: NDArray[np.float64], direction: Literal["up", "down"]) -> NDArray[np.float64]:
    """Rank of each method in each row, 1 is best; ties share the mean of their ranks."""
    from scipy.stats import rankdata

    ranked: NDArray[np.float64] = rankdata(-blocks if direction == "up" else blocks, axis=1)
    return ranked


def friedman(ranked: NDArray[np.float64]) -> tuple[float, float, float]:
    """Friedman's statistic with its correction for ties, its p, and Nemenyi's critical difference.

    Args:
        ranked: (groups, methods), from `ranks`.

    Returns:
        NaN thrice below three methods or two groups; 0, 1 and the difference where all ranks are tied.

    Source: Demsar, Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006, section 3.2.2; the
    correction for ties as SciPy's `friedmanchisquare`.
    """
    from scipy.stats import chi2, studentized_range

    n, k = ranked.shape
    if k < 3 or n < 2:
        return math.nan, math.nan, math.nan
    critical = float(studentized_range.ppf(1 - ALPHA, k, math.inf)) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n))
    ties = sum(
        float((counts**3 - counts).sum()) for counts in (np.unique(row, return_counts=True)[1] for row in ranked)
    )
    correction = 1 - ties / (n * (k**3 - k))
    if correction <= 0:
        return 0.0, 1.0, critical
    statistic = (12 / (n * k * (k + 1)) * float((ranked.sum(0) ** 2).sum()) - 3 * n * (k + 1)) / correction
    return statistic, float(chi2.sf(statistic, k - 1)), critical


def paired(
    methods: Sequence[str],
    blocks: NDArray[np.float64],
    means: Mapping[str, float],
    direction: Literal["up", "down"],
) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], bool]]:
    """Wilcoxon's signed-rank test of each two methods, after Holm's correction, and who is ahead."""
    sign = 1.0 if direction == "up" else -1.0
    raw: dict[tuple[str, str], float] = {}
    ahead: dict[tuple[str, str], bool] = {}
    for (i, one), (j, other) in itertools.combinations(enumerate(methods), 2):
        differences = sign * (blocks[:, i] - blocks[:, j])
        raw[one, other], more = wilcoxon(differences)
        lead = sign * (means[one] - means[other])
        ahead[one, other], ahead[other, one] = lead > 0 and more > 0, lead < 0 and more < 0
    return dict(zip(raw, holm(list(raw.values())), strict=True)), ahead


def wilcoxon(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Two-sided p of Wilcoxon's signed-rank test, and the sum of ranks of positive less that of negative differences.

    Differences of 0 are left out; without any other, p is 1.
    """
    from scipy import stats

    other = differences[differences != 0]
    if not len(other):
        return 1.0, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few values with ties: SciPy falls back by itself
        p = float(stats.wilcoxon(other).pvalue)
    signed = stats.rankdata(np.abs(other)) * np.sign(other)
    return (1.0 if math.isnan(p) else p), float(signed.sum())


def holm(values: Sequence[float]) -> list[float]:
    """Probabilities after Holm's step-down correction for their number; never above 1, in the same order.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    corrected, largest = [0.0] * len(values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - place) * values[index]))
        corrected[index] = largest
    return corrected


def compare_by_all(
    comparable: Mapping[str, Values], groups: Mapping[str, str], directions: Mapping[str, str]
) -> Comparison | None:
    """Test methods by all metrics together: in each group, the mean of a method's ranks over the metrics.

    Args:
        comparable: Values by metric.
        groups: Group by pair.
        directions: "up" or "down" by metric.

    Returns:
        A comparison of mean ranks, smaller is better; None as of `compare`.
    """
    metrics = list(comparable)
    methods = tuple(comparable[metrics[0]]) if metrics else ()
    pairs = [
        pair
        for pair in groups
        if all(math.isfinite(comparable[k][m].get(pair, math.nan)) for k in metrics for m in methods)
    ]
    if len(methods) < 2 or not pairs:
        return None
    belongs = [groups[pair] for pair in pairs]
    each = [
        ranks(
            averaged(np.array([[comparable[k][m][pair] for m in methods] for pair in pairs]), belongs),
            "up" if directions[k] == "up" else "down",
        )
        for k in metrics
    ]
    mean_ranks = np.mean(each, axis=0)
    names = list(dict.fromkeys(belongs))
    values = {m: dict(zip(names, map(float, mean_ranks[:, i]), strict=True)) for i, m in enumerate(methods)}
    return compare("all metrics", values, {name: name for name in names}, "down")
