"""Each of the fifteen rows changes what is trained as intended, and nothing else."""

from dataclasses import replace
from typing import Any, cast

import pytest

from polyfuse.ablation import Variant, find_study, variant_recipe
from polyfuse.errors import UsageError
from polyfuse.families.fnet.coder import CoderConfig
from polyfuse.families.fnet.inverse import IFNet
from polyfuse.families.fnet.network import FNet
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import Recipe, check_recipe, load_recipe
from polyfuse.train.stage import FUSER

STUDY = find_study("fnet")
VARIANTS = {variant.name: variant for variant in (STUDY.full, *STUDY.rows)}
BOTH, LAST = ["reconstruction", "fusion"], ["fusion"]
USUAL = {"intensity": 20.0, "gradient": 20.0, "ssim": 15.0}
TINY = CoderConfig(channels=3, kernel_size=3)
SOFT = replace(TINY, threshold="soft")
LCSC = replace(SOFT, coder="lcsc")
# row -> coder of FNet, coder of IFNet (None: it is not built), stages, weights of the losses of stage II
WANTED: dict[str, tuple[CoderConfig, CoderConfig | None, list[str], dict[str, float]]] = {
    "full": (TINY, TINY, BOTH, USUAL),
    "AE1": (LCSC, LCSC, BOTH, USUAL),
    "AE2": (SOFT, SOFT, BOTH, USUAL),
    "AE3": (replace(TINY, share_convs=True), replace(TINY, share_convs=True), BOTH, USUAL),
    "AE4": (replace(TINY, momentum="none"), replace(TINY, momentum="none"), BOTH, USUAL),
    "AE5": (replace(TINY, momentum="polyak"), replace(TINY, momentum="polyak"), BOTH, USUAL),
    "AE6": (replace(TINY, momentum="qhm"), replace(TINY, momentum="qhm"), BOTH, USUAL),
    "AE7": (replace(TINY, steepness=200.0), replace(TINY, steepness=200.0), BOTH, USUAL),
    "AE8": (replace(TINY, shrink=0.01), replace(TINY, shrink=0.01), BOTH, USUAL),
    "AE9": (replace(TINY, iterations=3), replace(TINY, iterations=3), BOTH, USUAL),
    "AE10": (replace(TINY, iterations=5), replace(TINY, iterations=5), BOTH, USUAL),
    "AE11": (TINY, None, LAST, USUAL),
    "AE11-long": (TINY, None, LAST, USUAL),
    "AE12": (TINY, SOFT, BOTH, USUAL),
    "AE13": (TINY, TINY, BOTH, USUAL | {"intensity": 0.0}),
    "AE14": (TINY, TINY, BOTH, USUAL | {"gradient": 0.0}),
    "AE15": (TINY, TINY, BOTH, USUAL | {"ssim": 0.0}),
}


def built(recipe: Recipe) -> dict[str, Any]:
    """The networks that the recipe trains."""
    return training_of(recipe.family).build(recipe)


def loss_of(recipe: Recipe) -> dict[str, float]:
    """Weighted losses of the last stage, for all-equal terms of one: the weights that are in force."""
    import torch

    from polyfuse.train import fusion_stage as module
    from polyfuse.train.stage import Batch

    one = torch.ones(1)
    terms = type("Terms", (), {"intensity": one, "gradient": one, "structure": one})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "fusion_terms", lambda *arguments, **named: terms)
        stage = training_of(recipe.family).stages(recipe, load_frozen)[-1]
        picture = torch.rand(1, 1, 16, 16)
        losses = stage.turns[0].step(built(recipe), Batch(picture, picture))
    return {name: float(loss) for name, loss in losses.items()}


PAPERS_ROWS = [f"AE{number}" for number in range(1, 16)]


def test_rows_are_the_full_model_and_the_fifteen_of_the_paper() -> None:
    assert list(VARIANTS) == list(WANTED)
    assert [name for name in VARIANTS if name not in PAPERS_ROWS] == ["full", "AE11-long"]


@pytest.mark.parametrize("name", WANTED)
def test_row_builds_the_networks_stages_and_losses_that_it_names(base: Recipe, name: str) -> None:
    coder, inverse, stages, losses = WANTED[name]
    recipe = variant_recipe(base, VARIANTS[name], seed=4)
    parts = built(recipe)
    assert cast(FNet, parts[FUSER]).config.coder == coder
    assert (cast(IFNet, parts["inverse"]).config.coder if "inverse" in parts else None) == inverse
    assert [stage.kind for stage in recipe.stages] == stages
    assert loss_of(recipe) == losses


@pytest.mark.parametrize("name", WANTED)
def test_row_leaves_the_rest_of_the_recipe_alone(base: Recipe, name: str) -> None:
    recipe = variant_recipe(base, VARIANTS[name], seed=4)
    undone: dict[str, Any] = {key: getattr(base, key) for key in ("model", "parts", "stages", "seed", "name")}
    assert replace(recipe, **undone) == base
    assert recipe.seed == 4
    assert all(stage.optimiser == base.stages[0].optimiser for stage in recipe.stages)
    assert [stage.steps for stage in recipe.stages] == ([4] if name == "AE11-long" else [2] * len(recipe.stages))


def test_equal_work_without_stage_one_keeps_the_rate_of_stage_two() -> None:
    paper = load_recipe(STUDY.recipe)
    slow = replace(
        paper,
        stages=(replace(paper.stages[0], optimiser=replace(paper.stages[0].optimiser, rate=1e-5)), paper.stages[1]),
    )
    (stage,) = variant_recipe(slow, VARIANTS["AE11-long"], 0).stages
    assert (stage.steps, stage.optimiser) == (40_000, paper.stages[1].optimiser)
    assert VARIANTS["AE11-long"].printed == "AE11"


def test_weights_of_a_row_are_not_called_like_those_of_the_full_model(base: Recipe) -> None:
    names = [variant_recipe(base, VARIANTS[name], 0).name for name in ("full", "AE2")]
    assert names == ["fnet.test", "fnet-ae2.test"]


@pytest.mark.parametrize("name", ["AE11", "AE12"])
def test_row_about_stage_one_needs_a_recipe_with_it(base: Recipe, name: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name} .* needs a recipe with a stage 'reconstruction': .*--rows without"):
        variant_recipe(replace(base, stages=base.stages[1:]), VARIANTS[name], 0)


def test_row_that_the_recipe_is_already_is_refused(base: Recipe) -> None:
    soft = variant_recipe(base, VARIANTS["AE2"], 0)
    with pytest.raises(UsageError, match=r"^AE2 .* is what the recipe does already"):
        variant_recipe(soft, VARIANTS["AE2"], 0)


def test_chosen_rows_come_in_the_papers_order_with_the_full_model_first() -> None:
    assert [variant.name for variant in STUDY.choose(["ae12", "AE1"])] == ["full", "AE1", "AE12"]
    assert [variant.name for variant in STUDY.choose(None)] == list(WANTED)


@pytest.mark.parametrize(
    ("name", "advice"),
    [("AE16", "did you mean AE6 or AE1 or AE15"), ("x", "it has AE1, AE2"), ("AF3", "did you mean AE3")],
)
def test_unknown_row_names_the_nearest(name: str, advice: str) -> None:
    with pytest.raises(UsageError, match=f"has no row '{name}': .*{advice}"):
        STUDY.choose([name])


def test_unknown_family_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="no ablation study of 'fnett': use fnet, smfnet, daefuse"):
        find_study("fnett")


def test_change_of_an_unknown_option_is_refused_before_training(base: Recipe) -> None:
    wrong = Variant("X", "wrong", "X", parts={"inverse": {"coder": {"treshold": "soft"}}})
    with pytest.raises(UsageError, match=r"parts\.inverse\.coder has no 'treshold': did you mean threshold"):
        check_recipe(variant_recipe(base, wrong, 0))
