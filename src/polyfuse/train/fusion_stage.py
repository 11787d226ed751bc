"""Stage "fusion": a network alone, by intensity, gradient and structure; the second stage of FNet (spec fnet 7)."""

from __future__ import annotations

from dataclasses import asdict

from torch import Tensor

from polyfuse.losses.terms import FusionLossWeights, fusion_terms
from polyfuse.train.attached import attached_terms, loss_weights
from polyfuse.train.recipe import StageConfig
from polyfuse.train.stage import FUSER, Batch, Parts, Stage, Turn


def draw(parts: Parts, batch: Batch) -> Tensor:
    """The fused picture, (N, 1, H, W)."""
    fused: Tensor = parts[FUSER](batch.a, batch.b)
    return fused


def fusion_losses(fused: Tensor, batch: Batch, weights: dict[str, float]) -> dict[str, Tensor]:
    """Weighted "intensity", "gradient" and "ssim" of a fused picture, and its terms of `ATTACHED`."""
    terms = fusion_terms(fused, batch.a, batch.b, batch_mean=batch.mean)
    losses = {
        "intensity": weights["intensity"] * terms.intensity,
        "gradient": weights["gradient"] * terms.gradient,
        "ssim": weights["ssim"] * terms.structure,
    }
    return losses | attached_terms(fused, batch, weights)


def fusion_stage(config: StageConfig) -> Stage:
    """Stage "fusion" of `config`, one turn of the fusion network."""
    weights = loss_weights(config, asdict(FusionLossWeights()))

    def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        return fusion_losses(draw(parts, batch), batch, weights)

    turn = Turn(FUSER, (FUSER,), losses, config.optimiser)
    return Stage(config.kind, config.steps, (turn,), losses, draw)
