"""Latent low-rank representation: the constraint, the known optimum without errors, the steps written out in full."""

import pytest
import torch
from torch import Tensor

from polyfuse.ops.latent_low_rank import FIRST_PENALTY, GROWTH, LAST_PENALTY, latent_low_rank


def noise(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(*size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def nuclear(x: Tensor) -> float:
    return float(torch.linalg.svdvals(x).sum())


def in_full(x: Tensor, weight: float, num_steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """The published steps on Z of (M, M), without the rotation into the row space of X."""

    def fewer(y: Tensor, threshold: float) -> Tensor:
        u, scale, vt = torch.linalg.svd(y)
        return u @ torch.diag((scale - threshold).clamp(min=0)) @ vt

    dims, count = x.shape
    eye_z, eye_l = torch.eye(count, dtype=x.dtype), torch.eye(dims, dtype=x.dtype)
    z, y2 = torch.zeros(2, count, count, dtype=x.dtype)
    low, y3 = torch.zeros(2, dims, dims, dtype=x.dtype)
    e, y1 = torch.zeros(2, dims, count, dtype=x.dtype)
    mu = FIRST_PENALTY
    for _ in range(num_steps):
        j = fewer(z + y2 / mu, 1 / mu)
        s = fewer(low + y3 / mu, 1 / mu)
        z = torch.linalg.solve(eye_z + x.T @ x, x.T @ (x - low @ x - e) + j + (x.T @ y1 - y2) / mu)
        low = ((x - x @ z - e) @ x.T + s + (y1 @ x.T - y3) / mu) @ torch.linalg.inv(eye_l + x @ x.T)
        e = x - x @ z - low @ x + y1 / mu
        e = e.sign() * (e.abs() - weight / mu).clamp(min=0)
        y1, y2, y3 = y1 + mu * (x - x @ z - low @ x - e), y2 + mu * (z - j), y3 + mu * (low - s)
        mu = min(mu * GROWTH, LAST_PENALTY)
    return z, low, e


@pytest.mark.parametrize("weight", [0.05, 0.4])
def test_steps_are_the_published_ones(weight: float) -> None:
    x = noise(8, 3) @ noise(3, 14, seed=1) + 0.1 * noise(8, 14, seed=2)
    found = latent_low_rank(x, weight)
    # rounding is divided by penalties down to 1e-6
    for given, wanted in zip(
        (found.columns, found.projection, found.errors), in_full(x, weight, found.num_steps), strict=True
    ):
        torch.testing.assert_close(given, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("weight", [0.02, 0.4])
def test_parts_add_up_to_the_samples(weight: float) -> None:
    x = noise(9, 12)
    found = latent_low_rank(x, weight)
    parts = x @ found.columns + found.projection @ x + found.errors
    torch.testing.assert_close(parts, x, rtol=0, atol=1e-6)


def test_norms_without_errors_add_up_to_the_rank() -> None:
    x = noise(10, 4) @ noise(4, 20, seed=1)
    found = latent_low_rank(x, weight=100.0)
    assert found.errors.abs().max() < 1e-6
    assert nuclear(found.columns) + nuclear(found.projection) == pytest.approx(4, abs=1e-4)


def test_no_small_change_is_better() -> None:
    x = noise(6, 2) @ noise(2, 9, seed=1) + 0.3 * noise(6, 9, seed=2)
    weight = 0.3
    found = latent_low_rank(x, weight)

    def cost(z: Tensor, low: Tensor) -> float:
        return nuclear(z) + nuclear(low) + weight * float((x - x @ z - low @ x).abs().sum())

    best = cost(found.columns, found.projection)
    assert found.errors.abs().max() > 0.1  # all three parts are there
    for seed in range(40):
        step = 10.0 ** -(seed % 4 + 1)
        changed = found.columns + step * noise(9, 9, seed=seed), found.projection + step * noise(6, 6, seed=seed + 100)
        assert cost(*changed) > best - 1e-5


def test_search_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyfuse.ops.latent_low_rank.MOST_STEPS", 5)
    with pytest.raises(ArithmeticError, match="after 5 steps"):
        latent_low_rank(noise(4, 6), 0.4)
