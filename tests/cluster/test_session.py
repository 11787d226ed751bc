"""How pairs are parted into blocks, and the environment that Ray gets, without Ray."""

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.cluster.session import LARGEST_BLOCK, Workers, blocks_of, crew_of, started
from polyfuse.errors import DependencyError


@given(st.integers(1, 100_000), st.integers(1, 500))
def test_blocks_are_small_and_enough_for_all_workers(items: int, workers: int) -> None:
    blocks = blocks_of(range(items), workers)
    assert -(-items // blocks) <= LARGEST_BLOCK
    assert blocks >= min(items, 4 * workers)


def test_no_worker_is_started_that_would_get_no_block() -> None:
    assert [crew_of(range(items), 8) for items in (1, 4, 8, 1000)] == [1, 4, 8, 8]


def test_environment_is_as_before_where_ray_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    before = dict(os.environ)
    with pytest.raises(DependencyError, match=r"polyfuse\[ray\]"), started(Workers()):
        pass
    assert dict(os.environ) == before
