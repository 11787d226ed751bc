"""The thresholding functions: the published numbers, their limits, their derivatives, and the fast variants."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.ops.threshold import (
    ThresholdKind,
    apply_threshold,
    fast_sigmoidal_threshold,
    hard_threshold,
    sigmoidal_threshold,
    sigmoidal_threshold_,
    soft_threshold,
)

TABLE = json.loads((Path(__file__).parents[1] / "golden" / "fnet.json").read_text())["G3_threshold"]
THETA = TABLE["theta"]


@pytest.fixture
def table_x() -> torch.Tensor:
    return torch.tensor(TABLE["x"], dtype=torch.float64, requires_grad=True)


def test_sigmoidal_threshold_gives_the_golden_values(table_x: torch.Tensor) -> None:
    # float64 against 9 printed digits
    found = sigmoidal_threshold(table_x, THETA)
    torch.testing.assert_close(found, torch.tensor(TABLE["S"], dtype=torch.float64), rtol=1e-8, atol=1e-16)


@pytest.mark.parametrize(("function", "column"), [(hard_threshold, "hard"), (soft_threshold, "soft")])
def test_sharp_thresholds_give_the_golden_values(function, column: str, table_x: torch.Tensor) -> None:
    expected = torch.tensor(TABLE[column], dtype=torch.float64)
    torch.testing.assert_close(function(table_x, THETA), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("form", [sigmoidal_threshold, fast_sigmoidal_threshold])
def test_derivative_to_the_code_is_golden(form, table_x: torch.Tensor) -> None:
    theta = torch.tensor(THETA, dtype=torch.float64)
    (grad,) = torch.autograd.grad(form(table_x, theta).sum(), table_x)
    torch.testing.assert_close(grad, torch.tensor(TABLE["dS_dx"], dtype=torch.float64), rtol=1e-8, atol=1e-16)


@pytest.mark.parametrize("form", [sigmoidal_threshold, fast_sigmoidal_threshold])
def test_derivative_to_the_threshold_is_golden(form, table_x: torch.Tensor) -> None:
    theta = torch.tensor(THETA, dtype=torch.float64, requires_grad=True)
    found = [torch.autograd.grad(form(x.detach()[None], theta).sum(), theta)[0] for x in table_x]
    expected = torch.tensor(TABLE["dS_dtheta"], dtype=torch.float64)
    torch.testing.assert_close(torch.stack(found), expected, rtol=1e-8, atol=1e-16)


@given(st.floats(-10, 10, width=32), st.floats(0, 1, width=32))
def test_sigmoidal_threshold_is_odd_to_the_bit(value: float, theta: float) -> None:
    x = torch.tensor([value])
    assert torch.equal(sigmoidal_threshold(-x, theta), -sigmoidal_threshold(x, theta))


@pytest.mark.parametrize("kind", ["sigmoidal", "soft", "hard"])
def test_every_threshold_is_zero_at_zero(kind: ThresholdKind) -> None:
    assert apply_threshold(kind, torch.zeros(1), 0.002, steepness=100, shrink=0.1).item() == 0


@pytest.mark.parametrize(("shrink", "limit"), [(0.0, hard_threshold), (1.0, soft_threshold)])
def test_steep_sigmoidal_threshold_tends_to_a_sharp_one(shrink: float, limit) -> None:
    x = torch.linspace(-1, 1, 401, dtype=torch.float64)
    x = x[(x.abs() - 0.2).abs() > 1e-6]  # at the threshold itself the gate stands at one half for any steepness
    torch.testing.assert_close(
        sigmoidal_threshold(x, 0.2, steepness=1e5, shrink=shrink), limit(x, 0.2), rtol=0, atol=1e-9
    )


def test_value_at_the_threshold_is_half_of_what_remains() -> None:
    x = torch.tensor([0.128], dtype=torch.float64)
    torch.testing.assert_close(sigmoidal_threshold(x, 0.128), x * 0.9 / 2, rtol=1e-14, atol=0)


def test_sign_flips_below_the_shrunk_threshold() -> None:
    # the published network was trained with that; a "repaired" sign moves its output by up to 1.7e-3
    assert sigmoidal_threshold(torch.tensor([1e-4]), 0.002).item() < 0


def test_large_values_lose_a_constant() -> None:
    x = torch.tensor([-3.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(sigmoidal_threshold(x, 0.128), x - 0.0128 * x.sign(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("form", [sigmoidal_threshold, fast_sigmoidal_threshold])
def test_gradient_is_finite_where_the_exponential_form_overflows(form) -> None:
    x = torch.tensor([0.0, 0.5, 3.0], requires_grad=True)
    form(x, torch.tensor(2.0)).sum().backward()  # steepness * theta = 200 overflows exp in float32
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("theta", [0.128, 0.002])
def test_in_place_variant_equals_the_plain_one(theta: float) -> None:
    x = torch.linspace(-1, 1, 4001)
    expected = sigmoidal_threshold(x, theta)
    # the product is formed as sign * a * g instead of (x - sign * b) * g: one rounding of a number below 1
    torch.testing.assert_close(sigmoidal_threshold_(x.clone(), theta), expected, rtol=0, atol=1.2e-7)


def test_in_place_variant_writes_into_its_argument() -> None:
    x = torch.ones(3)
    assert sigmoidal_threshold_(x, 0.1) is x


@pytest.mark.parametrize("theta_shape", [(), (1,)])
def test_fast_gradients_match_finite_differences(theta_shape: tuple[int, ...]) -> None:
    x = torch.linspace(-0.6, 0.61, 24, dtype=torch.float64).requires_grad_()  # passes 0 at no grid point
    theta = torch.full(theta_shape, 0.128, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(fast_sigmoidal_threshold, (x, theta), eps=1e-7, atol=1e-5)


def test_fast_gradients_equal_autograd() -> None:
    x = torch.linspace(-0.6, 0.61, 999, dtype=torch.float64).requires_grad_()
    theta = torch.tensor(0.05, dtype=torch.float64, requires_grad=True)
    weight = torch.cos(torch.arange(999, dtype=torch.float64))
    fast = torch.autograd.grad(
        (fast_sigmoidal_threshold(x, theta, steepness=70, shrink=0.2) * weight).sum(), (x, theta)
    )
    plain = torch.autograd.grad((sigmoidal_threshold(x, theta, steepness=70, shrink=0.2) * weight).sum(), (x, theta))
    torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("function", "order"), [(hard_threshold, 0), (soft_threshold, 1)])
def test_sharp_threshold_minimises_its_objective(function, order: int) -> None:
    x = torch.linspace(-1, 1, 41, dtype=torch.float64) + 0.003
    theta = 0.3
    grid = torch.linspace(-1.2, 1.2, 2401, dtype=torch.float64)

    def objective(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        penalty = (u != 0) * theta**2 / 2 if order == 0 else theta * u.abs()
        return (u - v) ** 2 / 2 + penalty

    best_on_grid = objective(grid[:, None], x[None]).min(dim=0).values
    assert (objective(function(x, theta), x) <= best_on_grid + 1e-12).all()


def test_apply_threshold_passes_its_constants_on() -> None:
    x = torch.tensor([0.2])
    found = apply_threshold("sigmoidal", x, 0.1, steepness=20, shrink=0.5)
    assert torch.equal(found, sigmoidal_threshold(x, 0.1, steepness=20, shrink=0.5))
