"""The content losses of DAE-Fuse: worked values, zeros, borders, weights."""

from typing import cast

import pytest
import torch
from torch import Tensor

from polyfuse.families.daefuse.losses import (
    FusionWeights,
    ReconstructionWeights,
    fusion_terms,
    gradient_distance,
    reconstruction_terms,
    structural_distance,
)
from polyfuse.losses.terms import brightness_distance, intensity_distance


@pytest.fixture(scope="module")
def triple() -> list[Tensor]:
    return list(torch.rand(3, 2, 1, 20, 24, generator=torch.Generator().manual_seed(5), dtype=torch.float64))


def test_intensity_term_is_zero_for_the_larger_source_alone(triple) -> None:
    _, a, b = triple
    larger = torch.maximum(a, b)
    assert intensity_distance(larger, a, b) == 0
    larger[0, 0, 3, 4] += 0.5
    assert intensity_distance(larger, a, b).item() == pytest.approx(0.5 / larger.numel())


def test_gradient_term_of_constants_is_zero_up_to_the_border() -> None:
    fused, a, b = (torch.full((1, 1, 5, 6), level) for level in (0.3, 0.9, 0.1))
    assert gradient_distance(fused, a, b).item() == pytest.approx(0, abs=1e-6)  # rounding of float32


def test_gradient_term_of_a_ramp_is_its_sobel_response() -> None:
    ramp = (torch.arange(6) * 0.1).expand(1, 1, 5, 6)
    flat = torch.zeros_like(ramp)
    # 0.8 inside, half of it in the two border columns, whose neighbour outside repeats them
    assert gradient_distance(flat, ramp, flat).item() == pytest.approx((4 * 0.8 + 2 * 0.4) / 6)


def test_brightness_term_sees_areas_and_hardly_texture() -> None:
    a, b = (torch.full((1, 1, 48, 48), level, dtype=torch.float64) for level in (0.6, 0.2))
    # a shift of the whole picture counts with its square
    assert brightness_distance(a - 0.1, a, b).item() == pytest.approx(0.01, abs=1e-12)
    board = 0.1 * (-1.0) ** (torch.arange(48)[:, None] + torch.arange(48))
    assert brightness_distance(a + board, a, b) < 1e-6
    assert brightness_distance(a, a, b) == 0


@pytest.mark.parametrize("distance", [intensity_distance, gradient_distance, brightness_distance])
def test_fusion_terms_do_not_depend_on_the_order_of_the_sources(distance, triple) -> None:
    fused, a, b = triple
    assert distance(fused, a, b) == distance(fused, b, a) > 0


def test_structure_is_compared_where_the_window_lies_inside(triple) -> None:
    x, y, _ = triple
    changed = y.clone()
    changed[..., 0, 0] = 0
    # one window of (20 - 10) (24 - 10) per picture sees the corner
    assert structural_distance(x, y) != structural_distance(x, changed)
    assert structural_distance(x[..., 1:, 1:], y[..., 1:, 1:]) == structural_distance(
        x[..., 1:, 1:], changed[..., 1:, 1:]
    )
    assert structural_distance(x[..., :11, :11], x[..., :11, :11]).item() == pytest.approx(0, abs=1e-12)


def test_structure_of_one_window_is_ssim_by_definition(triple) -> None:
    x, y = (picture[:1, :, :11, :11] for picture in triple[:2])
    offsets = torch.arange(-5.0, 6.0, dtype=torch.float64)
    line = torch.exp(-(offsets**2) / (2 * 1.5**2))
    window = torch.outer(line, line)[None, None]
    window = window / window.sum()

    def mean(z: Tensor) -> Tensor:
        return (window * z).sum()

    covariance = mean(x * y) - mean(x) * mean(y)
    variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    similarity = (2 * mean(x) * mean(y) + 1e-4) * (2 * covariance + 9e-4)
    similarity /= (mean(x) ** 2 + mean(y) ** 2 + 1e-4) * (variances + 9e-4)
    assert structural_distance(x, y).item() == pytest.approx(1 - similarity.item(), abs=1e-12)


def test_reconstruction_terms_have_their_weights(triple) -> None:
    found, a, b = triple
    terms = reconstruction_terms(found, found, a, b)
    assert set(terms) == {"squares_a", "structure_a", "squares_b", "structure_b"}
    assert terms["squares_b"].item() == pytest.approx(10 * ((found - b) ** 2).mean().item())
    assert terms["structure_a"] == structural_distance(found, a)
    halved = reconstruction_terms(found, found, a, b, weights=ReconstructionWeights(5.0, 0.5))
    assert {name: value.item() for name, value in halved.items()} == pytest.approx(
        {name: value.item() / 2 for name, value in terms.items()}
    )


def test_perfect_reconstruction_costs_nothing(triple) -> None:
    _, a, b = triple
    assert cast(Tensor, sum(reconstruction_terms(a, b, a, b).values())).item() == pytest.approx(0, abs=1e-12)


def test_fusion_terms_have_their_weights(triple) -> None:
    fused, a, b = triple
    terms = fusion_terms(fused, a, b)
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(
        {
            "intensity": 10 * intensity_distance(fused, a, b).item(),
            "gradient": 1.25 * gradient_distance(fused, a, b).item(),
        }
    )
    structured = fusion_terms(fused, a, b, weights=FusionWeights(structure=2.0))
    expected = 2 * (structural_distance(fused, a) + structural_distance(fused, b))
    assert structured["structure"].item() == pytest.approx(expected.item())


def test_gradients_match_finite_differences(triple) -> None:
    fused, a, b = (picture[:1, :, :12, :12] for picture in triple)

    def total(x: Tensor) -> Tensor:
        content = sum(fusion_terms(x, a, b, weights=FusionWeights(structure=1.0)).values())
        return content + 30 * brightness_distance(x, a, b) + sum(reconstruction_terms(x, x, a, b).values())

    assert torch.autograd.gradcheck(total, fused.clone().requires_grad_())
