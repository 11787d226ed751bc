"""The families that can be trained."""

from __future__ import annotations

import difflib

import torch

from polyfuse.errors import UsageError
from polyfuse.families.daefuse.training import DAE_FUSE
from polyfuse.families.fnet.training import FNET
from polyfuse.families.fnet_t.training import FNET_T
from polyfuse.families.smfnet.training import SMFNET
from polyfuse.losses.fidelity import SMALLEST
from polyfuse.train.recipe import Recipe
from polyfuse.train.stage import Family, Stage
from polyfuse.train.steadied import steadied

FAMILIES: dict[str, Family] = {"fnet": FNET, "fnet-t": FNET_T, "smfnet": SMFNET, "daefuse": DAE_FUSE}


def family_of(name: str) -> Family:
    """Return the family `name`.

    Raises:
        UsageError: If it cannot be trained, with the nearest names.
    """
    if name not in FAMILIES:
        near = difflib.get_close_matches(name, FAMILIES, n=1, cutoff=0.4) or sorted(FAMILIES)
        raise UsageError(f"there is no way to train a family {name!r}: did you mean {' or '.join(near)}?")
    return FAMILIES[name]


def stages_of(recipe: Recipe) -> list[Stage]:
    """The stages of a recipe, as its family makes them, with what any family can add.

    Raises:
        UsageError: If one does not fit.
    """
    stages = family_of(recipe.family).stages(recipe)
    side = min(recipe.data.crop.size, recipe.rhythm.validation_crop)
    if side < SMALLEST and any(stage.losses.get("fidelity") for stage in recipe.stages):
        raise UsageError(f"crops of {side} pixels are too small for the loss fidelity: use {SMALLEST} or more.")
    return [steadied(stage, recipe, index) for index, stage in enumerate(stages)]


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that does not fit its family; nothing is kept.

    Raises:
        UsageError: If the family is unknown, or the recipe names stages, losses or options of networks it has not.
    """
    stages_of(recipe)
    with torch.random.fork_rng([]):
        family_of(recipe.family).build(recipe)
