"""Published rows stand beside ours where set and number of pairs are the same."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("scipy")

from polyfuse.benchmark.judged import _published
from polyfuse.benchmark.sets import FoundSet
from polyfuse.io import Pair


def shown(asked: tuple[str, ...], there: int) -> tuple[list[str], list[str]]:
    pairs = tuple(Pair(str(number), Path("a"), Path("b")) for number in range(there))
    found = FoundSet("tno-25", "TNO", pairs, 25, dataset="TNO", papers=("smfnet",))
    plan: Any = SimpleNamespace(suite=SimpleNamespace(compare=asked))
    work: Any = SimpleNamespace(set=found)
    tables, notes = _published(plan, work, "cddfuse")
    return [table.paper for table in tables], notes


def test_papers_that_tell_the_same_pairs_are_shown() -> None:
    assert shown(("matching",), 25) == (["SMFNet"], [])


def test_a_part_of_a_set_has_no_published_rows_beside_it() -> None:
    papers, notes = shown(("matching",), 3)
    assert papers == []
    assert notes == ["published rows are for 25 pairs and not shown beside 3"]


def test_papers_may_be_named_or_left_out() -> None:
    assert shown(("fnet", "daefuse"), 3)[0] == ["FNet", "DAE-Fuse"]
    assert shown(("none",), 25) == ([], [])
