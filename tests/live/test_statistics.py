"""Figures of a run."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.live.statistics import LiveStatistics, Milliseconds


@given(values=st.lists(st.integers(0, 9000), min_size=1, max_size=200), share=st.sampled_from([0.5, 0.95]))
def test_quantiles_are_those_of_the_values(values: list[int], share: float) -> None:
    figures = Milliseconds()
    for value in values:
        figures.add(value / 1000)
    assert figures.quantile(share) == np.quantile(values, share, method="inverted_cdf")
    assert abs(figures.largest - max(values)) < 1e-6  # thousandths in double


def test_values_beyond_the_last_bin_count_as_it() -> None:
    figures = Milliseconds()
    figures.add(-99.0)
    assert figures.to_json() == {"median": 10_000.0, "p95": 10_000.0, "max": 99_000.0}


def test_run_without_frames_has_no_speed() -> None:
    figures = LiveStatistics()
    assert (figures.rate, figures.recent_rate, figures.seconds) == (0.0, 0.0, 0.0)
    assert figures.to_json()["delay_ms"] == {"median": 0.0, "p95": 0.0, "max": 0.0}


def test_frames_are_counted() -> None:
    figures = LiveStatistics()
    for _ in range(3):
        figures.add(taken=0.0, skew=-0.01, fusing=0.002)
    facts = figures.to_json()
    assert (facts["frames"], facts["skew_ms"]["median"], facts["fusing_ms"]["median"]) == (3, 10.0, 2.0)
