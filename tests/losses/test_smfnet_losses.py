"""The losses of SMFNet's two stages: golden values, what the official forms leave without gradient, weights."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse.families.smfnet.losses import (
    FIXED,
    OFFICIAL,
    FusionWeights,
    ReconstructionWeights,
    decomposition,
    fusion_terms,
    gradient_distance,
    gram_distance,
    reconstruction_terms,
    ssim_distance,
    zeros_loss,
)
from polyfuse.families.smfnet.lovasz import lovasz_loss, otsu_lovasz_loss
from polyfuse.ops.correlation import correlation
from polyfuse.ops.gradients import signed_gradient
from polyfuse.ops.ssim import ssim_map

EXACT = 1e-9  # ten printed digits of values below one, float64
FLOAT32_RESULT = 1e-7  # entries that a float32 program made


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "golden" / "smfnet.json"
    return json.loads(path.read_text(encoding="utf-8"))["losses"]


@pytest.fixture(scope="module")
def planes() -> dict[str, Tensor]:
    """Visible, infrared and a pretend result by formula, (2, 1, 24, 20) float64."""
    n, y, x = np.mgrid[:2, :24, :20].astype(np.float64)
    found = {
        "vis": 0.50 + 0.30 * np.sin(0.21 * x + 0.13 * y + 0.7 * n) + 0.15 * np.cos(0.9 * x - 0.55 * y),
        "ir": 0.45 + 0.35 * np.sin(0.11 * x + 0.4) * np.cos(0.17 * y - 0.5 * n) + 0.10 * np.sin(0.033 * x * y),
        "pred": 0.48 + 0.28 * np.sin(0.20 * x + 0.15 * y + 0.7 * n + 0.1) + 0.12 * np.cos(0.8 * x - 0.5 * y),
    }
    return {name: torch.from_numpy(values.clip(0, 1))[:, None] for name, values in found.items()}


def with_zeros(picture: Tensor) -> Tensor:
    """The picture with 28 black pixels, as in the golden values."""
    holed = picture.clone()
    holed[..., 3:7, 2:9] = 0
    return holed


@pytest.mark.parametrize(("target", "key"), [("vis", "dssim(vis,pred) kornia0.2"), ("ir", "dssim(ir,pred)")])
def test_clamped_ssim_distance_is_golden(target: str, key: str, planes, expected) -> None:
    assert ssim_distance(planes["pred"], planes[target], "clamped").item() == pytest.approx(expected[key], abs=EXACT)


@pytest.mark.parametrize(("target", "mean"), [("vis", 0.7839360840), ("ir", 0.1390742484)])
def test_plain_ssim_distance_is_half_of_what_lacks_to_one(target: str, mean: float, planes) -> None:
    found = ssim_distance(planes["pred"], planes[target]).item()
    assert found == pytest.approx((1 - mean) / 2, abs=EXACT)  # specification, section 4


@pytest.mark.parametrize(("target", "share"), [("vis", 0.00104), ("ir", 0.36771)])
def test_clamped_distance_has_no_gradient_where_ssim_is_negative(target: str, share: float, planes) -> None:
    similar = ssim_map(planes["pred"], planes[target], "reflect").requires_grad_()
    (1 - similar).clamp(0, 1).mean().backward()
    assert similar.grad is not None
    assert (similar.grad == 0).double().mean().item() == pytest.approx(share, abs=5e-6)


def test_gradient_distance_is_golden(planes, expected) -> None:
    found = gradient_distance(planes["pred"], planes["vis"]).item()
    assert found == pytest.approx(expected["sobel_l1(vis,pred) official"], abs=EXACT)


def test_gram_distance_is_golden(planes, expected) -> None:
    assert gram_distance(planes["pred"], planes["vis"]).item() == pytest.approx(
        expected["gram_mse(vis,pred)"], abs=EXACT
    )


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [("vis", "ir", 0.3089700200), ("vis", "pred", 0.9147899991), ("vis", None, -0.9999999977)],
)
def test_correlation_is_golden(one: str, other: str | None, value: float, planes) -> None:
    second = -planes[one] if other is None else planes[other]
    assert correlation(planes[one], second).item() == pytest.approx(value, abs=EXACT)


def test_correlation_of_each_picture_is_golden(planes, expected) -> None:
    found = correlation(planes["vis"], planes["ir"], per_sample=True).mean().item()
    assert found == pytest.approx(expected["cc_per_map(vis,ir)"], abs=1e-6)  # float32, and an epsilon for each picture


def test_decomposition_is_golden(planes) -> None:
    found = decomposition([(planes["vis"], planes["ir"])], (planes["vis"], planes["pred"])).item()
    assert found == pytest.approx(0.04959630572, abs=EXACT)  # specification, section 4, float64


def test_official_semantic_term_is_golden(planes, expected) -> None:
    holed = with_zeros(planes["vis"])
    assert zeros_loss(planes["vis"]).item() == expected["seg(pred,vis) no zeros"] == 0
    key = "seg(pred,vis with zero rectangle rows 3..6 cols 2..8)"
    assert zeros_loss(holed).item() == pytest.approx(expected[key], abs=FLOAT32_RESULT)


@pytest.mark.parametrize(("target", "key"), [("vis", "(pred,vis)"), ("ir", "(pred,ir)")])
def test_semantic_term_is_golden(target: str, key: str, planes, expected) -> None:
    found = otsu_lovasz_loss(planes["pred"], planes[target]).item()
    assert found == pytest.approx(expected[f"semantic_otsu tau=0.1 {key}"], abs=EXACT)


def test_lovasz_loss_is_golden(planes) -> None:
    labels = (planes["vis"] > 0.5).double()
    whole = lovasz_loss(planes["pred"].reshape(1, -1), labels.reshape(1, -1)).item()
    each = lovasz_loss(planes["pred"].flatten(1), labels.flatten(1)).mean().item()
    assert whole == pytest.approx(0.3766240799, abs=EXACT)
    assert each == pytest.approx(0.3767517653, abs=EXACT)


def test_lovasz_loss_of_hard_predictions_is_the_jaccard_loss(rng) -> None:
    labels, guess = torch.from_numpy(rng.integers(0, 2, (2, 3, 40))).double()
    both, either = (labels * guess).sum(1), torch.maximum(labels, guess).sum(1)
    neither, not_both = ((1 - labels) * (1 - guess)).sum(1), 40 - (labels * guess).sum(1)
    expected = ((1 - both / either) + (1 - neither / not_both)) / 2
    torch.testing.assert_close(lovasz_loss(guess, labels), expected)


def test_lovasz_loss_takes_the_classes_that_occur() -> None:
    labels = torch.ones(1, 5, dtype=torch.float64)
    assert lovasz_loss(torch.full((1, 5), 0.75, dtype=torch.float64), labels).item() == pytest.approx(0.25)
    assert lovasz_loss(labels, labels).item() == 0


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_semantic_term_of_a_flat_picture_has_a_finite_gradient(value: float) -> None:
    predicted = torch.full((2, 1, 4, 4), 0.3, requires_grad=True)
    loss = otsu_lovasz_loss(predicted, torch.full((2, 1, 4, 4), value))
    loss.backward()
    assert torch.isfinite(loss)
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()


def test_gradients_of_the_semantic_term_match_finite_differences(planes) -> None:
    predicted = planes["pred"][..., :6, :5].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: otsu_lovasz_loss(x, planes["vis"][..., :6, :5]), predicted)


def features(planes: dict[str, Tensor]) -> dict[str, Any]:
    """Pictures in the place of features."""
    vis, ir, pred = planes["vis"], planes["ir"], planes["pred"]
    return {"base": (pred, vis), "detail": (ir, vis), "graph": (ir, pred)}


def test_fusion_terms_are_golden(planes, expected) -> None:
    terms = fusion_terms(planes["pred"], planes["ir"], planes["vis"], **features(planes))
    total, intensity, gradient = expected["stage2 total,int,grad (vis,ir,pred) official"]
    assert terms["intensity"].item() == pytest.approx(intensity, abs=EXACT)
    assert terms["gradient"].item() == pytest.approx(10 * gradient, abs=10 * EXACT)
    assert (terms["intensity"] + terms["gradient"]).item() == pytest.approx(total, abs=10 * EXACT)


def correlations(planes: dict[str, Tensor]) -> dict[str, float]:
    return {name: correlation(*pair).item() for name, pair in features(planes).items()}


@pytest.mark.parametrize(
    ("rules", "details"),
    [
        (FIXED, ("detail", "graph")),
        (OFFICIAL, ("detail", "detail")),
        (replace(FIXED, graph_in_fusion=False), ("detail", "detail")),
    ],
)
def test_decomposition_of_stage_two_follows_the_rules(rules, details, planes) -> None:
    cc = correlations(planes)
    terms = fusion_terms(planes["pred"], planes["ir"], planes["vis"], **features(planes), rules=rules)
    value = sum(cc[name] ** 2 for name in details) / (cc["base"] + 1.01)
    assert terms["decomposition"].item() == pytest.approx(2 * value, abs=EXACT)


def test_network_without_a_graph_leaves_its_correlation_out(planes) -> None:
    cc = correlations(planes)
    terms = fusion_terms(planes["pred"], planes["ir"], planes["vis"], **(features(planes) | {"graph": None}))
    assert terms["decomposition"].item() == pytest.approx(2 * cc["detail"] ** 2 / (cc["base"] + 1.01), abs=EXACT)


@pytest.mark.parametrize(("rules", "details"), [(FIXED, ("detail",)), (None, ("detail", "graph"))])
def test_decomposition_of_stage_one_follows_the_rules(rules, details, planes) -> None:
    rules = rules or replace(FIXED, graph_in_reconstruction=True)
    cc = correlations(planes)
    pred, ir, vis = planes["pred"], planes["ir"], planes["vis"]
    terms = reconstruction_terms(pred, pred, ir, vis, **features(planes), rules=rules)
    value = sum(cc[name] ** 2 for name in details) / (cc["base"] + 1.01)
    assert terms["decomposition"].item() == pytest.approx(2 * value, abs=EXACT)


def test_reconstruction_terms_weigh_the_right_pictures(planes) -> None:
    ir, vis, pred = planes["ir"], planes["vis"], planes["pred"]
    found_a, found_b = pred, pred.flip(-1)
    terms = reconstruction_terms(found_a, found_b, ir, vis, **features(planes))
    expected = {
        "structure_a": 8 * ssim_distance(found_a, ir),
        "structure_b": 8 * ssim_distance(found_b, vis),
        "gradient_a": 10 * gradient_distance(found_a, ir),
        "gradient_b": 10 * gradient_distance(found_b, vis),
        "semantic": otsu_lovasz_loss(found_b, vis),
        "intensity": gram_distance(found_a, ir),
        "signed_gradient": 5 * (signed_gradient(found_b) - signed_gradient(vis)).abs().mean(),
        "decomposition": terms["decomposition"],
    }
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        {name: term.item() for name, term in expected.items()}
    )


def test_term_without_weight_is_left_out(planes) -> None:
    pred, ir, vis = planes["pred"], planes["ir"], planes["vis"]
    ablation = ReconstructionWeights(semantic=0, intensity=0)  # row 3 of the paper's ablation
    terms = reconstruction_terms(pred, pred, ir, vis, **features(planes), weights=ablation)
    assert {"semantic", "intensity"}.isdisjoint(terms)
    assert set(fusion_terms(pred, ir, vis, **features(planes), weights=FusionWeights(gradient=0))) == {
        "intensity",
        "decomposition",
    }


@pytest.mark.parametrize(("rules", "silent"), [(FIXED, set()), (OFFICIAL, {"semantic", "decomposition"})])
def test_terms_without_gradient_are_the_official_ones(rules, silent, planes) -> None:
    found = planes["pred"].clone().requires_grad_()
    maps: dict[str, Any] = {
        name: tuple(x.clone().requires_grad_() for x in pair) for name, pair in features(planes).items()
    }
    ir, vis = planes["ir"], with_zeros(planes["vis"])
    for terms in (
        reconstruction_terms(found, found, ir, vis, **maps, rules=rules),
        fusion_terms(found, ir, vis, **maps, rules=rules),
    ):
        assert {name for name, term in terms.items() if not term.requires_grad} == silent & set(terms)


def test_correlations_of_each_sample_are_an_option(planes) -> None:
    base, detail = (planes["vis"], planes["pred"]), (planes["vis"], planes["ir"])
    found = decomposition([detail], base, replace(FIXED, per_sample=True)).item()
    each = [
        decomposition([tuple(x[k : k + 1] for x in detail)], tuple(x[k : k + 1] for x in base)).item() for k in (0, 1)
    ]
    assert found == pytest.approx(sum(each) / 2, abs=EXACT)
    assert found != pytest.approx(decomposition([detail], base).item(), abs=1e-4)
