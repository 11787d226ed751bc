"""Losses for every family: in any network's fusing stage where the recipe gives them a weight, and in no other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from polyfuse.errors import UsageError
from polyfuse.losses.fidelity import fidelity_loss
from polyfuse.losses.order import order_distance
from polyfuse.losses.stronger import stronger_loss
from polyfuse.losses.terms import brightness_distance
from polyfuse.registry.catalogue import names_with
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import Recipe, check_recipe, load_recipe
from polyfuse.train.attached import stages_of
from polyfuse.train.stage import FUSER, Batch

WriteRecipe = Callable[..., Path]
SIDE = 48


@pytest.fixture
def recipe_of(write_recipe: WriteRecipe, networks: dict[str, Any]) -> Callable[..., Recipe]:
    """A recipe of one stage that fuses."""

    def make(family: str, weight: float, side: int = SIDE) -> Recipe:
        return load_recipe(
            write_recipe(
                family=family,
                model=networks[family],
                data={"luma": "full", "batch": 2, "crop": {"size": side}},
                stages=[{"kind": "fusion", "steps": 2, "losses": {"fidelity": weight}}],
                rhythm={"validation_crop": 48},
            )
        )

    return make


@pytest.mark.parametrize("family", names_with("training"))
def test_fusing_turn_and_validation_have_the_weighted_loss(recipe_of: Callable[..., Recipe], family: str) -> None:
    recipe = recipe_of(family, 3.0)
    (stage,) = stages_of(training_of(recipe.family), recipe, load_frozen)
    parts = training_of(family).build(recipe)
    a, b = torch.rand(2, 2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    *_, turn = stage.turns
    for losses in (turn.step(parts, Batch(a, b)), stage.validate(parts, Batch(a, b))):
        torch.testing.assert_close(losses["fidelity"], 3 * fidelity_loss(parts[FUSER](a, b), a, b))
    shared = Batch(a, b, mean=lambda value: 2 * value)  # as if the other process's crops held three times as much
    torch.testing.assert_close(
        turn.step(parts, shared)["fidelity"], 3 * fidelity_loss(parts[FUSER](a, b), a, b, batch_mean=shared.mean)
    )
    (plain,) = stages_of(training_of(family), recipe_of(family, 0.0), load_frozen)
    assert "fidelity" not in plain.validate(parts, Batch(a, b))


def test_crops_without_a_sample_on_its_last_scale_are_refused(recipe_of: Callable[..., Recipe]) -> None:
    with pytest.raises(UsageError, match="crops of 40 pixels are too small for the loss fidelity: use 41 or more"):
        check_recipe(recipe_of("fnet", 3.0, side=40))


LOSSES = {"brightness": brightness_distance, "order": order_distance, "stronger": stronger_loss}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("family", names_with("training"))
def test_other_losses_attach_to_every_fusing_stage_too(
    recipe_of: Callable[..., Recipe], family: str, name: str
) -> None:
    plain = recipe_of(family, 0.0)
    recipe = replace(plain, stages=(replace(plain.stages[0], losses={name: 300.0}),))
    (stage,) = stages_of(training_of(family), recipe, load_frozen)
    parts = training_of(family).build(recipe)
    a, b = torch.rand(2, 2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    losses = stage.validate(parts, Batch(a, b))
    torch.testing.assert_close(losses[name], 300 * LOSSES[name](parts[FUSER](a, b), a, b))
