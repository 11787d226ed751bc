"""A smaller budget keeps the proportions of the recipe."""

import pytest

from polyfuse.ablation import with_steps
from polyfuse.errors import UsageError
from polyfuse.train import load_recipe


@pytest.mark.parametrize(
    ("name", "steps", "shares"),
    [
        ("smfnet-cpu", 600, [200, 400]),
        ("smfnet-cpu", 7500, [2500, 5000]),
        ("smfnet-cpu", 100, [33, 67]),
        ("daefuse-cpu", 800, [308, 492]),
        ("fnet-paper", 800, [400, 400]),
    ],
)
def test_stages_share_the_steps_as_in_the_recipe(name: str, steps: int, shares: list[int]) -> None:
    recipe = with_steps(load_recipe(name), steps)
    assert [stage.steps for stage in recipe.stages] == shares


def test_warm_up_and_averaging_keep_their_share_of_the_run() -> None:
    before, after = load_recipe("smfnet-cpu"), with_steps(load_recipe("smfnet-cpu"), 750)
    assert [stage.optimiser.warmup for stage in after.stages] == [10, 0]
    assert after.ema**750 == pytest.approx(before.ema**7500)
    assert with_steps(before, 7500) == before


def test_a_stage_without_steps_is_refused() -> None:
    with pytest.raises(UsageError, match="1 steps are too few for 2 stages: give more --steps"):
        with_steps(load_recipe("smfnet-cpu"), 1)
