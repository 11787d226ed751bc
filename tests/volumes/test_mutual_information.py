"""The measure: its bounds, what leaves it as it is, and that its gradient is that of its values."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polyfuse.volumes.climb import Comparison
from polyfuse.volumes.levels import make_level
from polyfuse.volumes.mutual_information import joint_histogram, normalised_mutual_information, windows
from polyfuse.volumes.rigid import matrix_of, move_matrix

seeds = st.integers(0, 1000)


def pairs(seed, count=4000, noise=0.1):
    generator = torch.Generator().manual_seed(seed)
    a = torch.rand(count, generator=generator, dtype=torch.float64)
    b = ((1 - a) ** 2 + noise * torch.randn(count, generator=generator, dtype=torch.float64)).clamp(0, 1)
    return a, b, torch.rand(count, generator=generator, dtype=torch.float64)


def nmi(a, b, inside, num_bins=24):
    return float(normalised_mutual_information(joint_histogram(a, b, inside, num_bins)))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(4, 40))
def test_windows_share_each_value_out_in_full(values, num_bins):
    shares = windows(torch.tensor(values, dtype=torch.float64), num_bins)
    assert shares.min() >= 0
    assert torch.allclose(shares.sum(1), torch.ones(len(values), dtype=torch.float64))


def test_windows_keep_the_mean_of_values():
    values = torch.linspace(0, 1, 33, dtype=torch.float64)
    places = windows(values, 12) @ torch.arange(12, dtype=torch.float64)
    assert torch.allclose(places, 1 + values * 9)


@settings(max_examples=20)
@given(seeds)
def test_swapping_the_volumes_changes_nothing(seed):
    a, b, inside = pairs(seed)
    assert nmi(a, b, inside) == pytest.approx(nmi(b, a, inside), abs=1e-12)


@settings(max_examples=20)
@given(seeds)
def test_it_lies_between_one_and_two_and_falls_with_noise(seed):
    values = [nmi(*pairs(seed, noise=noise)) for noise in (0.0, 0.05, 0.2, 1.0)]
    assert 1 <= values[3] < values[2] < values[1] < values[0] <= 2


def test_samples_outside_do_not_count():
    a, b, inside = pairs(1)
    lost = inside < 0.5
    inside = torch.where(lost, 0.0, inside)
    assert nmi(a, b, inside) == pytest.approx(nmi(a, torch.where(lost, 0.3, b), inside), abs=1e-12)


def test_one_value_alone_and_nothing_inside_say_nothing():
    a, b, inside = pairs(2)
    none = torch.zeros_like(a)
    assert nmi(a, none, inside) == pytest.approx(1, abs=1e-9)
    assert nmi(a, b, none) == 1


@pytest.mark.parametrize("remap", [lambda v: 7 * v - 900, lambda v: v**3, lambda v: -np.exp(v)])
def test_monotone_remaps_of_a_volume_change_little(remap):
    """By rank nothing would change, by value much; levels take the mean of both."""
    a, b = (blobs(seed) for seed in (0, 1))
    b = 0.7 * a + 0.3 * b
    before, after = (compared(a, values).at(np.eye(4)) for values in (b, remap(b)))
    unrelated = compared(a, blobs(2)).at(np.eye(4))
    assert abs(after - before) < 0.25 * (before - unrelated)


def blobs(seed, side=24):
    """Smooth noise, (side, side, side), 0 to 1."""
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.random((1, 1, side // 4, side // 4, side // 4)).astype(np.float32))
    return torch.nn.functional.interpolate(values, (side,) * 3, mode="trilinear")[0, 0].numpy()


def compared(a, b):
    one, other = (make_level(torch.from_numpy(values.astype(np.float32)), np.eye(4), 1.0) for values in (a, b))
    points = torch.from_numpy(2 + 19 * np.random.default_rng(5).random((3000, 3)))
    return Comparison.of(one, other, points, 16, 0.1)


def test_its_gradient_is_that_of_its_values():
    a = blobs(0)
    comparison = compared(a, 1 - a)
    centre = torch.full((3,), 11.5, dtype=torch.float64)
    at = torch.tensor([0.05, -0.08, 0.03, 0.7, -0.4, 0.9], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(comparison.value(move_matrix(at, centre)), at)
    for index in range(6):
        step = np.eye(6)[index] * 1e-4
        up, down = (comparison.at(matrix_of(at.detach().numpy() + sign * step, centre.numpy())) for sign in (1, -1))
        assert float(gradient[index]) == pytest.approx((up - down) / 2e-4, rel=0.02, abs=2e-4)


def test_a_move_that_leaves_too_little_overlap_is_worth_nothing():
    a = blobs(0)
    assert compared(a, a).at(matrix_of([0, 0, 0, 23, 0, 0], np.zeros(3))) == 1
