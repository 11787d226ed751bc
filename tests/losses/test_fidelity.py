"""Fidelity as a loss: 2 less the metric VIF, with a gradient that raises it, and finite wherever pictures are flat."""

from collections.abc import Callable

import pytest
import torch

from polyfuse import evaluate
from polyfuse.losses.fidelity import SMALLEST, fidelity_loss

SIDE = 64


def picture(seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """A smooth random picture of whole levels of 255, (1, 1, 64, 64)."""
    coarse = torch.rand(1, 1, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic").clamp(0, 1)
    return ((smooth * 255).round() / 255).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_it_is_two_less_the_metric(dtype: torch.dtype) -> None:
    a, b = picture(0), picture(1)
    fused = ((0.7 * a + 0.3 * b) * 255).round() / 255
    loss = fidelity_loss(fused.to(dtype), a.to(dtype), b.to(dtype))
    assert loss.dtype == dtype
    pictures = ((x[0, 0] * 255).round().to(torch.uint8).numpy() for x in (fused, a, b))
    vif = evaluate(*pictures, metrics=["VIF"]).values["VIF"]
    torch.testing.assert_close(2 - loss.item(), vif, rtol=1e-4, atol=0)


def test_a_copy_of_equal_sources_costs_nothing_and_brightness_does_not_count() -> None:
    a = picture(0)
    torch.testing.assert_close(fidelity_loss(a, a, a).item(), 0.0, rtol=0, atol=1e-4)
    torch.testing.assert_close(fidelity_loss(a + 0.2, a, a).item(), 0.0, rtol=0, atol=1e-4)
    assert fidelity_loss(1.5 * a, a, a) < -0.1


def test_a_negative_keeps_nothing() -> None:
    a = picture(0)
    torch.testing.assert_close(fidelity_loss(1 - a, a, a).item(), 2.0, rtol=0, atol=1e-12)


def test_its_gradient_leads_to_more_information() -> None:
    a, b = picture(0, torch.float32), picture(1, torch.float32)
    fused = ((a + b) / 2).requires_grad_()
    before = fidelity_loss(fused, a, b)
    (gradient,) = torch.autograd.grad(before, fused)
    assert fidelity_loss(fused - 1e-3 * gradient / gradient.abs().max(), a, b) < before


def test_flat_pictures_have_a_value_and_a_finite_gradient() -> None:
    flat, a = torch.full((1, 1, SIDE, SIDE), 0.3), picture(0, torch.float32)
    for fused, one, other, expected in ((flat, flat, flat, 0.0), (flat, a, a, 2.0), (a, flat, flat, 0.0)):
        given = fused.clone().requires_grad_()
        loss = fidelity_loss(given, one, other)
        (gradient,) = torch.autograd.grad(loss, given)
        torch.testing.assert_close(loss.item(), expected, rtol=0, atol=1e-4)
        assert gradient.isfinite().all()


def test_a_batch_counts_as_one_picture_however_it_is_shared_out() -> None:
    a, b = torch.cat([picture(0), picture(1)]), torch.cat([picture(2), 0.1 * picture(3)])
    fused = (a + b) / 2

    def sums(x: torch.Tensor) -> list[torch.Tensor]:
        seen: list[torch.Tensor] = []

        def note(mean: torch.Tensor) -> torch.Tensor:
            seen.append(mean)
            return mean

        fidelity_loss(x[:1], a[:1], b[:1], batch_mean=note)
        fidelity_loss(x[1:], a[1:], b[1:], batch_mean=note)
        return [(seen[0] + seen[2]) / 2, (seen[1] + seen[3]) / 2]

    def one_after_the_other(means: list[torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
        given = iter(means)
        return lambda mean: next(given)

    means = sums(fused)
    halves = [
        fidelity_loss(fused[share], a[share], b[share], batch_mean=one_after_the_other(means))
        for share in (slice(0, 1), slice(1, 2))
    ]
    torch.testing.assert_close((halves[0] + halves[1]) / 2, fidelity_loss(fused, a, b))


def test_smallest_crop_has_one_sample_on_the_last_scale() -> None:
    a = picture(0)
    fidelity_loss(*[a[..., :SMALLEST, :SMALLEST]] * 3)
    with pytest.raises(RuntimeError):
        fidelity_loss(*[a[..., : SMALLEST - 1, :SMALLEST]] * 3)
