"""Tests of means against published examples, SciPy's own functions and worked values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.ops.bootstrap import bootstrap_interval, grouped_interval

stats = pytest.importorskip("scipy.stats")

from polyfuse.benchmark.documents import better_lines  # noqa: E402
from polyfuse.benchmark.statistics import compare, compare_by_all, friedman, holm, ranks, wilcoxon  # noqa: E402

# Demsar, JMLR 7, 2006, table 2: AUC of C4.5 and C4.5 with cuts and m-estimate on 14 data sets.
PLAIN = [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.94, 0.619, 0.972, 0.957]
MINIMUM = [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978]


def table(values: np.ndarray) -> dict[str, dict[str, float]]:
    return {f"m{i}": {f"p{j}": float(value) for j, value in enumerate(column)} for i, column in enumerate(values.T)}


def alone(count: int) -> dict[str, str]:
    return {f"p{j}": f"p{j}" for j in range(count)}


def test_friedman_is_scipys_with_ties(rng: np.random.Generator) -> None:
    blocks = rng.integers(0, 5, (12, 4)).astype(float)
    expected = stats.friedmanchisquare(*blocks.T)
    chi2, p, _ = friedman(ranks(blocks, "up"))
    assert chi2 == pytest.approx(expected.statistic, rel=1e-12)
    assert p == pytest.approx(expected.pvalue, rel=1e-12)


def test_critical_difference_is_the_one_of_demsars_example() -> None:
    _, _, critical = friedman(np.tile(np.arange(1.0, 5.0), (14, 1)))
    assert critical == pytest.approx(1.25, abs=0.005)  # 2.569 * sqrt(4 * 5 / (6 * 14)), two decimals are printed


def test_wilcoxon_tells_demsars_two_classifiers_apart() -> None:
    p, lead = wilcoxon(np.array(MINIMUM) - np.array(PLAIN))
    assert p < 0.05
    assert lead > 0


def test_two_groups_and_ties_alone_have_no_difference() -> None:
    assert friedman(np.full((5, 3), 2.0))[:2] == (0.0, 1.0)
    assert all(math.isnan(value) for value in friedman(np.array([[1.0, 2.0, 3.0]])))
    assert wilcoxon(np.zeros(7)) == (1.0, 0.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_monotone_between_plain_p_and_bonferroni(values: list[float]) -> None:
    corrected = holm(values)
    order = sorted(range(len(values)), key=lambda index: values[index])
    assert [corrected[index] for index in order] == sorted(corrected)
    for plain, one in zip(values, corrected, strict=True):
        assert plain <= one <= min(1.0, len(values) * plain) or one == pytest.approx(max(corrected))


def test_better_needs_test_mean_and_ranks_alike() -> None:
    clear = np.stack([np.linspace(1, 2, 20), np.linspace(1, 2, 20) - 0.1 - np.linspace(0, 0.01, 20)], axis=1)
    found = compare("VIF", table(clear), alone(20), "up")
    assert found is not None
    assert (found.is_better("m0", "m1"), found.is_better("m1", "m0"), found.top) == (True, False, ("m0",))
    # One picture turns the mean round: the ranks say one thing and the mean another, so nothing is said.
    clear[0, 1] += 100
    turned = compare("VIF", table(clear), alone(20), "up")
    assert turned is not None
    assert not turned.is_better("m0", "m1")
    assert not turned.is_better("m1", "m0")
    assert better_lines(turned) == ["No test tells any two methods apart."]


def test_lower_is_better_where_the_metric_says_so() -> None:
    values = np.stack([np.linspace(1, 2, 20), np.linspace(1, 2, 20) + 0.1 + np.linspace(0, 0.01, 20)], axis=1)
    found = compare("LOST", table(values), alone(20), "down")
    assert found is not None
    assert found.is_better("m0", "m1")
    assert found.ranks == {"m0": 1.0, "m1": 2.0}


def test_pairs_of_one_patient_count_once(rng: np.random.Generator) -> None:
    values = rng.normal(size=(40, 2)) + np.array([3.0, 0.0])
    independent = compare("VIF", table(values), alone(40), "up")
    patients = compare("VIF", table(values), {f"p{j}": f"patient {j % 3}" for j in range(40)}, "up")
    assert independent is not None
    assert patients is not None
    assert independent.is_better("m0", "m1")
    assert (patients.num_groups, patients.can_tell, patients.is_better("m0", "m1")) == (3, False, False)


def test_pairs_without_a_value_for_every_method_are_left_out() -> None:
    values = table(np.arange(24.0).reshape(8, 3))
    values["m1"]["p0"] = math.nan
    del values["m2"]["p7"]
    found = compare("VIF", values, alone(8), "up")
    assert found is not None
    assert found.num_groups == 6


def test_all_metrics_together_rank_by_mean_ranks() -> None:
    one, other = np.tile([3.0, 2.0, 1.0], (8, 1)), np.tile([1.0, 3.0, 2.0], (8, 1))
    found = compare_by_all({"VIF": table(one), "LOST": table(other)}, alone(8), {"VIF": "up", "LOST": "down"})
    assert found is not None
    assert found.ranks == {"m0": 1.0, "m1": 2.5, "m2": 2.5}
    assert found.best == "m0"


def test_interval_of_groups_is_the_plain_one_where_each_stands_for_itself(rng: np.random.Generator) -> None:
    values = rng.normal(size=20)
    assert grouped_interval(values, [str(i) for i in range(20)]) == bootstrap_interval(values)
    assert all(math.isnan(end) for end in grouped_interval(values, ["one"] * 20))


def test_interval_of_groups_is_wider_where_groups_differ() -> None:
    values = np.repeat([0.0, 1.0, 2.0, 3.0], 10) + np.tile(np.linspace(0, 0.01, 10), 4)
    wide, narrow = grouped_interval(values, [str(i // 10) for i in range(40)]), bootstrap_interval(values)
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
