"""The losses of FNet's two stages: golden values, flat pictures, weights per sample, gradients."""

import pytest
import torch

from polyfuse.losses.terms import (
    FusionLossWeights,
    fusion_loss,
    fusion_terms,
    reconstruction_loss,
    reconstruction_terms,
)
from polyfuse.ops.gradients import gradient_magnitude
from polyfuse.ops.ssim import ssim_map

LOSS_ERROR = 1e-5  # relative, float32 sums over 3072 pixels in another order


@pytest.fixture
def stage_two(pictures) -> dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """(fused, a, b) of every golden case."""
    a, b, p = pictures["A"], pictures["B"], pictures["P"]
    batch = torch.cat([p, p.flip(-1)]), torch.cat([a, b * 0.5]), torch.cat([b, a])
    return {
        "P_as_fused": (p, a, b),
        "fused_eq_A": (a, a, b),
        "fused_eq_max": (torch.maximum(a, b), a, b),
        "batch2": batch,
    }


CASES = ["P_as_fused", "fused_eq_A", "fused_eq_max", "batch2"]


@pytest.mark.parametrize("name", ["A", "B", "P"])
def test_formula_picture_is_golden(name: str, golden, pictures) -> None:
    expected = golden["G1_inputs"][name]
    x = pictures[name].double()
    found = {"mean": x.mean(), "std": x.std(correction=0), "min": x.min(), "max": x.max(), "abs_sum": x.abs().sum()}
    assert {key: value.item() for key, value in found.items()} == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_fusion_loss_is_golden(case: str, golden, stage_two) -> None:
    expected = golden["G8_loss_stage2"][case]["total"]
    assert fusion_loss(*stage_two[case]).item() == pytest.approx(expected, rel=LOSS_ERROR)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("term", "key"),
    [("intensity", "L_int_raw"), ("gradient", "L_grad_raw"), ("structure", "one_minus_wssim_raw")],
)
def test_fusion_term_is_golden(term: str, key: str, case: str, golden, stage_two) -> None:
    found = getattr(fusion_terms(*stage_two[case]), term).item()
    assert found == pytest.approx(golden["G8_loss_stage2"][case][key], rel=LOSS_ERROR, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("index", "key"), [(1, "ssim_A"), (2, "ssim_B")])
def test_mean_ssim_is_golden(index: int, key: str, case: str, golden, stage_two) -> None:
    inputs = stage_two[case]
    found = ssim_map(inputs[index], inputs[0]).mean().item()
    assert found == pytest.approx(golden["G8_loss_stage2"][case][key], rel=LOSS_ERROR)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("index", "key"), [(1, "sobel_mean_A"), (2, "sobel_mean_B")])
def test_mean_gradient_is_golden(index: int, key: str, case: str, golden, stage_two) -> None:
    found = gradient_magnitude(stage_two[case][index]).mean().item()
    assert found == pytest.approx(golden["G8_loss_stage2"][case][key], rel=LOSS_ERROR)


@pytest.mark.parametrize(("predicted", "target"), [("P", "A"), ("P", "B"), ("A", "B")])
def test_reconstruction_loss_is_golden(predicted: str, target: str, golden, pictures) -> None:
    expected = golden["G9_loss_stage1"][f"{predicted}_vs_{target}"]["total"]
    found = reconstruction_loss(pictures[predicted], pictures[target]).item()
    assert found == pytest.approx(expected, rel=LOSS_ERROR)


@pytest.mark.parametrize(("predicted", "target"), [("P", "A"), ("P", "B"), ("A", "B")])
def test_reconstruction_terms_are_golden(predicted: str, target: str, golden, pictures) -> None:
    expected = golden["G9_loss_stage1"][f"{predicted}_vs_{target}"]
    found = [term.item() for term in reconstruction_terms(pictures[predicted], pictures[target])]
    assert found == pytest.approx([expected["l1"], expected["grad"]], rel=LOSS_ERROR)


def test_weights_of_zero_drop_their_terms(pictures) -> None:
    a, b, p = pictures["A"], pictures["B"], pictures["P"]
    only = fusion_loss(p, a, b, FusionLossWeights(intensity=2.0, gradient=0.0, ssim=0.0))
    torch.testing.assert_close(only, 2 * fusion_terms(p, a, b).intensity)


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (6, 7)], ids=str)
def test_all_zero_pictures_give_a_finite_loss(size: tuple[int, int], per_sample: bool) -> None:
    zero = torch.zeros(2, 1, *size)
    fused = torch.full_like(zero, 0.3, requires_grad=True)
    loss = fusion_terms(fused, zero, zero, per_sample=per_sample).total(FusionLossWeights())
    loss.backward()
    assert torch.isfinite(loss)
    assert fused.grad is not None
    assert torch.isfinite(fused.grad).all()


def test_two_flat_pictures_count_equally() -> None:
    zero = torch.zeros(1, 1, 20, 20)
    fused = torch.full_like(zero, 0.5)
    found = fusion_terms(fused, zero, zero).structure
    torch.testing.assert_close(found, 1 - ssim_map(zero, fused).mean())


def test_weights_per_sample_equal_single_batches(stage_two) -> None:
    fused, a, b = stage_two["batch2"]
    single = [fusion_terms(fused[n : n + 1], a[n : n + 1], b[n : n + 1]).structure for n in range(2)]
    found = fusion_terms(fused, a, b, per_sample=True).structure
    torch.testing.assert_close(found, torch.stack(single).mean(), rtol=LOSS_ERROR, atol=0)


def test_weights_per_batch_differ_from_weights_per_sample(stage_two) -> None:
    inputs = stage_two["batch2"]
    difference = fusion_terms(*inputs).structure - fusion_terms(*inputs, per_sample=True).structure
    assert abs(difference.item()) > 1e-4


@pytest.mark.parametrize("loss", ["fusion", "reconstruction"])
def test_gradient_matches_finite_differences(loss: str) -> None:
    generator = torch.Generator().manual_seed(4)
    fused, a, b = torch.rand(3, 1, 1, 6, 7, dtype=torch.float64, generator=generator)
    fused.requires_grad_()
    # random values keep every |.| further from its kink than the step of 1e-7
    function = (lambda x: fusion_loss(x, a, b)) if loss == "fusion" else (lambda x: reconstruction_loss(x, a))
    assert torch.autograd.gradcheck(function, (fused,), eps=1e-7, atol=1e-5)


def test_perfect_reconstruction_costs_nothing(pictures) -> None:
    assert reconstruction_loss(pictures["A"], pictures["A"]).item() == 0
