"""Shares of a list of pairs: every pair is in one, whatever else the list holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.io.shards import in_shard, parse_shard

NAMES = st.text(st.characters(exclude_categories=()), max_size=30)


@given(NAMES, st.integers(1, 12))
def test_every_name_is_in_exactly_one_share(name: str, number: int) -> None:
    assert sum(in_shard(name, (index, number)) for index in range(1, number + 1)) == 1


def test_shares_are_those_of_every_machine_and_version() -> None:
    mine = [name for name in map(str, range(12)) if in_shard(name, (2, 3))]
    assert mine == ["1", "2", "3", "4", "11"]


def test_shares_are_about_equal() -> None:
    sizes = [sum(in_shard(f"frame_{k:06d}", (index, 8)) for k in range(8000)) for index in range(1, 9)]
    assert min(sizes) > 900  # binomial: 1000 with a standard deviation of 30
    assert max(sizes) < 1100


@pytest.mark.parametrize("text", ["3/2", "0/2", "x", "", "1/0", "-1/2", "1/2/3", "1 / 2", "1.0/2", "1/1000000"])
def test_what_is_no_share_is_refused(text: str) -> None:
    assert parse_shard(text) is None


@given(st.integers(1, 999_999), st.integers(1, 999_999))
def test_share_is_read_as_it_is_written(index: int, number: int) -> None:
    assert parse_shard(f"{index}/{number}") == ((index, number) if index <= number else None)
