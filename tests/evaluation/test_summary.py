"""Means, intervals, ranks and warnings, by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from polyfuse.evaluation import Method, Report, evaluate
from polyfuse.evaluation.judgement import copies_among
from polyfuse.evaluation.summary import summarise
from polyfuse.ops.bootstrap import bootstrap_interval

ReportOf = Callable[..., Report]


def test_summary_by_hand() -> None:
    found = summarise([1.0, 2.0, 6.0])
    assert (found.mean, found.n, found.left_out) == (3.0, 3, 0)
    assert found.sd == pytest.approx(math.sqrt(7), rel=1e-12)


def test_values_that_are_not_finite_are_left_out_and_counted() -> None:
    found = summarise([1.0, math.nan, 3.0, math.inf, -math.inf])
    assert (found.mean, found.n, found.left_out) == (2.0, 2, 3)


def test_one_value_has_no_spread_and_none_has_no_mean() -> None:
    one, none = summarise([4.0]), summarise([math.nan])
    assert (one.mean, one.n, none.n, none.left_out) == (4.0, 1, 0, 1)
    assert all(map(math.isnan, (one.sd, one.low, one.high, none.mean)))


def test_bootstrap_is_deterministic_and_holds_the_mean(rng: np.random.Generator) -> None:
    values = rng.normal(5, 2, 40)
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(values) == (low, high)
    assert low < values.mean() < high
    # Close to the normal interval: 1.96 standard errors on both sides, within a tenth of the width.
    width = 2 * 1.96 * values.std(ddof=1) / math.sqrt(40)
    assert high - low == pytest.approx(width, rel=0.1)


def test_bootstrap_of_equal_values_is_that_value() -> None:
    assert bootstrap_interval(np.full(7, 0.25)) == (0.25, 0.25)


def test_average_rank_by_hand(report_of: ReportOf) -> None:
    report = report_of(
        {
            "x": [{"EN": 9, "MI": 3, "VIF": 1.0, "MSE": 5}],
            "y": [{"EN": 1, "MI": 2, "VIF": 1.0, "MSE": 1}],
            "z": [{"EN": 5, "MI": 1, "VIF": 0.5, "MSE": 3}],
            "copy a*": [{"EN": 5, "MI": 9, "VIF": 9, "MSE": 0}],
        }
    )
    assert report.ranked == ("MI", "VIF", "MSE")  # EN has no better side; the baseline takes no part
    ranks = [row.rank for row in report.rows]
    assert ranks[:3] == [(1 + 1.5 + 3) / 3, (2 + 1.5 + 1) / 3, (3 + 3 + 2) / 3]
    assert ranks[3] is None


def test_metric_without_a_mean_for_every_method_is_not_ranked(report_of: ReportOf) -> None:
    assert report_of({"x": [{"MI": 3, "SCD": 1}], "y": [{"MI": 2, "SCD": math.nan}]}).ranked == ("MI",)


def test_single_method_has_no_rank(report_of: ReportOf) -> None:
    report = report_of({"x": [{"MI": 3}], "copy a*": [{"MI": 9}]})
    assert (report.ranked, report.rows[0].rank) == ((), None)


def test_method_near_a_baseline_in_most_metrics_is_warned_of(report_of: ReportOf) -> None:
    report = report_of(
        {
            "x": [{"EN": 1, "MI": 1.01, "VIF": 1.0, "SSIM": 0.5}],
            "y": [{"EN": 1, "MI": 1.03, "VIF": 1.0, "SSIM": 0.5}],
            "copy b*": [{"EN": 1, "MI": 1.0, "VIF": 1.0, "SSIM": 1.0}],
        }
    )
    [warning] = report.warnings
    assert warning.startswith("x is within 2 % of the baseline copy b in 2 of 3 metrics (MI, VIF)")


def test_metrics_of_the_fused_picture_alone_are_warned_of(report_of: ReportOf) -> None:
    assert "noise raises them" in report_of({"x": [{"EN": 1, "SF": 2}]}).warnings[0]
    assert report_of({"x": [{"EN": 1, "MI": 2}]}).warnings == ()


def test_left_out_values_are_noted_by_method(report_of: ReportOf) -> None:
    report = report_of({"x": [{"SCD": 1}, {"SCD": math.nan}], "y": [{"SCD": 1}, {"SCD": 2}]})
    assert report.notes == ("SCD: no finite value, left out of the mean: 1 of x",)


def test_columns_that_lack_as_many_values_share_a_line(report_of: ReportOf) -> None:
    report = report_of(
        {
            "x": [{"VIF": math.nan, "MI": 1, "SCD": math.nan}, {"VIF": 1, "MI": 1, "SCD": 1}],
            "y": [{"VIF": 1, "MI": math.nan, "SCD": 1}, {"VIF": 1, "MI": 1, "SCD": 1}],
        }
    )
    assert report.notes == (
        "VIF, VIF min, SCD: no finite value, left out of the mean: 1 of x",
        "MI, MI min: no finite value, left out of the mean: 1 of y",
    )


def test_copy_of_a_source_is_warned_of_without_baselines() -> None:
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, 256, (48, 48), np.uint8) for _ in range(2))
    brighter = a // 2 + 60
    found = {Method("copycat"): [evaluate(brighter, a, b), evaluate(a // 2 + b // 2, a, b)]}
    assert copies_among(found) == [
        "copycat correlates above 0.999 with source a in 1 of 2 pictures: it is hardly more than a copy there"
    ]
