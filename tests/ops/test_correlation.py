"""Correlation as one number: golden values, limits, gradients."""

import numpy as np
import pytest
import torch

from polyfuse.ops.correlation import correlation


def random_pair() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = torch.rand(2, 3, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return x, y


def test_batch_is_correlated_as_a_whole() -> None:
    x, y = random_pair()
    expected = np.corrcoef(x.flatten(), y.flatten())[0, 1]
    assert correlation(x, y).item() == pytest.approx(expected, abs=1e-7)  # the official code's epsilon


def test_samples_are_correlated_one_by_one() -> None:
    x, y = random_pair()
    expected = [np.corrcoef(x[k].flatten(), y[k].flatten())[0, 1] for k in range(3)]
    assert correlation(x, y, per_sample=True).tolist() == pytest.approx(expected, abs=1e-6)


def test_constant_correlates_with_nothing() -> None:
    x, y = random_pair()
    flat = torch.ones_like(y, requires_grad=True)
    found = correlation(x, flat)
    found.backward()
    assert found.item() == 0
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


def test_float32_never_leaves_its_limits() -> None:
    x, _ = random_pair()
    assert correlation(x.float() * 1e4, x.float() * 1e4).item() <= 1
    assert correlation(x.float(), -x.float()).item() >= -1


def test_gradients_match_finite_differences() -> None:
    x, y = random_pair()
    assert torch.autograd.gradcheck(correlation, (x.requires_grad_(), y.requires_grad_()), eps=1e-6, atol=1e-6)
