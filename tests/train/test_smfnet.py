"""SMFNet is trained in two stages by one optimiser, each of its parts clipped by itself."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from polyfuse import registry
from polyfuse.errors import UsageError
from polyfuse.families.smfnet import SMFNetConfig
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import Recipe, bundled_recipes, check_recipe, load_recipe, train
from polyfuse.train.checkpoint import NEWEST, PREVIOUS, load_checkpoint
from polyfuse.train.journal import read_log
from polyfuse.train.stage import FUSER, Batch
from polyfuse.train.state import RunState

SMALL = {"channels": 8, "heads": 2, "base_blocks": 1, "depth": 1, "mixing": "depthwise", "messages": "per_neighbour"}


@pytest.fixture
def make_recipe(write_recipe: Callable[..., Path]) -> Callable[..., Recipe]:
    """A recipe of both stages, a few steps each; `settings` as on the command line."""

    def make(*settings: str, model: dict[str, Any] | None = None) -> Recipe:
        stages = [
            {"kind": kind, "steps": 4, "optimiser": {"rate": 3e-3, "clip": 0.01}}
            for kind in ("reconstruction", "fusion")
        ]
        model = SMALL | (model or {})
        path = write_recipe(name="smfnet-s.test", family="smfnet", model=model, stages=stages)
        return load_recipe(path, ["rhythm.checkpoint_minutes=0", *settings])

    return make


@pytest.mark.slow
def test_both_losses_fall_and_the_weights_fuse(make_recipe, tmp_path: Path) -> None:
    paths = train(make_recipe("stages.0.steps=10", "stages.1.steps=10"), tmp_path / "run")
    for stage in ("reconstruction", "fusion"):
        total = read_log(tmp_path / f"run/log-{stage}.csv")["total"]
        assert total[-1] < 0.95 * total[0]
    model = registry.load("smfnet", weights=paths[0])
    assert model.config == SMFNetConfig(**SMALL)  # type: ignore[arg-type]


def test_moments_go_on_into_the_second_stage_and_through_a_resumed_run(make_recipe, tmp_path: Path) -> None:
    recipe = make_recipe()
    train(recipe, tmp_path / "run")
    state = load_checkpoint(tmp_path / "run", print)
    groups = [group["params"] for group in state["optimisers"][FUSER]["param_groups"]]
    counts = {
        name: max((int(state["optimisers"][FUSER]["state"][index]["step"]) for index in group), default=0)
        for name, group in zip(("encoder", "decoder", "graph", "fuse_base", "fuse_detail"), groups, strict=True)
    }
    assert counts == {"encoder": 8, "decoder": 8, "graph": 8, "fuse_base": 4, "fuse_detail": 4}
    end = state["parts"][FUSER]
    (tmp_path / "run" / NEWEST).unlink()
    before = load_checkpoint(tmp_path / "run", print)
    assert (before["stage"], before["step"]) == (1, 3)
    train(recipe, tmp_path / "run", resume=True)
    again = load_checkpoint(tmp_path / "run", print)["parts"][FUSER]
    assert all(torch.equal(value, again[name]) for name, value in end.items())
    assert (tmp_path / "run" / PREVIOUS).exists()


def test_fusion_layers_have_a_rate_of_their_own(make_recipe, tmp_path: Path) -> None:
    train(make_recipe("stages.1.options.fusion_rate=4.0"), tmp_path / "run")
    groups = load_checkpoint(tmp_path / "run", print)["optimisers"][FUSER]["param_groups"]
    assert [group["lr"] for group in groups] == pytest.approx([3e-3, 3e-3, 3e-3, 12e-3, 12e-3])


def test_gradient_convolutions_stay_as_built_where_the_configuration_says_so(make_recipe, tmp_path: Path) -> None:
    ends = {}
    for learns in (True, False):
        recipe = make_recipe("stages.0.steps=1", "stages.1.steps=1", "data.val=[]", model={"train_gradients": learns})
        train(recipe, tmp_path / str(learns))
        built = RunState(training_of("smfnet"), recipe, [], torch.device("cpu"), load_frozen).parts[FUSER].state_dict()
        end = load_checkpoint(tmp_path / str(learns), print)["parts"][FUSER]
        ends[learns] = [torch.equal(end[name], built[name]) for name in built if "sobel" in name]
    assert len(ends[True]) == 4
    assert (any(ends[True]), all(ends[False])) == (False, True)


def test_without_graph_there_is_none_to_train(make_recipe, tmp_path: Path) -> None:
    train(make_recipe(model={"graph": False}), tmp_path / "run")
    log = read_log(tmp_path / "run/log-fusion.csv")
    assert "norm.graph" not in log
    assert log["norm.fuse_detail"][0] > 0


def test_rules_and_weights_of_the_losses_are_those_of_the_stage(make_recipe) -> None:
    a, b = torch.rand(2, 2, 1, 16, 16, generator=torch.Generator().manual_seed(6))
    b[0, 0, :4] = 0  # 64 of 512 pixels
    found = {}
    for name, settings in (
        ("fixed", ()),
        ("changed", ("stages.0.options.semantic=zeros", "stages.0.losses.intensity=0")),
    ):
        recipe = make_recipe(*settings)
        state = RunState(training_of(recipe.family), recipe, [], torch.device("cpu"), load_frozen)
        found[name] = state.stages[0].validate(state.parts, Batch(a, b))
    assert found["changed"]["semantic"].item() == 1 - 64 / 512
    assert found["fixed"]["semantic"].item() != pytest.approx(1 - 64 / 512, abs=1e-3)
    assert set(found["fixed"]) - set(found["changed"]) == {"intensity"}
    assert found["changed"]["structure_a"] == found["fixed"]["structure_a"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stages.0.options.semantc=otsu", "did you mean semantic"),
        ("stages.0.options.ssim=maybe", "'plain' or 'clamped'"),
        ("stages.0.kind=distil", "SMFNet has reconstruction and fusion"),
        ("stages.1.losses.structure=1", "losses of stage fusion"),
        ("model.chanels=8", "did you mean channels"),
        ("parts.inverse.coder={}", "no parts.inverse"),
        ("teacher=x", "learns from none"),
    ],
)
def test_recipe_that_does_not_fit_is_a_usage_error(make_recipe, setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_recipe(make_recipe(setting))


@pytest.mark.parametrize("name", [name for name in bundled_recipes() if name.startswith("smfnet")])
def test_bundled_recipes_fit_and_all_but_the_papers_repair_the_messages(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.model.get("messages") == (None if name == "smfnet-paper" else "per_neighbour")
    check_recipe(replace(recipe, model={**recipe.model, "channels": 8, "heads": 2}))
