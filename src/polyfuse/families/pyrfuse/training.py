"""How PyrFuse and PyrFuse-T are trained: one stage, "fusion", by structure of the stronger source (spec pyrfuse 5)."""

from __future__ import annotations

from torch import Tensor, nn

from polyfuse.errors import UsageError
from polyfuse.families.pyrfuse import PyrFuse, PyrFuseConfig, PyrFuseT, PyrFuseTConfig
from polyfuse.losses.stronger import SHARES, SMALLEST, stronger_terms
from polyfuse.train.attached import attached_terms, loss_weights
from polyfuse.train.fusion_stage import draw
from polyfuse.train.recipe import Recipe, StageConfig
from polyfuse.train.stage import FUSER, Batch, LoadFrozen, Parts, Stage, Training, Turn, check_kinds, check_no_teacher
from polyfuse.train.strict import read_strict

KIND = "fusion"


def _build(recipe: Recipe) -> dict[str, nn.Module]:
    """The network."""
    if recipe.parts:
        raise UsageError(f"PyrFuse has one network and no parts.{next(iter(recipe.parts))}: drop it.")
    if recipe.precision != "float32":
        raise UsageError(f"precision is {recipe.precision}, and PyrFuse computes in float32 alone: drop it.")
    if recipe.family == "pyrfuse-t":
        return {FUSER: PyrFuseT(read_strict(PyrFuseTConfig, recipe.model, "model"))}
    return {FUSER: PyrFuse(read_strict(PyrFuseConfig, recipe.model, "model"))}


def _stages(recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
    """The stages of `recipe`."""
    check_kinds(recipe, [KIND], "PyrFuse")
    check_no_teacher(recipe, "PyrFuse")
    side = min(recipe.data.crop.size, recipe.rhythm.validation_crop)
    if side < SMALLEST:
        raise UsageError(f"crops of {side} pixels are too small for the losses of PyrFuse: use {SMALLEST} or more.")
    return [_fusion(config) for config in recipe.stages]


def _fusion(config: StageConfig) -> Stage:
    """The stage as `config` wants it."""
    weights = loss_weights(config, SHARES)

    def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        fused = draw(parts, batch)
        terms = stronger_terms(fused, batch.a, batch.b, batch_mean=batch.mean)
        own = {name: weights[name] * getattr(terms, name) for name in SHARES}
        return own | attached_terms(fused, batch, weights)

    turn = Turn(FUSER, (FUSER,), losses, config.optimiser)
    return Stage(config.kind, config.steps, (turn,), losses, draw)


TRAINING = Training(_build, _stages)
