"""Each row of SMFNet's study changes the network, the stages or the losses as it says, and nothing else."""

from dataclasses import asdict, replace
from typing import Any, cast

import pytest

from polyfuse.ablation import find_study, variant_recipe
from polyfuse.errors import UsageError
from polyfuse.evaluation.published import published_variants
from polyfuse.families.smfnet import SMFNet
from polyfuse.families.smfnet.losses import FIXED, OFFICIAL, LossRules
from polyfuse.families.smfnet.training import StageOptions
from polyfuse.registry.trained import training_of
from polyfuse.train import Recipe, check_recipe, load_recipe
from polyfuse.train.stage import FUSER
from polyfuse.train.strict import read_strict

STUDY = find_study("smfnet")
VARIANTS = {variant.name: variant for variant in (STUDY.full, *STUDY.rows)}
NETWORKS: dict[str, dict[str, Any]] = {
    "R4": {"base_residual": False},
    "R5": {"cross_attention": False},
    "R6": {"graph": False},
    "R7": {"swap_fusion": True},
    "messages": {"messages": "interleaved"},
}
RULES: dict[str, dict[str, LossRules]] = {
    "R1": {"reconstruction": replace(FIXED, graph_in_reconstruction=True)},
    "official": dict.fromkeys(("reconstruction", "fusion"), OFFICIAL),
    "detached": dict.fromkeys(("reconstruction", "fusion"), replace(FIXED, decomposition="detached")),
    "details": dict.fromkeys(("reconstruction", "fusion"), replace(FIXED, graph_in_fusion=False)),
    "zeros": dict.fromkeys(("reconstruction", "fusion"), replace(FIXED, semantic="zeros")),
    "clamped": dict.fromkeys(("reconstruction", "fusion"), replace(FIXED, ssim="clamped")),
}
STAGES = {"R2": {"fusion": 7500}}
LOSSES = {"R3": {"reconstruction": {"intensity": 0.0, "semantic": 0.0}}}


@pytest.fixture(scope="module")
def base() -> Recipe:
    """The small recipe that comes with polyfuse."""
    return load_recipe("smfnet-cpu", ["model.channels=8", "model.heads=2"])


def rules_of(recipe: Recipe) -> dict[str, LossRules]:
    """Forms of the losses by kind of stage, as the family reads them."""
    found = {}
    for stage in recipe.stages:
        options = asdict(cast(StageOptions, read_strict(StageOptions, stage.options, "options")))
        assert options.pop("fusion_rate") == 1
        found[stage.kind] = LossRules(**options)
    return found


def network_of(recipe: Recipe) -> dict[str, Any]:
    """Configuration of the network that is built."""
    return cast(SMFNet, training_of(recipe.family).build(recipe)[FUSER]).config.to_json()


def test_rows_are_those_of_the_papers_table_and_one_for_each_repair() -> None:
    assert list(VARIANTS) == ["full", *(f"R{index}" for index in range(1, 8)), *list(RULES)[1:], "messages"]


@pytest.mark.parametrize("name", VARIANTS)
def test_row_builds_the_network_stages_and_losses_that_it_names(base: Recipe, name: str) -> None:
    recipe = variant_recipe(base, VARIANTS[name], seed=4)
    assert network_of(recipe) == network_of(base) | NETWORKS.get(name, {})
    stages = STAGES.get(name, {"reconstruction": 2500, "fusion": 5000})
    assert {stage.kind: stage.steps for stage in recipe.stages} == stages
    assert {stage.kind: stage.losses for stage in recipe.stages if stage.losses} == LOSSES.get(name, {})
    assert rules_of(recipe) == dict.fromkeys(stages, FIXED) | RULES.get(name, {})
    assert replace(recipe, name=base.name, model=base.model, stages=base.stages, seed=base.seed) == base
    check_recipe(recipe)


def test_row_without_stages_begins_as_stage_one_does_and_ends_as_stage_two(base: Recipe) -> None:
    (stage,) = variant_recipe(base, VARIANTS["R2"], seed=0).stages
    first, last = (stage.optimiser for stage in base.stages)
    assert (first.rate, first.warmup) == (1e-3, 100)
    assert stage.optimiser == replace(last, rate=1e-3, warmup=100)


def test_fusion_layers_of_the_papers_recipe_are_not_faster_without_stages() -> None:
    recipe = load_recipe("smfnet-paper")
    assert recipe.stages[1].options["fusion_rate"] == 4
    assert variant_recipe(recipe, VARIANTS["R2"], seed=0).stages[0].options["fusion_rate"] == 1


def test_repaired_rows_need_a_recipe_that_is_repaired() -> None:
    with pytest.raises(UsageError, match=r"^official .* is what the recipe does already"):
        variant_recipe(load_recipe("smfnet-paper"), VARIANTS["official"], 0)


def test_every_row_of_the_table_is_printed_by_the_paper_for_each_metric() -> None:
    table = published_variants(STUDY.paper, "RoadScene", STUDY.protocol)
    assert table is not None
    assert {variant.printed for variant in VARIANTS.values()} - {""} == set(table.rows)
    assert all(set(values) == set(STUDY.metrics) for values in table.rows.values())


def test_recipe_of_the_study_fits_every_row() -> None:
    base = load_recipe(STUDY.recipe)
    assert network_of(base)["channels"] == 64
    for variant in VARIANTS.values():
        variant_recipe(base, variant, 0)
