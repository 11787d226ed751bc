"""How FNet-T is trained: by FNet's fusion losses, which need no teacher, or by FNet's pictures, or both in turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from torch import nn

from polyfuse.errors import UsageError
from polyfuse.families.fnet_t import FNetT, FNetTConfig
from polyfuse.families.fnet_t import distil as distil_stage
from polyfuse.train.fusion_stage import fusion_stage
from polyfuse.train.kinds import check_kinds
from polyfuse.train.recipe import Recipe, StageConfig
from polyfuse.train.stage import FUSER, Family, Stage
from polyfuse.train.strict import read_strict


def _build(recipe: Recipe) -> dict[str, nn.Module]:
    """The student."""
    if recipe.parts:
        raise UsageError(f"FNet-T has one network and no parts.{next(iter(recipe.parts))}: drop it.")
    student = FNetT(read_strict(FNetTConfig, recipe.model, "model"))
    student.precision = recipe.precision
    return {FUSER: student}


def _stages(recipe: Recipe) -> list[Stage]:
    """The stages of `recipe`."""
    kinds: dict[str, Callable[[StageConfig], Stage]] = {
        "fusion": fusion_stage,
        distil_stage.KIND: partial(distil_stage.distil_stage, recipe=recipe),
    }
    check_kinds(recipe, kinds, "FNet-T")
    distil_stage.check_teacher(recipe)
    return [kinds[stage.kind](stage) for stage in recipe.stages]


def _config(fuser: nn.Module) -> dict[str, Any]:
    """Configuration of the network as JSON."""
    return cast(FNetT, fuser).config.to_json()


FNET_T = Family(_build, _stages, _config)
