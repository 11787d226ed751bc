"""Stage "distil": a network learns to make the pictures of a frozen FNet.

The teacher is not trained: it has no optimiser, and a checkpoint holds only its hash.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from polyfuse.errors import InputError, UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.losses.terms import reconstruction_terms
from polyfuse.train.attached import loss_weights
from polyfuse.train.fusion_stage import draw, fusion_losses
from polyfuse.train.recipe import Recipe, StageConfig
from polyfuse.train.stage import FUSER, Batch, LoadFrozen, Parts, Stage, Turn

KIND = "distil"
RIM = 16
"""Pixels at the border of a crop that are not imitated: FNet makes them brighter than within a picture."""
DEFAULTS = {"picture": 20.0, "detail": 20.0, "intensity": 0.0, "gradient": 0.0, "ssim": 0.0}
"""Weights of the losses of `distil_stage` unless a recipe gives others."""


def check_teacher(recipe: Recipe) -> None:
    """Refuse a teacher without stage "distil", and that stage without a teacher.

    Raises:
        UsageError: In both cases.
    """
    needed = any(stage.kind == KIND for stage in recipe.stages)
    if needed and recipe.teacher is None:
        raise UsageError(f"stage {KIND} has no teacher: pass --set teacher=FILE, weights of FNet.")
    if recipe.teacher is not None and not needed:
        raise UsageError(f"teacher is given, but there is no stage {KIND}: drop it, or add the stage.")


def distil_stage(config: StageConfig, recipe: Recipe, load_frozen: LoadFrozen) -> Stage:
    """Stage "distil" of `config`; its teacher is the network in the file `recipe.teacher`.

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
    teacher, origin = _teacher(Path(recipe.teacher), recipe, load_frozen)

    def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            target = teacher.to(batch.a.device)(batch.a, batch.b).clamp(0, 1)
        fused = draw(parts, batch)
        picture, detail = reconstruction_terms(_middle(fused), _middle(target))
        terms = {"picture": weights["picture"] * picture, "detail": weights["detail"] * detail}
        if any(weight for name, weight in weights.items() if name not in ("picture", "detail")):
            terms |= fusion_losses(fused, batch, weights)
        return terms

    turn = Turn(FUSER, (FUSER,), losses, config.optimiser)
    return Stage(config.kind, config.steps, (turn,), losses, draw, origin)


def _teacher(path: Path, recipe: Recipe, load_frozen: LoadFrozen) -> tuple[nn.Module, str]:
    """The frozen teacher, and its name and hash in words for the weights file."""
    network = cast(FusionModel, load_frozen(path))
    if network.spec.family != "fnet":
        raise InputError(f"{path} holds weights of {network.spec.family}: only fnet can teach, name weights of it.")
    network.precision = recipe.precision
    provenance = network.provenance
    return network, f"taught by {provenance.name} (SHA-256 {provenance.weights_sha256})"


def _middle(pictures: Tensor) -> Tensor:
    """Pictures without their rim."""
    return pictures[..., RIM:-RIM, RIM:-RIM]
