"""DAE-Fuse is trained in two phases, each a game; who sees what, what gets a gradient, and what a recipe may change."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from polyfuse import cli
from polyfuse.errors import UsageError
from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig
from polyfuse.families.daefuse.adversarial import shown
from polyfuse.families.daefuse.options import DISCRIMINATORS
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import Recipe, check_recipe, load_recipe, loop, train
from polyfuse.train.checkpoint import load_checkpoint
from polyfuse.train.journal import read_log
from polyfuse.train.optimiser import build_optimiser
from polyfuse.train.stage import FUSER, Batch, Stage, Turn
from polyfuse.train.state import RunState
from polyfuse.train.turns import take_turn, turn_parameters
from polyfuse.weights.store import load_weights

MakeRecipe = Callable[..., Recipe]
SMALL = {
    "size": "tiny",
    "shallow_channels": 4,
    "high_channels": [4, 4, 4, 4],
    "high_out": 4,
    "token_channels": 6,
    "depth": 1,
    "low_out": 4,
    "cross_grid": 2,
    "decoder_channels": 4,
    "decoder_blocks": 1,
    "disc_channels": [4, 4, 4, 4],
}


@pytest.fixture
def write_smoke(write_recipe: Callable[..., Path], large_pack: Path) -> Callable[..., Path]:
    """Write a recipe of both phases, three steps each, with changes."""

    def write(**changes: Any) -> Path:
        smoke = {
            "name": "daefuse.test",
            "family": "daefuse",
            "model": SMALL,
            "data": {
                "train": str(large_pack),
                "val": str(large_pack),
                "luma": "full",
                "batch": 2,
                "crop": {"size": 32},
            },
            "stages": [
                {"kind": "reconstruction", "steps": 3, "crop": {"exposure": 0.5, "patch": 0.3, "blank": 0.1}},
                {"kind": "fusion", "steps": 3, "crop": {"exposure": 0.2}},
            ],
            "rhythm": {"log_every": 1, "validation_crop": 32, "draw_every": 100, "monitor_every": 2},
        }
        return write_recipe(**(smoke | changes))

    return write


@pytest.fixture
def smoke(write_smoke: Callable[..., Path]) -> MakeRecipe:
    """That recipe, with settings as on the command line."""
    return lambda *settings, **changes: load_recipe(write_smoke(**changes), settings)


@pytest.fixture
def batch() -> Batch:
    """Two pairs of noise."""
    generator = torch.Generator().manual_seed(3)
    return Batch(*torch.rand(2, 2, 1, 32, 32, generator=generator))


def begin(recipe: Recipe) -> RunState:
    """The state of a run before its first step."""
    return RunState(training_of(recipe.family), recipe, [], torch.device("cpu"), load_frozen)


def take(state: RunState, turn: Turn, batch: Batch) -> dict[str, float]:
    """One turn with an optimiser of its own."""
    optimiser = build_optimiser(turn.optimiser, turn_parameters(state.parts, turn).values())
    return take_turn(state.parts, turn, optimiser, 1e-3, batch, lambda value: value)


def copies(state: RunState) -> dict[str, dict[str, Tensor]]:
    """All weights as they are."""
    return {
        name: {key: value.clone() for key, value in part.state_dict().items()} for name, part in state.parts.items()
    }


def changed(before: dict[str, dict[str, Tensor]], after: dict[str, dict[str, Tensor]]) -> set[str]:
    """Parts of which a weight differs."""
    return {name for name in before if not all(torch.equal(x, after[name][key]) for key, x in before[name].items())}


def test_phase_1_gives_no_gradient_to_the_fusion_and_some_to_every_other_module(
    smoke: MakeRecipe, batch: Batch
) -> None:
    state = begin(smoke())
    judge, make = state.stages[0].turns
    before = copies(state)
    take(state, judge, batch)
    between = copies(state)
    take(state, make, batch)
    assert changed(before, between) == set(DISCRIMINATORS)
    assert changed(between, copies(state)) == {FUSER}
    fuser: Any = state.parts[FUSER]
    assert all(value.grad is None for value in fuser.fusion.parameters())
    for module in (fuser.shallow, fuser.high, fuser.low, fuser.decoder):
        assert any(value.grad is not None and value.grad.any() for value in module.parameters())
    take(state, make, batch)
    idle = [name for name, value in fuser.named_parameters() if value.grad is None or not value.grad.any()]
    assert all(name.startswith("fusion.") for name in idle)


def test_phase_2_reaches_every_parameter_from_its_second_step_on(smoke: MakeRecipe, batch: Batch) -> None:
    state = begin(smoke())
    make = state.stages[1].turns[1]
    take(state, state.stages[0].turns[1], batch)  # residual blocks start with zeros
    take(state, make, batch)
    fuser: Any = state.parts[FUSER]
    idle = {name for name, value in fuser.fusion.named_parameters() if not value.grad.any()}
    assert any(name.endswith("query.weight") for name in idle)
    assert "gate.expand.weight" in idle
    assert not fuser.fusion.gate.reduce.weight.grad.eq(0).all()
    take(state, make, batch)
    assert all(value.grad.any() for value in fuser.parameters())


@pytest.mark.parametrize(
    ("stage", "options", "view"),
    [
        (0, {"view": "image"}, "image"),
        (0, {}, "detail"),
        (1, {}, "image"),
        (1, {"view": "structure", "detail_source": "a"}, "structure"),
    ],
)
def test_each_discriminator_sees_its_source_and_what_was_made_in_the_view_of_the_phase(
    smoke: MakeRecipe, batch: Batch, stage: int, options: dict[str, Any], view: Any
) -> None:
    state = begin(smoke(*(f"stages.{stage}.options.{key}={value}" for key, value in options.items())))
    seen: dict[str, list[Tensor]] = {name: [] for name in DISCRIMINATORS}
    for name in DISCRIMINATORS:
        state.parts[name].register_forward_pre_hook(lambda part, inputs, name=name: seen[name].append(inputs[0]))
    fuser: Any = state.parts[FUSER]
    with torch.no_grad():
        made = fuser.reconstruct(batch.a, batch.b) if stage == 0 else 2 * (fuser(batch.a, batch.b),)
    judge, make = state.stages[stage].turns
    judge.step(state.parts, batch)
    make.step(state.parts, batch)
    for name, source, real, fake in zip(DISCRIMINATORS, "ab", (batch.a, batch.b), made, strict=True):
        show = {"view": view, "detail_source": options.get("detail_source", "b")}
        judged, cheated = seen[name]
        assert not judged.requires_grad
        assert cheated.requires_grad
        torch.testing.assert_close(judged, torch.cat([shown(real, source, **show), shown(fake, source, **show)]))
        torch.testing.assert_close(cheated, shown(fake, source, **show))


def test_adversarial_share_is_that_of_the_gradients_at_the_output(smoke: MakeRecipe, batch: Batch) -> None:
    largest = "stages.1.options.largest=1e9"
    for settings, share in (((largest,), 0.1), ((largest, "stages.1.options.share=0.3"), 0.3)):
        state = begin(smoke(*settings))
        found = take(state, state.stages[1].turns[1], batch)
        assert found["note.adversarial_share"] == pytest.approx(share, rel=1e-3)
        total = found["intensity"] + found["gradient"] + found["adversarial"]
        assert found["total"] == pytest.approx(total, rel=1e-5)
    fixed = take(*(lambda s: (s, s.stages[1].turns[1]))(begin(smoke("stages.1.options.balance=fixed"))), batch)
    assert fixed["note.adversarial_weight"] == pytest.approx(0.02)


@pytest.mark.slow
def test_command_trains_both_phases_and_a_killed_run_ends_with_the_same_bits(
    write_smoke: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    command = ["train", str(write_smoke()), "--set", "rhythm.checkpoint_minutes=0", "-o"]
    command[2:2] = ["--set", "rhythm.monitor_every=1"]  # a reading over two steps would lose one of them
    assert cli.run([*command, str(tmp_path / "whole")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "whole/weights.safetensors")

    class Killed(BaseException):
        """Stands in for a power cut."""

    def take_turn_until(*arguments: Any) -> dict[str, float]:
        if next(turns, None) is None:
            raise Killed
        return original(*arguments)

    original = take_turn
    for taken in (4, 5):  # in the first phase after 2 steps, then between the two turns of step 5
        turns = iter(range(taken))
        with monkeypatch.context() as patch:
            patch.setattr(loop, "take_turn", take_turn_until)
            with pytest.raises(Killed):
                cli.run([*command, str(tmp_path / "new"), *(["--resume"] if taken == 5 else [])])
    assert cli.run([*command, str(tmp_path / "new"), "--resume"]) == 0
    states = [load_checkpoint(tmp_path / name, print) for name in ("whole", "new")]
    for part, tensors in states[0]["parts"].items():
        assert all(torch.equal(value, states[1]["parts"][part][name]) for name, value in tensors.items())
    assert not changed(
        {FUSER: load_weights(tmp_path / "whole/weights.safetensors")[0]},
        {FUSER: load_weights(tmp_path / "new/weights.safetensors")[0]},
    )
    for name in ("monitors-reconstruction.csv", "monitors-fusion.csv", "val-fusion.csv"):
        assert (tmp_path / "whole" / name).read_text() == (tmp_path / "new" / name).read_text()


def test_run_leaves_weights_that_fuse_and_validation_without_the_game(smoke: MakeRecipe, tmp_path: Path) -> None:
    path = train(smoke(), tmp_path / "run")[0]
    weights, info, _ = load_weights(path)
    network = DAEFuse(DAEFuseConfig.from_json(info.config))
    network.load_state_dict(weights)
    assert network.config == DAEFuseConfig.of_size(**SMALL)  # type: ignore[arg-type]
    assert network.eval()(*torch.rand(2, 1, 1, 20, 30)).isfinite().all()
    assert set(read_log(tmp_path / "run/val-fusion.csv")) == {"step", "intensity", "gradient", "total"}
    assert set(read_log(tmp_path / "run/val-reconstruction.csv")) == {
        *("step", "squares_a", "structure_a", "squares_b", "structure_b", "total")
    }
    monitors = (tmp_path / "run/monitors-fusion.csv").read_text().splitlines()
    assert {"bias status", "entropy status", "strong_a status", "dead_b status", "gradient status"} <= set(
        monitors[0].split(",")
    )
    assert [line.split(",")[0] for line in monitors[1:]] == ["5", "6"]


@pytest.mark.parametrize(("view", "carried"), [("image", True), ("detail", False)])
def test_discriminators_go_on_in_phase_2_only_if_they_see_the_same_view(
    smoke: MakeRecipe, tmp_path: Path, view: str, carried: bool
) -> None:
    recipe = smoke(f"stages.0.options.view={view}", "stages.1.options.discriminator.rate=0.0")
    begun = copies(begin(recipe))
    train(recipe, tmp_path / "run")
    ended = load_checkpoint(tmp_path / "run", print)["parts"]
    assert (changed(begun, ended) - {FUSER} == set(DISCRIMINATORS)) == carried


def turn_names(stages: list[Stage]) -> list[list[str]]:
    """Names of the turns of all stages."""
    return [[turn.name for turn in stage.turns] for stage in stages]


@pytest.mark.parametrize(
    ("phases", "turns"),
    [
        ((0,), [["generator"], ["discriminator", "generator"]]),
        ((1,), [["discriminator", "generator"], ["generator"]]),
        ((0, 1), [["generator"], ["generator"]]),
    ],
)
def test_phase_without_discriminators_has_one_turn_and_neither_trains_nor_asks_them(
    smoke: MakeRecipe, batch: Batch, tmp_path: Path, phases: tuple[int, ...], turns: list[list[str]]
) -> None:
    recipe = smoke(*(f"stages.{phase}.options.adversarial=false" for phase in phases))
    state = begin(recipe)
    assert turn_names(state.stages) == turns
    assert set(state.parts) == ({FUSER} if len(phases) == 2 else {FUSER, *DISCRIMINATORS})
    plain = state.stages[phases[0]].turns[0]
    assert "adversarial" not in plain.step({FUSER: state.parts[FUSER]}, batch)
    train(recipe, tmp_path / "run")
    monitors = read_log(tmp_path / f"run/monitors-{state.stages[phases[0]].name}.csv")
    assert ("norm.fuser" in monitors, any("accuracy" in name for name in monitors)) == (True, False)


@pytest.mark.parametrize("setting", ["model.cross_attention=false", "model.branches=cnn", "model.branches=vit"])
def test_ablated_network_trains_by_one_setting(smoke: MakeRecipe, tmp_path: Path, setting: str) -> None:
    train(smoke(setting, "stages.0.steps=1", "stages.1.steps=1"), tmp_path / "run")
    monitors = read_log(tmp_path / "run/monitors-fusion.csv")
    assert ("entropy_a" in monitors) == (setting != "model.cross_attention=false")


def test_second_phase_alone_trains_from_random_weights(smoke: MakeRecipe, tmp_path: Path) -> None:
    train(smoke('stages=[{kind = "fusion", steps = 2}]'), tmp_path / "run")
    assert read_log(tmp_path / "run/log-fusion.csv")["step"] == [1, 2]


def test_frozen_modules_and_discriminators_stay_as_they_are(smoke: MakeRecipe, batch: Batch) -> None:
    state = begin(smoke('stages.1.options.freeze=["shallow", "decoder", "disc_b"]'))
    judge, make = state.stages[1].turns
    assert judge.parts == ("disc_a",)
    before = copies(state)
    take(state, judge, batch)
    take(state, make, batch)
    after = copies(state)
    assert changed(before, after) == {"disc_a", FUSER}
    moved = {name.split(".")[0] for name in before[FUSER] if not torch.equal(before[FUSER][name], after[FUSER][name])}
    assert moved == {"high", "low", "fusion"}


def test_equalised_game_weighs_the_discriminator_more_that_is_fooled_less(smoke: MakeRecipe, batch: Batch) -> None:
    found = []
    for equalise in ("false", "true"):
        state = begin(smoke(f"stages.1.options.equalise={equalise}", "stages.1.options.balance=fixed"))
        with torch.no_grad():
            state.parts["disc_a"].judge.bias.fill_(-3)  # type: ignore[union-attr, operator]
        found.append(take(state, state.stages[1].turns[1], batch)["adversarial"])
    assert found[1] > 1.2 * found[0]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stages.0.options.vieww=image", r"stages\.0\.options has no 'vieww': did you mean view"),
        ("stages.0.options.view=structure", r"stages\.0\.options\.view is 'structure': give 'image' or 'detail'"),
        ("stages.0.options.freeze=low", r"stages\.0\.options has no 'freeze'"),
        ("stages.1.options.discriminator.ratte=1.0", r"options\.discriminator has no 'ratte': did you mean rate"),
        ("stages.1.options.freeze=decodr", r"stages\.1\.options\.freeze has no 'decodr': did you mean decoder"),
        ('stages.1.options.freeze=["shallow","high","low","fusion","decoder"]', "leaves nothing to train"),
        ("stages.0.losses.mse=1.0", r"stages\.0\.losses has no 'mse'"),
        ("stages.1.losses.intensty=1.0", r"stages\.1\.losses has no 'intensty': did you mean intensity"),
        ("stages.0.kind=distil", r"stages\.0\.kind is 'distil': DAE-Fuse has reconstruction and fusion"),
        ("model.dept=3", "model has no 'dept': did you mean depth"),
        ("model.size=huge", "no size 'huge'"),
        ("parts.disk.spectral_norm=conv", "parts has no 'disk': did you mean disc"),
        ("parts.disc.spectral_norm=some", r"parts\.disc\.spectral_norm is 'some'"),
        ("teacher=x.safetensors", "learns from none"),
    ],
)
def test_what_dae_fuse_does_not_know_is_refused(smoke: MakeRecipe, setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_recipe(smoke(setting))


def test_spectral_norm_and_widths_of_the_size_reach_the_discriminators(smoke: MakeRecipe) -> None:
    parts = begin(smoke("parts.disc.spectral_norm=conv")).parts
    assert "layers.0.parametrizations.weight.original" in dict(parts["disc_a"].named_parameters())
    assert sum(value.numel() for value in begin(load_recipe("daefuse-cpu")).parts["disc_a"].parameters()) == 41_361
    assert sum(value.numel() for value in begin(load_recipe("daefuse-gpu")).parts["disc_b"].parameters()) == 426_977


def test_paper_recipe_has_the_settings_of_the_paper_and_its_literal_view() -> None:
    first, second = load_recipe("daefuse-paper").stages
    assert (first.steps, second.steps) == (80 * 136, 140 * 136)
    assert {stage.options["view"] for stage in (first, second)} == {"image"}
    assert json.dumps(first.crop, sort_keys=True) == '{"blank": 0.1, "exposure": 0.5, "patch": 0.3}'
    assert second.crop == {"exposure": 0.2}
