"""Each row of DAE-Fuse's study changes the network or the phases as it says, and nothing else."""

from dataclasses import replace
from typing import Any, cast

import pytest

from polyfuse.ablation import find_study, variant_recipe
from polyfuse.ablation.work import columns_of_study
from polyfuse.families.daefuse import DAEFuse
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import Recipe, check_recipe, load_recipe
from polyfuse.train.stage import FUSER

STUDY = find_study("daefuse")
VARIANTS = {variant.name: variant for variant in (STUDY.full, *STUDY.rows)}
GAME, ALONE = ["discriminator", "generator"], ["generator"]
# row -> changes of the network, and by phase its steps and turns
WANTED: dict[str, tuple[dict[str, Any], dict[str, tuple[int, list[str]]]]] = {
    "full": ({}, {"reconstruction": (2500, GAME), "fusion": (4000, GAME)}),
    "no-disc-1": ({}, {"reconstruction": (2500, ALONE), "fusion": (4000, GAME)}),
    "no-disc-2": ({}, {"reconstruction": (2500, GAME), "fusion": (4000, ALONE)}),
    "no-cross": ({"cross_attention": False}, {"reconstruction": (2500, GAME), "fusion": (4000, GAME)}),
    "cnn-only": ({"branches": "cnn"}, {"reconstruction": (2500, GAME), "fusion": (4000, GAME)}),
    "vit-only": ({"branches": "vit"}, {"reconstruction": (2500, GAME), "fusion": (4000, GAME)}),
    "one-phase": ({}, {"fusion": (6500, GAME)}),
}


@pytest.fixture(scope="module")
def base() -> Recipe:
    """The small recipe that comes with polyfuse."""
    return load_recipe("daefuse-cpu")


def network_of(recipe: Recipe) -> dict[str, Any]:
    """Configuration of the network that is built."""
    return cast(DAEFuse, training_of(recipe.family).build(recipe)[FUSER]).config.to_json()


def test_rows_are_the_full_model_and_the_six_of_the_specification() -> None:
    assert list(VARIANTS) == list(WANTED)


@pytest.mark.parametrize("name", WANTED)
def test_row_builds_the_network_and_phases_that_it_names(base: Recipe, name: str) -> None:
    network, phases = WANTED[name]
    recipe = variant_recipe(base, VARIANTS[name], seed=4)
    check_recipe(recipe)
    assert network_of(recipe) == network_of(base) | network
    stages = training_of(recipe.family).stages(recipe, load_frozen)
    assert {stage.name: (stage.steps, [turn.name for turn in stage.turns]) for stage in stages} == phases
    assert replace(recipe, name=base.name, model=base.model, stages=base.stages, seed=base.seed) == base


def test_table_has_the_balance_of_the_sources_and_nothing_of_the_paper() -> None:
    assert [column.key for column in columns_of_study(STUDY)] == [
        *("EN", "SD", "SF", "MI", "SCD", "VIF", "Qabf", "Qabf_bal", "SSIM", "SSIM_bal")
    ]
    assert {variant.printed for variant in VARIANTS.values()} == {""}
