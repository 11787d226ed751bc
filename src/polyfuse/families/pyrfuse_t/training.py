"""How PyrFuse-T is trained: as PyrFuse, one stage, "fusion", by the structure of the locally stronger source."""

from __future__ import annotations

from torch import nn

from polyfuse.errors import UsageError
from polyfuse.families.pyrfuse.training import stages
from polyfuse.families.pyrfuse_t import PyrFuseT, PyrFuseTConfig
from polyfuse.train.recipe import Recipe
from polyfuse.train.stage import FUSER, Training
from polyfuse.train.strict import read_strict


def _build(recipe: Recipe) -> dict[str, nn.Module]:
    """The network."""
    if recipe.parts:
        raise UsageError(f"PyrFuse-T has one network and no parts.{next(iter(recipe.parts))}: drop it.")
    if recipe.precision != "float32":
        raise UsageError(f"precision is {recipe.precision}, and PyrFuse-T computes in float32 alone: drop it.")
    return {FUSER: PyrFuseT(read_strict(PyrFuseTConfig, recipe.model, "model"))}


TRAINING = Training(_build, stages)
