"""Stage "distil": a network learns to give the pictures of a frozen FNet.

The teacher is no part of the family: it has no optimiser, and a checkpoint holds its hash alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from polyfuse.errors import InputError, UsageError
from polyfuse.families.fnet.network import FNet, FNetConfig
from polyfuse.losses.terms import reconstruction_terms
from polyfuse.train.fusion_stage import draw, fusion_losses, loss_weights
from polyfuse.train.recipe import Recipe, StageConfig
from polyfuse.train.stage import FUSER, Batch, Parts, Stage, Turn
from polyfuse.weights.store import load_weights

KIND = "distil"
RIM = 16
"""Pixels at the border of a crop that are not imitated: FNet makes them brighter than within a picture."""
DEFAULTS = {"picture": 20.0, "detail": 20.0, "intensity": 0.0, "gradient": 0.0, "ssim": 0.0, "fidelity": 0.0}


def check_teacher(recipe: Recipe) -> None:
    """Refuse a recipe with a teacher and no use for it, or the other way round.

    Raises:
        UsageError: Saying which.
    """
    needed = any(stage.kind == KIND for stage in recipe.stages)
    if needed and recipe.teacher is None:
        raise UsageError(f"stage {KIND} has no teacher: pass --set teacher=FILE, weights of FNet.")
    if recipe.teacher is not None and not needed:
        raise UsageError(f"teacher is given, but there is no stage {KIND}: drop it, or add the stage.")


def distil_stage(config: StageConfig, recipe: Recipe) -> Stage:
    """The stage as `config` wants it, taught by the network in the file `recipe.teacher`.

    Losses: "picture", mean absolute difference of student and teacher, whose picture is clamped to [0, 1]; "detail",
    the same of their signed gradients; and those of stage "fusion", off by default.

    Raises:
        UsageError: If the crops are too small to have a middle.
        InputError: If the file is missing, damaged, or holds no FNet.
    """
    weights = loss_weights(config, DEFAULTS)
    smallest = min(recipe.data.crop.size, recipe.rhythm.validation_crop)
    if smallest <= 2 * RIM:
        raise UsageError(f"crops of {smallest} pixels have no middle to imitate: make them larger than {2 * RIM}.")
    assert recipe.teacher is not None
    teacher, origin = _load(Path(recipe.teacher), recipe)

    def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            taught = teacher.to(batch.a.device)(batch.a, batch.b).clamp(0, 1)
        fused = draw(parts, batch)
        picture, detail = reconstruction_terms(_middle(fused), _middle(taught))
        terms = {"picture": weights["picture"] * picture, "detail": weights["detail"] * detail}
        if any(weights[name] for name in ("intensity", "gradient", "ssim", "fidelity")):
            terms |= fusion_losses(fused, batch, weights)
        return terms

    turn = Turn(FUSER, (FUSER,), losses, config.optimiser)
    return Stage(config.kind, config.steps, (turn,), losses, draw, origin)


def _load(path: Path, recipe: Recipe) -> tuple[nn.Module, str]:
    """The teacher, frozen, and what it is in a few words."""
    tensors, info, digest = load_weights(path)
    if info.family != "fnet":
        raise InputError(f"{path} holds weights of {info.family}: only fnet can teach, name weights of it.")
    config: dict[str, Any] = info.config
    try:
        network = FNet(FNetConfig.from_json(config))
        network.load_state_dict(tensors, strict=True)
    except (UsageError, AttributeError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"{path} does not fit its own configuration: get a fresh copy.") from error
    network.precision = recipe.precision
    return network.eval().requires_grad_(False), f"taught by {info.name} (SHA-256 {digest})"


def _middle(pictures: Tensor) -> Tensor:
    """Pictures without their rim."""
    return pictures[..., RIM:-RIM, RIM:-RIM]
