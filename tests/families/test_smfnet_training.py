"""Losses and gradients through the whole of SMFNet in training mode are the official program's."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from polyfuse.families.smfnet import Features, SMFNet
from polyfuse.families.smfnet.losses import FIXED, OFFICIAL, LossRules, fusion_terms, reconstruction_terms
from polyfuse.families.smfnet.official import smfnet_key_map
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train.optimiser import build_optimiser
from polyfuse.train.recipe import OptimiserConfig, Recipe, StageConfig
from polyfuse.train.stage import FUSER, Batch
from polyfuse.train.turns import take_turn, turn_parameters

LEARNED = replace(OFFICIAL, decomposition="learned")
VARIANTS: dict[str, LossRules] = {
    "stage1_code": OFFICIAL,
    "stage1_paper_decomp_differentiable": LEARNED,
    "stage2_code": OFFICIAL,
    "stage2_paper_decomp_differentiable_ccG": replace(LEARNED, graph_in_fusion=True),
}
PARTS = {
    "DIDF_Encoder": "encoder",
    "DIDF_Decoder": "decoder",
    "GraphModel": "graph",
    "BaseFuseLayer": "fuse_base",
    "DetailFuseLayer": "fuse_detail",
}
NAMES = {
    "ssim_v": ("structure_b", 8),
    "ssim_i": ("structure_a", 8),
    "grad_v": ("gradient_b", 10),
    "grad_i": ("gradient_a", 10),
    "gram_i": ("intensity", 1),
    "spgrad_v": ("signed_gradient", 5),
    "seg_v": ("semantic", 1),
    "decomp": ("decomposition", 2),
    "int": ("intensity", 1),
    "grad": ("gradient", 10),
}
"""Golden name to ours and the weight that ours carries."""
GRADIENT_ERROR = 1e-8  # relative; measured below 1e-9


def pairs(features: Features) -> dict[str, Any]:
    """Arguments of the losses: of each branch the features of both sources."""
    return {
        name: (getattr(features, f"{name}_a"), getattr(features, f"{name}_b")) for name in ("base", "detail", "graph")
    }


def losses_of(stage: str, model: SMFNet, a: Tensor, b: Tensor) -> Callable[[LossRules], dict[str, Tensor]]:
    """One forward pass of a stage; the losses of it under any rules."""
    if stage == "stage1":
        found_a, found_b, features = model.reconstruct(a, b)
        return lambda rules: reconstruction_terms(found_a, found_b, a, b, **pairs(features), rules=rules)
    fused, features = model.fuse(a, b)
    return lambda rules: fusion_terms(fused, a, b, **pairs(features), rules=rules)


@pytest.fixture(scope="module")
def steps(formula_smfnet, smfnet_pair) -> dict[str, dict[str, Any]]:
    """Terms and gradients of every variant."""
    found = {}
    for stage in ("stage1", "stage2"):
        model = formula_smfnet().train()
        losses = losses_of(stage, model, *smfnet_pair(24, 20, batch=2))
        for name in (name for name in VARIANTS if name.startswith(stage)):
            model.zero_grad()
            terms = losses(VARIANTS[name])
            cast(Tensor, sum(terms.values())).backward(retain_graph=True)
            gradients = {key: None if p.grad is None else p.grad.clone() for key, p in model.named_parameters()}
            found[name] = {"terms": {key: term.item() for key, term in terms.items()}, "gradients": gradients}
    return found


@pytest.mark.parametrize("name", VARIANTS)
def test_terms_are_golden(name: str, smfnet_golden, steps) -> None:
    entry = smfnet_golden["losses_and_gradients_train_b2_24x20"][name]["terms"]
    terms = steps[name]["terms"]
    found = {key: terms[NAMES[key][0]] / NAMES[key][1] for key in entry if key in NAMES}
    assert found == pytest.approx({key: entry[key] for key in found}, abs=1e-8)
    assert {NAMES[key][0] for key in found} == set(terms)
    assert sum(terms.values()) == pytest.approx(entry["total"], abs=5e-8)  # ten digits of 18


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", VARIANTS)
def test_gradient_norm_is_golden(name: str, part: str, smfnet_golden, steps) -> None:
    expected = smfnet_golden["losses_and_gradients_train_b2_24x20"][name]["grad_norm"][part]
    own = [g for key, g in steps[name]["gradients"].items() if key.startswith(f"{PARTS[part]}.") and g is not None]
    found = torch.stack([g.square().sum() for g in own]).sum().sqrt().item() if own else None
    assert found == (None if expected is None else pytest.approx(expected, rel=GRADIENT_ERROR))


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_of_single_tensors_are_golden(name: str, smfnet_golden, steps) -> None:
    ours = smfnet_key_map()
    for key, entry in smfnet_golden["losses_and_gradients_train_b2_24x20"][name]["grad"].items():
        found = steps[name]["gradients"][ours[key]]
        assert list(found.shape) == entry["shape"]
        assert found.norm().item() == pytest.approx(entry["l2"], rel=GRADIENT_ERROR)
        assert found.flatten()[entry["index"]].tolist() == pytest.approx(entry["value"], rel=1e-7, abs=1e-9)


@pytest.mark.slow
def test_six_steps_of_the_training_stages_are_golden(smfnet_golden, formula_smfnet, smfnet_pair) -> None:
    official = {key: value for key, value in asdict(OFFICIAL).items() if value != getattr(FIXED, key)}
    optimiser = OptimiserConfig(rate=1e-4, clip=0.01)
    kinds = ("reconstruction", "fusion")
    recipe = Recipe("x", "smfnet", tuple(StageConfig(kind, 3, {}, official, optimiser) for kind in kinds))
    parts: dict[str, nn.Module] = {FUSER: formula_smfnet().train()}
    [turn], [later] = (stage.turns for stage in training_of("smfnet").stages(recipe, load_frozen))
    adam = build_optimiser(optimiser, turn_parameters(parts, turn).values())
    assert later.keeps_moments
    batch = Batch(*smfnet_pair(24, 20, batch=2))
    for entry in smfnet_golden["trajectory_b2_24x20_adam_lr1e-4_clip0.01"]:
        values = take_turn(parts, turn if entry["stage"] == 1 else later, adam, 1e-4, batch, lambda value: value)
        assert values["total"] == pytest.approx(entry["total"], abs=2e-6)  # eight digits
        norms = {PARTS[name]: norm for name, norm in entry["grad_norm_before_clip"].items()}
        assert {name: values[f"norm.{name}"] for name in norms} == pytest.approx(norms, rel=1e-6)
