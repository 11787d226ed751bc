"""Filters in the frequency domain."""

import numpy as np
import pytest
import torch

from polyfuse.ops.frequencies import apply_gain, apply_gain_rounding_as_complex, radial_frequency

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
