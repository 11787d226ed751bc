"""A run from end to end: what it leaves, that stopping changes nothing, and how it ends badly."""

import csv
import json
import re
import shutil
import signal
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from polyfuse import cli, registry
from polyfuse.cli import train as train_command
from polyfuse.data.pack import Pack
from polyfuse.errors import InputError, OutputError, TrainingError, UsageError
from polyfuse.io import read_picture
from polyfuse.losses import terms
from polyfuse.metrics import score
from polyfuse.train import LAST, Recipe, load_recipe, train, turns, validation
from polyfuse.train import loop as loop_module
from polyfuse.train.checkpoint import NEWEST, PREVIOUS, load_checkpoint, save_checkpoint
from polyfuse.train.export import export
from polyfuse.train.journal import read_log
from polyfuse.train.state import _fill_optimiser
from polyfuse.weights.store import load_weights

WriteRecipe = Callable[..., Path]


class Stop(Exception):
    """Stands in for a power cut."""


def tensors(run: Path) -> dict[str, Tensor]:
    """The final weights of a run."""
    return load_weights(run / "weights.safetensors")[0]


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether all tensors agree bit by bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Let the run end without warning once so many steps are taken."""
    taken = iter(range(steps))

    def take_turn(*arguments: Any, **named: Any) -> dict[str, float]:
        if next(taken, None) is None:
            raise Stop
        return original(*arguments, **named)

    original = turns.take_turn
    monkeypatch.setattr(loop_module, "take_turn", take_turn)


@pytest.fixture
def recipe(write_recipe: WriteRecipe) -> Recipe:
    """Two stages of six steps."""
    return load_recipe(write_recipe())


@pytest.fixture
def hasty(write_recipe: WriteRecipe) -> Recipe:
    """The same with a checkpoint after every step."""
    return load_recipe(write_recipe(), ["rhythm.checkpoint_minutes=0"])


@pytest.fixture(scope="module")
def finished_once() -> dict[str, Path]:
    """Where the finished run of this module is, once there is one."""
    return {}


@pytest.fixture
def finished(
    hasty: Recipe, finished_once: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> Path:
    """A run that is over, this test's own copy."""
    if not finished_once:
        finished_once["run"] = tmp_path_factory.mktemp("finished") / "run"
        train(hasty, finished_once["run"])
    return Path(shutil.copytree(finished_once["run"], tmp_path / "run"))


def test_run_leaves_weights_that_fuse_and_a_folder_that_explains_itself(recipe: Recipe, tmp_path: Path) -> None:
    paths = train(recipe, tmp_path / "run")
    assert [path.name for path in paths] == ["weights.safetensors", "best.safetensors"]
    info = load_weights(paths[0])[1]
    assert (info.name, info.luma, "noise/train" in info.source) == ("fnet.test", "full", True)
    assert registry.load("fnet", weights=paths[1]).spec.parameters > 0
    found = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert {"recipe.json", "environment.json", "log-reconstruction.csv", "log-fusion.csv", "val-fusion.csv"} <= found
    assert {"samples/000012/0.png", "checkpoint.pt"} <= found
    assert load_recipe(tmp_path / "run/recipe.json") == recipe


def test_log_holds_losses_norms_and_rate_at_every_interval(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    log = read_log(tmp_path / "run/log-fusion.csv")
    assert log["step"] == [8, 10, 12]
    assert set(log) == {"step", "intensity", "gradient", "ssim", "total", "norm.fuser", "rate", "seconds"}
    total = log["total"][0]
    assert total == pytest.approx(log["intensity"][0] + log["gradient"][0] + log["ssim"][0], rel=1e-5)  # 6 digits
    assert set(read_log(tmp_path / "run/log-reconstruction.csv")) >= {"norm.fuser", "norm.inverse"}


def test_same_recipe_gives_the_same_bits_and_leaves_the_callers_random_numbers(recipe: Recipe, tmp_path: Path) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    train(recipe, tmp_path / "one")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    train(recipe, tmp_path / "two")
    assert same(tensors(tmp_path / "one"), tensors(tmp_path / "two"))


@pytest.mark.parametrize("steps", [3, 10])  # in the first stage, in the second
def test_resumed_run_ends_with_the_same_bits_and_the_same_log(
    hasty: Recipe, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, steps)
        with pytest.raises(Stop):
            train(hasty, tmp_path / "new")
    train(hasty, tmp_path / "new", resume=True)
    assert same(tensors(finished), tensors(tmp_path / "new"))
    assert same(load_weights(finished / "best.safetensors")[0], load_weights(tmp_path / "new/best.safetensors")[0])
    for name in ("val-reconstruction.csv", "val-fusion.csv"):
        assert (finished / name).read_text() == (tmp_path / "new" / name).read_text()
    assert read_log(tmp_path / "new/log-fusion.csv")["step"] == [8, 10, 12]


def test_log_lines_after_the_checkpoint_are_not_doubled(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 11)  # the last checkpoint is that of the stage's end, after 6
        with pytest.raises(Stop):
            train(recipe, tmp_path / "run")
    assert read_log(tmp_path / "run/log-fusion.csv")["step"] == [8, 10]
    train(recipe, tmp_path / "run", resume=True)
    assert read_log(tmp_path / "run/log-fusion.csv")["step"] == [8, 10, 12]


def test_damaged_checkpoint_is_passed_over_for_the_one_before(hasty: Recipe, finished: Path) -> None:
    weights = tensors(finished)
    newest = finished / NEWEST
    newest.write_bytes(newest.read_bytes()[:-100])
    said: list[str] = []
    train(hasty, finished, resume=True, say=said.append)
    assert f"{newest} is damaged and is passed over." in said
    assert same(tensors(finished), weights)


def test_two_damaged_checkpoints_are_an_input_error(hasty: Recipe, finished: Path) -> None:
    for name in (NEWEST, PREVIOUS):
        (finished / name).write_bytes(b"")
    with pytest.raises(InputError, match="no checkpoint that can be read"):
        train(hasty, finished, resume=True)


def drop_part(state: dict[str, Any]) -> None:
    del state["parts"]["inverse"]


def other_shape(state: dict[str, Any]) -> None:
    name = next(iter(state["parts"]["fuser"]))
    state["parts"]["fuser"][name] = torch.zeros(7, 7)


def other_moment(state: dict[str, Any]) -> None:
    state["optimisers"]["fuser"]["state"][0]["exp_avg"] = torch.zeros(7, 7)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "part lost": drop_part,
    "shape": other_shape,
    "moment": other_moment,
    "moments lost": lambda state: state["optimisers"]["fuser"].pop("state"),
    "moments empty": lambda state: state["optimisers"]["fuser"]["state"][0].clear(),
    "groups": lambda state: state["optimisers"]["fuser"].update(param_groups=5),
    "optimiser lost": lambda state: state.update(optimisers={}),
    "average": lambda state: state.update(average=None),
    "stage": lambda state: state.update(stage=-1),
    "stage beyond": lambda state: state.update(stage=9),
    "step": lambda state: state.update(step=1.5),
    "step lost": lambda state: state.pop("step"),
    "seconds": lambda state: state.update(seconds="long"),
    "best": lambda state: state.update(best=float("nan")),
    "recipe": lambda state: state["recipe"].pop("family"),
    "recipe's type": lambda state: state.update(recipe=[1]),
    "all": lambda state: state.clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_checkpoint_with_wrong_content_is_passed_over_for_the_one_before(
    hasty: Recipe, finished: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], object]
) -> None:
    (finished / NEWEST).unlink()
    state = load_checkpoint(finished, print)
    change(state)
    save_checkpoint(finished, state)  # a digest that fits
    weights, said = tensors(finished), list[str]()
    monkeypatch.setattr(loop_module, "score_samples", lambda *arguments: {})
    train(hasty, finished, resume=True, say=said.append)
    assert any(f"{finished / NEWEST} is damaged (" in text and text.endswith("is passed over.") for text in said)
    assert "resumed at step 11 of 12" in said
    assert same(tensors(finished), weights)


def test_checkpoint_that_is_no_dictionary_is_damaged(hasty: Recipe, finished: Path) -> None:
    (finished / PREVIOUS).unlink()
    save_checkpoint(finished, [1])  # type: ignore[arg-type]
    (finished / PREVIOUS).unlink()
    with pytest.raises(InputError, match="no checkpoint that can be read"):
        train(hasty, finished, resume=True)


@pytest.mark.parametrize("end", [b"11,0.5", b"11,0.5,xx\n", b"\xff\0\xff\n", b'"\n', b"x" * 200_000 + b"\n"])
def test_damaged_line_of_the_log_does_not_break_resuming(hasty: Recipe, finished: Path, end: bytes) -> None:
    for name in ("log-fusion.csv", "val-fusion.csv"):
        (finished / name).write_bytes((finished / name).read_bytes() + end)
    (finished / NEWEST).unlink()
    train(hasty, finished, resume=True)
    if len(end) < 100:
        assert read_log(finished / "log-fusion.csv")["step"] == [8, 10, 12]


@pytest.mark.parametrize("content", [b"", b"step,inten", b"\0\n"])
def test_log_without_a_header_begins_anew_and_is_named(hasty: Recipe, finished: Path, content: bytes) -> None:
    (finished / "log-fusion.csv").write_bytes(content)
    (finished / NEWEST).unlink()
    said: list[str] = []
    train(hasty, finished, resume=True, say=said.append)
    assert f"{finished / 'log-fusion.csv'} is damaged and begins anew." in said
    assert read_log(finished / "log-fusion.csv")["step"] == [12]


def test_checkpoint_of_another_recipe_is_refused_by_the_first_key(recipe: Recipe, finished: Path) -> None:
    other = load_recipe(finished / "recipe.json", ["stages.1.optimiser.rate=1.0"])
    with pytest.raises(UsageError, match=r"stages.1.optimiser.rate was 0.0001 and is 1.0"):
        train(other, finished, resume=True)


def test_rhythm_may_change_on_resuming(recipe: Recipe, finished: Path) -> None:
    train(load_recipe(finished / "recipe.json", ["rhythm.log_every=1"]), finished, resume=True)


def test_stage_may_be_made_longer_on_resuming_but_not_shorter_than_it_is(finished: Path) -> None:
    (finished / NEWEST).unlink()  # the one before: 5 of 6 steps of the second stage
    longer, shorter = (load_recipe(finished / "recipe.json", [f"stages.1.steps={steps}"]) for steps in (8, 5))
    with pytest.raises(UsageError, match="stage fusion has 5 steps behind it"):
        train(shorter, finished, resume=True)
    train(longer, finished, resume=True)
    assert read_log(finished / "log-fusion.csv")["step"] == [8, 10, 12, 14]


@pytest.mark.parametrize("stage", ["0 (reconstruction)", "1 (fusion)"])
def test_stage_that_is_over_keeps_its_steps_on_resuming(finished: Path, stage: str) -> None:
    before = (finished / LAST).read_bytes()
    longer = load_recipe(finished / "recipe.json", [f"stages.{stage[0]}.steps=9"])
    with pytest.raises(UsageError, match=re.escape(f"stage {stage} is over after 6 steps and cannot have 9")):
        train(longer, finished, resume=True)
    assert (finished / LAST).read_bytes() == before


@pytest.mark.parametrize("lost", [(), (NEWEST,)])
def test_folder_with_a_run_is_not_taken_for_a_new_one(recipe: Recipe, finished: Path, lost: tuple[str, ...]) -> None:
    for name in lost:  # as a kill between the two renames of a checkpoint leaves it
        (finished / name).unlink()
    with pytest.raises(OutputError, match="--resume"):
        train(recipe, finished)


def test_full_disk_during_a_line_of_the_log_names_the_log(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: object, **named: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(csv, "writer", full)
    with pytest.raises(OutputError, match=r"log-reconstruction\.csv cannot be written \(No space left .*: free some"):
        train(recipe, tmp_path / "run")


def test_loss_that_is_no_number_names_step_and_loss_and_keeps_the_state_before(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyfuse.train import fusion_stage

    calls = iter(range(100))
    original = terms.fusion_terms

    def spoilt(*arguments: Any, **named: Any) -> Any:
        found = original(*arguments, **named)
        return found if next(calls) < 2 else type(found)(found.intensity, found.gradient * torch.nan, found.structure)

    monkeypatch.setattr(fusion_stage, "fusion_terms", spoilt)
    with pytest.raises(
        TrainingError, match=r"^gradient of turn fuser is nan at step 8 of stage fusion: .*checkpoint\.pt"
    ):
        train(recipe, tmp_path / "run")
    state = load_checkpoint(tmp_path / "run", print)
    assert (state["stage"], state["step"]) == (1, 2)
    assert all(value.isfinite().all() for part in state["parts"].values() for value in part.values())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_interrupted_run_leaves_a_checkpoint_exits_with_its_signal_and_ends_with_the_same_bits(
    write_recipe: WriteRecipe,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    code: int,
) -> None:
    command = ["train", str(write_recipe()), "-o", str(tmp_path / "new")]

    def interrupted(*arguments: Any, **named: Any) -> dict[str, float]:
        signal.raise_signal(number)
        return original(*arguments, **named)

    original = turns.take_turn
    with monkeypatch.context() as patch:
        patch.setattr(loop_module, "take_turn", interrupted)
        assert cli.run(command) == code
    assert load_checkpoint(tmp_path / "new", print)["step"] == 1
    assert cli.run([*command, "--resume"]) == 0
    assert same(tensors(finished), tensors(tmp_path / "new"))


@pytest.mark.parametrize("name", ["validate", "draw_samples", "score_samples"])
@pytest.mark.parametrize("last", [pytest.param(False, marks=pytest.mark.slow), True])  # of the stage
def test_pass_over_pictures_is_left_at_the_next_picture_and_made_anew_on_resuming(
    finished: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, last: bool
) -> None:
    settings = [] if last else ["rhythm.draw_every=3"]
    recipe = load_recipe(finished / "recipe.json", settings)
    taken: list[object] = []

    def interrupted(stage: Any, parts: Any, items: Any, *others: Any) -> Any:
        def counted() -> Any:
            for item in items:
                signal.raise_signal(signal.SIGINT)
                taken.append(item)
                yield item

        return original(stage, parts, counted(), *others)

    original = getattr(loop_module, name)
    with monkeypatch.context() as patch:
        patch.setattr(loop_module, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "new")
    assert len(taken) == 1
    state = load_checkpoint(tmp_path / "new", print)
    assert (state["step"], state["passes_due"]) == (6 if last and name != "validate" else 3, True)
    train(recipe, tmp_path / "new", resume=True)
    assert same(tensors(finished), tensors(tmp_path / "new"))
    assert same(load_weights(finished / "best.safetensors")[0], load_weights(tmp_path / "new/best.safetensors")[0])
    for log in ("val-reconstruction.csv", "val-fusion.csv", *(("metrics-reconstruction.csv",) if last else ())):
        assert (finished / log).read_text() == (tmp_path / "new" / log).read_text()


def test_picture_that_is_not_finite_ends_the_run_with_a_checkpoint(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 8)
        with pytest.raises(Stop):
            train(recipe, tmp_path / "run")

    def spoilt(stage: Any, *arguments: Any) -> None:
        original(replace(stage, draw=lambda parts, batch: batch.a * torch.nan), *arguments)

    original = validation.draw_samples
    monkeypatch.setattr(loop_module, "draw_samples", spoilt)
    with pytest.raises(TrainingError, match=r"^the fused picture of 0 is not finite after step 12: .*checkpoint\.pt"):
        train(recipe, tmp_path / "run", resume=True)
    state = load_checkpoint(tmp_path / "run", print)
    assert (state["step"], state["passes_due"]) == (6, True)


def test_validation_loss_that_is_not_finite_ends_the_run_and_chooses_no_weights(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(stage: Any, *arguments: Any) -> dict[str, float]:
        if stage.name != "fusion":
            return original(stage, *arguments)

        def validate_nan(parts: Any, batch: Any) -> dict[str, torch.Tensor]:
            return {name: loss * torch.nan for name, loss in stage.validate(parts, batch).items()}

        return original(replace(stage, validate=validate_nan), *arguments)

    original = validation.validate
    monkeypatch.setattr(loop_module, "validate", spoilt)
    with pytest.raises(TrainingError, match=r"^validation loss \w+ is nan after step 9: .*checkpoint\.pt"):
        train(recipe, tmp_path / "run")
    state = load_checkpoint(tmp_path / "run", print)
    assert (state["step"], state["passes_due"], state["best"]) == (3, True, float("inf"))
    assert not (tmp_path / "run/best.safetensors").exists()


def test_single_pair_is_counted_as_one(recipe: Recipe, pack: Path, tmp_path: Path) -> None:
    network = torch.nn.Linear(1, 1)
    one = replace(recipe, data=replace(recipe.data, batch=1))
    opened = Pack(pack)
    opened.items = opened.items[:1]
    export(tmp_path / "x.safetensors", network, {}, one, [opened], 1)
    assert (
        "1 step of 1 crop of 16x16 out of 1 pair of noise/train" in load_weights(tmp_path / "x.safetensors")[1].source
    )


def test_highest_rate_leaves_finite_weights_in_a_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "wild.json").write_text(json.dumps(recipe.to_json()), encoding="utf-8")
    wild = load_recipe(tmp_path / "wild.json", ["stages.0.optimiser.rate=1000.0", "stages.0.steps=200"])
    with pytest.raises(TrainingError, match=r"checkpoint\.pt"):
        train(wild, tmp_path / "run")
    state = load_checkpoint(tmp_path / "run", print)
    assert all(value.isfinite().all() for part in state["parts"].values() for value in part.values())


def test_run_goes_on_by_the_name_of_its_folder_alone_and_stops_when_its_time_is_up(
    write_recipe: WriteRecipe, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "new"
    assert cli.run(["train", str(write_recipe()), "-o", str(run), "--minutes", "1e-9"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(run / "checkpoint.safetensors")]
    assert "time is up at step 1 of 12: go on with --resume" in captured.err
    assert load_checkpoint(run, print)["step"] == 1
    assert registry.load("auto", weights=run / "checkpoint.safetensors").spec.parameters > 0
    assert cli.run(["train", str(run)]) == 2
    assert "is a folder: pass --resume" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert cli.run(["train", "--resume", str(tmp_path / "empty")]) == 3
    assert "empty holds no recipe.json" in capsys.readouterr().err
    assert cli.run(["train", "--resume", str(run)]) == 0
    assert not (run / "checkpoint.safetensors").exists()
    assert same(tensors(finished), tensors(run))


def test_two_folders_are_trained_on_as_a_pack_of_them_is(
    write_recipe: WriteRecipe, pack: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "train",
        str(write_recipe()),
        str(pack.parent / "a"),
        str(pack.parent / "b"),
        "-o",
        str(tmp_path / "new"),
    ]
    assert cli.run([*command, "--minutes", "1e-9"]) == 0
    made = (tmp_path / "new/pairs.pack").stat().st_mtime_ns
    assert cli.run(command) == 5
    assert "holds a run already: pass --resume" in capsys.readouterr().err
    assert cli.run([*command, "--resume"]) == 0
    assert (tmp_path / "new/pairs.pack").stat().st_mtime_ns == made
    assert same(tensors(finished), tensors(tmp_path / "new"))


def test_folders_to_train_on_are_two_and_a_pack_of_other_origin_stays(
    write_recipe: WriteRecipe, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(pack.parent / name) for name in "ab"]
    assert cli.run(["train", str(write_recipe()), folders[0], "-o", str(tmp_path / "run")]) == 2
    assert "give the two folders to train on" in capsys.readouterr().err
    (tmp_path / "run").mkdir()
    (tmp_path / "run/pairs.pack").write_bytes(b"mine")
    assert cli.run(["train", str(write_recipe()), *folders, "-o", str(tmp_path / "run")]) == 5
    assert (tmp_path / "run/pairs.pack").read_bytes() == b"mine"


def test_processes_are_left_in_order_after_an_error_too(
    write_recipe: WriteRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[bool] = []
    monkeypatch.setattr(train_command, "_leave_processes", lambda: left.append(True))
    assert cli.run(["train", str(write_recipe()), "-o", str(tmp_path / "run"), "--set", "data.train=[]"]) == 2
    assert left == [True]


def test_full_disk_during_a_checkpoint_leaves_the_older_ones(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [(finished / name).read_bytes() for name in (NEWEST, PREVIOUS)]
    with monkeypatch.context() as patch:

        def full(path: Path, content: bytes) -> int:
            raise OSError(28, "No space left on device")

        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="free some space"):
            save_checkpoint(finished, {"step": 1})
    assert [(finished / name).read_bytes() for name in (NEWEST, PREVIOUS)] == before
    assert not list(finished.glob(".polyfuse-*"))


def test_training_goes_on_from_a_weights_file(finished: Path, tmp_path: Path, write_recipe: WriteRecipe) -> None:
    start = finished / "weights.safetensors"
    frozen = {"kind": "fusion", "steps": 1, "optimiser": {"rate": 0.0}}
    again = load_recipe(write_recipe("again.json", start=str(start), stages=[frozen]))
    train(again, tmp_path / "again")
    assert same(tensors(tmp_path / "again"), tensors(finished))


def test_weights_of_another_network_are_no_start(finished: Path, tmp_path: Path) -> None:
    start = finished / "weights.safetensors"
    other = load_recipe(finished / "recipe.json", [f'start="{start}"', "model.coder.channels=5"])
    with pytest.raises(InputError, match="does not fit the recipe's network"):
        train(other, tmp_path / "other")


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("data.train=[]", UsageError, "names no data"),
        ("data.train=gone.pack", InputError, "gone.pack cannot be read"),
        ("data.luma=studio", InputError, "has full luma, the recipe wants studio"),
        ("data.crop.size=25", InputError, "24x24, smaller than crops of 25x25"),
    ],
)
def test_data_that_do_not_fit_are_refused(
    tmp_path: Path, write_recipe: WriteRecipe, setting: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(load_recipe(write_recipe(), [setting]), tmp_path / "run")


def test_test_split_is_refused(write_recipe: WriteRecipe, tmp_path: Path, pack: Path) -> None:
    content = pack.read_bytes().replace(b'"split": "train"', b'"split": "test" ')
    (tmp_path / "test.pack").write_bytes(content)
    recipe = load_recipe(write_recipe(), [f"data.train={tmp_path / 'test.pack'}"])
    with pytest.raises(InputError, match="holds a test split"):
        train(recipe, tmp_path / "run")


def test_metrics_are_those_of_the_sample_pictures(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    sheets = [read_picture(path).array for path in sorted((tmp_path / "run/samples/000012").glob("*.png"))]
    found = []
    for sheet in sheets:
        planes = torch.from_numpy(sheet).view(16, 3, 1, 16).permute(1, 2, 0, 3).unsqueeze(1) / 255
        found.append(score(planes[2], planes[0], planes[1], metrics=["SF", "SSIM"]).values)
    logged = read_log(tmp_path / "run/metrics-fusion.csv")
    assert (len(sheets), logged["step"]) == (3, [12])
    for name in ("SF", "SSIM"):
        assert logged[name][0] == pytest.approx(float(torch.cat([values[name] for values in found]).mean()), rel=1e-5)


def test_groups_that_are_tensors_are_refused_without_a_warning() -> None:
    optimiser = torch.optim.Adam([torch.zeros(2, requires_grad=True)])
    values = optimiser.state_dict() | {"param_groups": [torch.zeros(3)]}
    with warnings.catch_warnings(record=True) as warned:  # an error in its place is lost within torch
        warnings.simplefilter("always")
        with pytest.raises(InputError, match="its moments of fuser are not those of the run"):
            _fill_optimiser(optimiser, values, "fuser")
    assert warned == []
