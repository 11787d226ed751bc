"""The order of brightness as a loss: regions follow b, what is smaller than a block is free."""

import pytest
import torch

from polyfuse.losses.order import SHARE, SIDE, order_distance


def test_a_picture_in_the_wanted_shares_costs_nothing_and_detail_is_free() -> None:
    a, b = torch.rand(2, 1, 1, 24, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = (1 - SHARE) * a + SHARE * b
    board = (torch.arange(24)[:, None] + torch.arange(32)).remainder(2).double() - 0.5  # mean 0 in every block
    assert order_distance(wanted, a, b).item() < 1e-15
    assert order_distance(wanted + 0.3 * board, a, b).item() < 1e-12


def test_worked_value() -> None:
    a, b = torch.zeros(1, 1, 2 * SIDE, SIDE), torch.ones(1, 1, 2 * SIDE, SIDE)
    fused = torch.cat([torch.full((1, 1, SIDE, SIDE), 1.0), torch.full((1, 1, SIDE, SIDE), 0.2)], dim=2)
    assert order_distance(fused, a, b).item() == pytest.approx((0.3 + 0.5) / 2, abs=1e-6)


def test_the_roles_are_not_alike() -> None:
    a, b = torch.zeros(1, 1, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE)
    assert order_distance(a, a, b) > order_distance(a, b, a)
