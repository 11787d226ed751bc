"""Stage "fusion": a network alone, by intensity, gradient and structure; the second stage of FNet (spec fnet 7)."""

from __future__ import annotations

from dataclasses import asdict

from torch import Tensor

from polyfuse.losses.fidelity import fidelity_loss
from polyfuse.losses.terms import FusionLossWeights, fusion_terms
from polyfuse.train.recipe import StageConfig
from polyfuse.train.stage import FUSER, Batch, Parts, Stage, Turn
from polyfuse.train.strict import check_known


def draw(parts: Parts, batch: Batch) -> Tensor:
    """The fused picture."""
    fused: Tensor = parts[FUSER](batch.a, batch.b)
    return fused


def loss_weights(stage: StageConfig, defaults: dict[str, float]) -> dict[str, float]:
    """Loss weights of a stage.

    Raises:
        UsageError: If it names a loss that is not among `defaults`.
    """
    for name in stage.losses:
        check_known(name, defaults, f"losses of stage {stage.kind}")
    return defaults | stage.losses


def fusion_losses(fused: Tensor, batch: Batch, weights: dict[str, float]) -> dict[str, Tensor]:
    """Weighted "intensity", "gradient", "ssim" and, where it has a weight, "fidelity" of a fused picture."""
    terms = fusion_terms(fused, batch.a, batch.b, batch_mean=batch.mean)
    losses = {
        "intensity": weights["intensity"] * terms.intensity,
        "gradient": weights["gradient"] * terms.gradient,
        "ssim": weights["ssim"] * terms.structure,
    }
    if weights["fidelity"]:
        distance = fidelity_loss(fused, batch.a, batch.b, batch_mean=batch.mean)
        losses["fidelity"] = weights["fidelity"] * distance
    return losses


def fusion_stage(config: StageConfig) -> Stage:
    """The stage as `config` wants it."""
    weights = loss_weights(config, asdict(FusionLossWeights()) | {"fidelity": 0.0})

    def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        return fusion_losses(draw(parts, batch), batch, weights)

    turn = Turn(FUSER, (FUSER,), losses, config.optimiser)
    return Stage(config.kind, config.steps, (turn,), losses, draw)
