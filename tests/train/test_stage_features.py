"""What a stage may have of its own: crops, notes, frozen modules, parts that begin anew, monitors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from polyfuse.errors import UsageError
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import Recipe, load_recipe, loop, train, turns
from polyfuse.train.checkpoint import load_checkpoint, save_checkpoint
from polyfuse.train.journal import read_log
from polyfuse.train.recipe import OptimiserConfig
from polyfuse.train.stage import FUSER, Batch, LoadFrozen, Parts, Readings, Stage, Training, Turn, Watch
from polyfuse.train.state import RunState

WriteRecipe = Callable[..., Path]
LIMIT = 9.0
"""Sum of all readings of the step from which on the monitor warns."""


class Net(nn.Module):
    """Two modules, one of which can be frozen."""

    def configuration(self) -> dict[str, Any]:
        return {}

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 1, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        fused: Tensor = self.second(self.first(torch.cat([a, b], dim=1)))
        return fused


def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
    """One loss, and a note that must not be minimised."""
    fused = parts[FUSER](batch.a, batch.b) + parts["helper"](batch.a)
    return {
        "loss": (fused - batch.b).abs().mean(),
        "level": -1e6 * fused.mean().detach(),
        "black": (batch.a == 0).float().sum(),
    }


def measure(parts: Parts, batch: Batch) -> dict[str, float]:
    return {"pixels": float(batch.a.numel())}


def judge(readings: Readings, share: float) -> dict[str, str]:
    return {"sum": "warn" if sum(readings["step"]) >= LIMIT else "ok", "end": "fail" if share == 1 else "ok"}


def stages(recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
    """Both train both parts; in the second the helper begins anew and `first` is frozen."""
    turn = Turn("all", (FUSER, "helper"), losses, OptimiserConfig(rate=1e-2), noted=("level", "black"))
    frozen = Turn(
        "all", (FUSER, "helper"), losses, OptimiserConfig(rate=0.0), frozen=("fuser.first",), noted=turn.noted
    )
    watch = Watch(measure, judge, ("note.level",))
    draw = lambda parts, batch: parts[FUSER](batch.a, batch.b)  # noqa: E731
    one, two = (stage.steps for stage in recipe.stages)
    return [
        Stage("one", one, (turn,), losses, draw),
        Stage("two", two, (frozen,), losses, draw, fresh=("helper",), watch=watch),
    ]


@pytest.fixture
def recipe(write_recipe: WriteRecipe, add_training: Callable[[str, Training], None]) -> Recipe:
    """Two steps and six; crops of the second stage are black."""
    family = Training(lambda recipe: {FUSER: Net(), "helper": nn.Conv2d(1, 1, 1)}, stages)
    add_training("plain", family)
    return load_recipe(
        write_recipe(
            family="plain",
            stages=[{"kind": "one", "steps": 2}, {"kind": "two", "steps": 6, "crop": {"blank": 1.0}}],
            rhythm={"log_every": 1, "validation_crop": 16, "monitor_every": 2},
        )
    )


def test_crops_of_a_stage_are_its_own(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    assert max(read_log(tmp_path / "run/log-one.csv")["note.black"]) < 20  # of 512 pixels of noise
    assert read_log(tmp_path / "run/log-two.csv")["note.black"] == 6 * [512]


def test_notes_are_logged_and_not_minimised(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    log = read_log(tmp_path / "run/log-one.csv")
    assert log["total"] == log["loss"] != log["note.level"]


def test_fresh_part_begins_the_stage_as_it_began_the_run_and_the_other_goes_on(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    begun = RunState(training_of(recipe.family), recipe, [], torch.device("cpu"), load_frozen).parts
    ended = load_checkpoint(tmp_path / "run", print)["parts"]  # the rate of the second stage is 0
    assert torch.equal(ended["helper"]["weight"], begun["helper"].state_dict()["weight"])
    assert not torch.equal(ended[FUSER]["first.weight"], begun[FUSER].state_dict()["first.weight"])


def test_frozen_module_gets_no_gradient(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gradients: list[tuple[bool, ...]] = []

    def watched(parts: Parts, turn: Turn, *arguments: Any) -> dict[str, float]:
        values = original(parts, turn, *arguments)
        net = parts[FUSER]
        gradients.append(tuple(net.get_submodule(name).weight.grad is None for name in ("first", "second")))
        return values

    original = turns.take_turn
    monkeypatch.setattr(loop, "take_turn", watched)
    train(recipe, tmp_path / "run")
    assert gradients == 2 * [(False, False)] + 6 * [(True, False)]


def test_monitors_are_read_at_their_interval_with_means_and_warn_once(recipe: Recipe, tmp_path: Path) -> None:
    said: list[str] = []
    train(recipe, tmp_path / "run", say=said.append)
    monitors, log = read_log(tmp_path / "run/monitors-two.csv"), read_log(tmp_path / "run/log-two.csv")
    assert (monitors["step"], monitors["pixels"]) == ([4, 6, 8], 3 * [4 * 256])  # the first batch of validation crops
    assert set(monitors) == {"step", "pixels", "note.level"}
    means = [(log["note.level"][index] + log["note.level"][index + 1]) / 2 for index in (0, 2, 4)]
    assert monitors["note.level"] == pytest.approx(means, rel=1e-4)
    warnings = [line for line in said if "monitor" in line]
    assert [line.partition(" (")[0] for line in warnings] == [
        "step 6, two: monitor sum: warn",
        "step 8, two: monitor end: fail",
    ]
    lines = (tmp_path / "run/monitors-two.csv").read_text().splitlines()
    assert lines[0] == "step,pixels,note.level,sum status,end status"
    assert [line.split(",")[3:] for line in lines[1:]] == [["ok", "ok"], ["warn", "ok"], ["warn", "fail"]]
    assert not (tmp_path / "run/monitors-one.csv").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stages.1.crop.blnk=1.0", r"stages\.1\.crop has no 'blnk': did you mean blank"),
        ("stages.1.crop.size=8", r"stages\.1\.crop has a size: all stages have that of data\.crop"),
        ("stages.1.crop.patch=2.0", "shares, in"),
        ("rhythm.monitor_every=0", "interval below 1"),
    ],
)
def test_what_a_stage_cannot_have_is_refused(recipe: Recipe, tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_recipe(tmp_path / "recipe.json", [setting])


def test_options_are_refused_by_a_family_without_any() -> None:
    recipe = load_recipe("fnet-cpu", ["stages.0.options.view=detail"])
    with pytest.raises(UsageError, match=r"stages\.0\.options has 'view': FNet has none"):
        training_of("fnet").stages(recipe, load_frozen)


def test_checkpoint_from_before_there_were_these_keys_is_gone_on_with(
    write_recipe: WriteRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(write_recipe(steps=1), ["rhythm.checkpoint_minutes=0"])
    train(recipe, tmp_path / "run")
    state = load_checkpoint(tmp_path / "run", print)
    for stage in state["recipe"]["stages"]:
        del stage["crop"], stage["options"], stage["optimiser"]["kind"], stage["optimiser"]["halvings"]
    for key in ("exposure", "patch", "blank", "haze", "glare"):
        del state["recipe"]["data"]["crop"][key]
    del state["recipe"]["rhythm"]["monitor_every"]
    save_checkpoint(tmp_path / "run", state)
    train(recipe, tmp_path / "run", resume=True)
