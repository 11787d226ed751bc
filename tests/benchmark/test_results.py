"""Files of results: names, round trip, and what counts as done."""

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from polyfuse.benchmark.results import Kept, Store, Unit, as_file_name, joined, read_kept
from polyfuse.evaluation import Evaluation

INPUTS, MADE_BY = {"a": "1", "b": "2", "fused": "3"}, {"model": "laplacian", "polyfuse": "1"}
UNIT = Unit("yard", "laplacian", "01")


def evaluation(value: float = 0.5, name: str = "VIF") -> Evaluation:
    return Evaluation("cddfuse", {name: value}, {name: value}, {name: math.nan}, ("a note",), ("a",), {})


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_names_of_files_differ_as_the_names_do_and_lead_nowhere_else(one: str, other: str) -> None:
    names = [as_file_name(text.encode("utf-8", "replace").decode()) for text in (one, other)]
    assert all(not set("/\\\0") & set(name) and name not in (".", "..", "") for name in names)
    if one != other and max(one + other) < "\ud800":
        assert names[0] != names[1]


def test_numbers_come_back_bit_by_bit_and_nan_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.write(UNIT, Kept(INPUTS, MADE_BY, {"cddfuse": evaluation(1 / 3)}))
    kept = store.read(UNIT, INPUTS, MADE_BY)
    assert kept is not None
    scores = kept.scores["cddfuse"]
    assert scores.values == {"VIF": 1 / 3}
    assert math.isnan(scores.balance["VIF"])
    assert (scores.notes, scores.copies) == (("a note",), ("a",))
    assert "NaN" not in path.read_text("utf-8")


def test_result_of_other_sources_settings_or_metrics_is_not_done(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(UNIT, Kept(INPUTS, MADE_BY, {"cddfuse": evaluation()}))
    assert store.read(UNIT, {**INPUTS, "a": "9"}, MADE_BY) is None
    assert store.read(UNIT, INPUTS, {**MADE_BY, "polyfuse": "2"}) is None
    kept = store.read(UNIT, {"a": "1", "b": "2"}, MADE_BY)
    assert kept is not None
    assert kept.has({"cddfuse": ["VIF"]})
    assert not kept.has({"cddfuse": ["VIF", "MI"]})
    assert not kept.has({"vifb": ["VIF"]})


def test_damaged_result_counts_as_absent(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.write(UNIT, Kept(INPUTS, MADE_BY, {"cddfuse": evaluation()}))
    for text in ("", "{}", "[1]", path.read_text("utf-8")[:100], path.read_text("utf-8").replace("0.5", '"x"')):
        path.write_text(text, encoding="utf-8")
        assert read_kept(path) is None


def test_further_metrics_are_added_to_those_that_are_there() -> None:
    both = joined(evaluation(0.5, "MI"), evaluation(0.7, "VIF"))
    assert both.values == {"MI": 0.5, "VIF": 0.7}
