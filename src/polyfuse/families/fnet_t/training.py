"""How FNet-T is trained: by FNet's fusion losses, which need no teacher, or by FNet's pictures, or both in turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from polyfuse.errors import UsageError
from polyfuse.families.fnet_t import FNetT, FNetTConfig, distil
from polyfuse.train.fusion_stage import fusion_stage
from polyfuse.train.recipe import Recipe, StageConfig
from polyfuse.train.stage import FUSER, LoadFrozen, Stage, Training, check_kinds
from polyfuse.train.strict import read_strict


def _build(recipe: Recipe) -> dict[str, nn.Module]:
    """The student network."""
    if recipe.parts:
        raise UsageError(f"FNet-T has one network and no parts.{next(iter(recipe.parts))}: drop it.")
    student = FNetT(read_strict(FNetTConfig, recipe.model, "model"))
    student.precision = recipe.precision
    return {FUSER: student}


def _stages(recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
    """The stages of `recipe`."""
    kinds: dict[str, Callable[[StageConfig], Stage]] = {
        "fusion": fusion_stage,
        distil.KIND: partial(distil.distil_stage, recipe=recipe, load_frozen=load_frozen),
    }
    check_kinds(recipe, kinds, "FNet-T")
    distil.check_teacher(recipe)
    return [kinds[stage.kind](stage) for stage in recipe.stages]


TRAINING = Training(_build, _stages)
