"""How Blend is trained: one stage, "fusion", by the distance from the larger source."""

from __future__ import annotations

from torch import Tensor, nn

from polyfuse.losses.terms import intensity_distance
from polyfuse.train.attached import attached_terms, loss_weights
from polyfuse.train.fusion_stage import draw
from polyfuse.train.recipe import Recipe, StageConfig
from polyfuse.train.stage import FUSER, Batch, LoadFrozen, Parts, Stage, Training, Turn, check_kinds, check_no_teacher
from polyfuse.train.strict import read_strict

from . import Blend, BlendConfig


def _build(recipe: Recipe) -> dict[str, nn.Module]:
    """The network."""
    return {FUSER: Blend(read_strict(BlendConfig, recipe.model, "model"))}


def _stages(recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
    """The stages of `recipe`."""
    check_kinds(recipe, ["fusion"], "Blend")
    check_no_teacher(recipe, "Blend")
    return [_fusion(config) for config in recipe.stages]


def _fusion(config: StageConfig) -> Stage:
    """The stage as `config` wants it."""
    weights = loss_weights(config, {"intensity": 1.0})

    def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        fused = draw(parts, batch)
        own = {"intensity": weights["intensity"] * intensity_distance(fused, batch.a, batch.b)}
        return own | attached_terms(fused, batch, weights)

    turn = Turn(FUSER, (FUSER,), losses, config.optimiser)
    return Stage(config.kind, config.steps, (turn,), losses, draw)


TRAINING = Training(_build, _stages)
