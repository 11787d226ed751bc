"""A score with its spread: means, differences seed by seed, and what may be luck."""

import math

import pytest

from polyfuse.downstream.rows import Row
from polyfuse.downstream.spread import Spread, better_source, gain_cells, mean_cells, plain


def test_mean_and_standard_deviation_are_those_of_the_values() -> None:
    spread = Spread((0.1, 0.2, 0.6))
    assert spread.mean == pytest.approx(0.3, abs=1e-15)
    assert spread.sd == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2), abs=1e-15)


def test_difference_is_taken_seed_by_seed() -> None:
    difference = Spread((0.5, 0.7)).minus(Spread((0.4, 0.6)))
    assert difference.values == pytest.approx((0.1, 0.1), abs=1e-15)
    assert difference.is_clear


@pytest.mark.parametrize(("values", "text"), [
    ((0.10, 0.11, 0.12), "+0.110"),
    ((-0.10, 0.11, 0.12), "(+0.043)"),
    ((0.2,), "(+0.200)"),
    ((0.0, 0.0), "(0.000)"),
])  # fmt: skip
def test_difference_that_may_be_luck_is_in_brackets(values: tuple[float, ...], text: str) -> None:
    assert Spread(values).difference_text() == text


def test_what_is_no_number_is_told_as_such() -> None:
    assert Spread((math.nan, 0.5)).text() == "n/a"
    assert plain(Spread((math.nan, 0.5))) == {"mean": None, "sd": None, "values": [None, 0.5]}


def test_best_and_second_best_are_marked_as_printed_and_nothing_where_all_are_equal() -> None:
    column = [Spread((value,)) for value in (0.5001, 0.5002, 0.4, 0.1)]
    assert [cell.mark for cell in mean_cells(column)] == ["best", "best", "second", ""]
    assert [cell.mark for cell in mean_cells(column, marks=False)] == [""] * 4
    assert [cell.mark for cell in mean_cells([Spread((0.0,))] * 3)] == [""] * 3


def test_better_source_is_the_one_with_the_higher_mean_whatever_methods_score() -> None:
    rows = [Row("infrared", "source"), Row("visible", "source"), Row("average", "baseline"), Row("m", "model")]
    scores = [Spread((value,)) for value in (0.2, 0.3, 0.9, 0.8)]
    assert better_source(rows, scores) == 1
    assert better_source(rows, [Spread((0.2,)), Spread((math.nan,)), *scores[2:]]) == 0
    gains = [score.minus(scores[1]) for score in scores]
    assert [cell.text for cell in gain_cells(gains, 1)] == ["(-0.100)", "", "(+0.600)", "(+0.500)"]
