"""The reductions of a code to pictures, and the scales these are shown on."""

import numpy as np
import pytest
import torch

from polyfuse.drawing.maps import energy_map, shown_limit, shown_range, stretched_like, strongest_channels
from polyfuse.drawing.panels import Panel, Row
from polyfuse.fusion.stretch import OutputRange


def test_energy_is_the_root_mean_square_over_channels() -> None:
    code = torch.tensor([[[3.0, 0.0]], [[-4.0, 1.0]]])
    # float32 rounding of a norm of two values
    torch.testing.assert_close(energy_map(code), torch.tensor([[12.5**0.5, 0.5**0.5]]), rtol=1e-6, atol=0)


def test_strongest_channels_come_strongest_first() -> None:
    code = torch.tensor([1.0, -5.0, 0.0, 3.0])[:, None, None].expand(4, 2, 3)
    assert strongest_channels(code, 3) == [1, 3, 0]


def test_all_channels_are_given_where_there_are_fewer_than_asked() -> None:
    assert len(strongest_channels(torch.rand(5, 2, 2), 16)) == 5


def test_shown_range_is_the_first_to_the_ninety_ninth_percentile() -> None:
    assert shown_range(np.arange(101.0)) == pytest.approx((1, 99))


def test_constant_map_has_a_range_of_some_width() -> None:
    low, high = shown_range(np.zeros((3, 3)))
    assert high > low


def test_signed_scale_holds_the_percentiles_of_every_map() -> None:
    assert shown_limit(np.arange(-101.0, 0), np.arange(50.0)) == pytest.approx(100)


def test_results_are_stretched_as_fusing_stretches_them() -> None:
    rng = np.random.default_rng(4)
    fused, without = rng.normal(0.3, 7, (2, 31, 17)).astype(np.float32)
    for reference in (fused, np.full_like(fused, 0.7)):
        expected = OutputRange.measured(reference).stretch(without)
        np.testing.assert_array_equal(stretched_like(without, reference), expected)


def test_a_row_that_goes_on_leaves_no_room_for_a_heading() -> None:
    panels = [Panel("x", np.zeros((4, 4), np.uint8))]
    first, more = Row("Inputs", "what they are", panels), Row("", "", panels)
    assert more.height(3) < first.height(3) - 0.5
