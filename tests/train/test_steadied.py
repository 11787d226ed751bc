"""The loss of steadiness: added to any network's fusing turn, counted, and refused where it can have no effect."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from polyfuse.data.batches import Batches
from polyfuse.data.pack import Pack
from polyfuse.errors import UsageError
from polyfuse.losses.steadiness import steadiness
from polyfuse.registry.catalogue import names_with
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import Recipe, check_recipe, load_recipe, train
from polyfuse.train.attached import stages_of
from polyfuse.train.journal import read_log
from polyfuse.train.stage import FUSER, Batch

WriteRecipe = Callable[..., Path]
TWIN = {"twin": 3, "noise": 0.02}


@pytest.fixture
def make_recipe(write_recipe: WriteRecipe, large_pack: Path, networks: dict[str, Any]) -> Callable[..., Recipe]:
    """A recipe of one stage that fuses."""

    def make(family: str = "fnet", **stage: Any) -> Recipe:
        return load_recipe(
            write_recipe(
                family=family,
                model=networks[family],
                data={"train": [str(large_pack)], "luma": "full", "batch": 2, "crop": {"size": 40}},
                stages=[{"kind": "fusion", "steps": 2, "steadiness": 5.0, "crop": TWIN} | stage],
                rhythm={"log_every": 1},
            )
        )

    return make


@pytest.mark.parametrize("family", names_with("training"))
def test_turn_of_the_network_has_the_weighted_change_of_its_picture(
    make_recipe: Callable[..., Recipe], large_pack: Path, family: str
) -> None:
    recipe = make_recipe(family)
    (stage,) = stages_of(training_of(recipe.family), recipe, load_frozen)
    parts = training_of(family).build(recipe)
    a, b = Batches([Pack(large_pack)], recipe.crop_of(0), 2, seed=0).get(0)
    batch = Batch(torch.from_numpy(a), torch.from_numpy(b))
    *others, turn = stage.turns
    losses = turn.step(parts, batch)
    fused = parts[FUSER](batch.a, batch.b)
    torch.testing.assert_close(losses["steadiness"], 5 * steadiness(fused, 3))
    assert losses["steadiness"] > 0
    assert all("steadiness" not in other.step(parts, batch) for other in others)
    assert "steadiness" not in stage.validate(parts, batch)


def test_run_writes_it_down_and_makes_pictures_steadier(make_recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    recipe = make_recipe("fnet-t", steps=30, steadiness=1000.0, optimiser={"rate": 1e-3})
    train(recipe, tmp_path / "run")
    (loss,) = (read_log(tmp_path / "run/log-fusion.csv")[name] for name in ("steadiness",))
    assert len(loss) == 30
    assert sum(loss[-5:]) < 0.7 * sum(loss[:5])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"crop": {}}, r"stages\.0 has steadiness alone"),
        ({"steadiness": 0.0}, r"stages\.0 has twin alone"),
        ({"crop": {"twin": 8}}, "crops of 40 pixels have no middle that moves: use more than 40"),
        ({"kind": "reconstruction"}, r"stages\.0\.steadiness: stage reconstruction makes no fused picture"),
    ],
)
def test_what_has_no_effect_is_refused(
    make_recipe: Callable[..., Recipe], changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        check_recipe(make_recipe(**changes))


def test_batch_without_pairs_is_refused(make_recipe: Callable[..., Recipe], write_recipe: WriteRecipe) -> None:
    odd = make_recipe().to_json()
    odd["data"]["batch"] = 3
    with pytest.raises(UsageError, match="a batch of 3 is no number of twins"):
        load_recipe(write_recipe(**odd))
