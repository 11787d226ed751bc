"""Filters in the frequency domain."""

import numpy as np
import pytest
import torch

from polyfuse.ops.frequencies import (
    apply_gain,
    apply_gain_rounding_as_complex,
    band_shares,
    radial_frequency,
    share_above,
)

SIZES = [(8, 8), (7, 10), (10, 7), (5, 3), (1, 6), (6, 1), (1, 1)]


@pytest.mark.parametrize("size", SIZES)
def test_radius_counts_cycles_per_picture(size: tuple[int, int]) -> None:
    down, across = (np.fft.fftfreq(n) * n for n in size)
    expected = torch.from_numpy(np.hypot(down[:, None], across)) / 5
    assert torch.allclose(radial_frequency(*size, unit=5), expected, rtol=1e-14)


@pytest.mark.parametrize("size", SIZES)
def test_both_filters_agree_and_a_gain_of_one_changes_nothing(size: tuple[int, int]) -> None:
    x = torch.rand(2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gain = torch.exp(-radial_frequency(*size, unit=2))
    assert torch.allclose(apply_gain(x, gain), apply_gain_rounding_as_complex(x, gain), atol=1e-14)
    for apply in (apply_gain, apply_gain_rounding_as_complex):
        assert torch.allclose(apply(x, torch.ones_like(gain)), x, atol=1e-14)
        assert torch.equal(apply(x, gain)[1:], apply(x[1:], gain))


def test_a_wave_lies_in_the_band_of_its_frequency() -> None:
    columns = torch.arange(32, dtype=torch.float64)
    waves = torch.stack([torch.cos(2 * torch.pi * columns * cycles / 32) for cycles in (1, 3, 6, 12)])
    pictures = waves[:, None, None].expand(4, 1, 16, 32)
    torch.testing.assert_close(band_shares(pictures, (1 / 16, 1 / 8, 1 / 4)), torch.eye(4, dtype=torch.float64))


def test_two_bands_are_the_share_above_and_the_rest() -> None:
    x = torch.rand(2, 3, 9, 14, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    above = share_above(x, 1 / 8)
    torch.testing.assert_close(band_shares(x, (1 / 8,)), torch.stack([1 - above, above], dim=1))


def test_constant_channels_have_no_energy_in_any_band() -> None:
    assert band_shares(torch.full((1, 2, 8, 8), 0.5), (0.1, 0.2)).tolist() == [[0.0, 0.0, 0.0]]
