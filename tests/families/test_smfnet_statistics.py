"""Sums of SMFNet's attentions over strips: any order gives those of the whole, and strips leave nothing in memory."""

import gc
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from polyfuse.families.smfnet.attention import ChannelAttention
from polyfuse.families.smfnet.statistics import Statistics
from polyfuse.layers.strips import MIN_ROWS

ROWS, CHANNELS = 3 * MIN_ROWS, 8


@pytest.fixture
def features() -> tuple[Tensor, Tensor]:
    query, key = torch.randn(2, ROWS, 5, CHANNELS, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return query, key


@pytest.fixture
def attend() -> ChannelAttention:
    return ChannelAttention(CHANNELS, 2).double().requires_grad_(False)


def strips_of(features: tuple[Tensor, Tensor]) -> Iterator[tuple[int, Tensor, Tensor]]:
    query, key = features
    for top in range(0, ROWS, MIN_ROWS):
        yield top, query[top : top + MIN_ROWS], key[top : top + MIN_ROWS]


def test_strips_in_any_order_give_the_matrix_of_the_whole(features, attend) -> None:
    whole = Statistics(attend, ROWS)
    whole.add(0, *features)
    forwards, backwards = Statistics(attend, ROWS), Statistics(attend, ROWS)
    for strip in strips_of(features):
        forwards.add(*strip)
    for strip in reversed(list(strips_of(features))):
        backwards.add(*strip)
    matrix = forwards.matrix()
    assert torch.equal(matrix, backwards.matrix())
    torch.testing.assert_close(matrix, whole.matrix(), rtol=0, atol=1e-14)


def test_windows_add_up(features, attend) -> None:
    (_, *first), *others = strips_of(features)
    both = Statistics(attend, MIN_ROWS)
    both.add(0, *first)
    for _, query, key in others:
        more = Statistics(attend, MIN_ROWS)
        more.add(0, query, key)
        both.merge(more)
    whole = Statistics(attend, ROWS)
    whole.add(0, *features)
    torch.testing.assert_close(both.matrix(), whole.matrix(), rtol=0, atol=1e-14)


def test_strips_leave_nothing_of_their_own_in_memory(features, attend) -> None:
    statistics, given = Statistics(attend, ROWS), list(strips_of(features))
    before = num_tensors()
    for strip in given:
        statistics.add(*strip)
    assert num_tensors() == before


def num_tensors() -> int:
    gc.collect()
    return sum(type(thing) is Tensor for thing in gc.get_objects())
