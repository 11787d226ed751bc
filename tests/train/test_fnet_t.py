"""FNet-T learns by the fusion losses and from a teacher, who stays as he is and is named in the weights."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from polyfuse import registry
from polyfuse.errors import InputError, UsageError
from polyfuse.families.fnet.network import FNet, FNetConfig
from polyfuse.families.fnet_t import FNetT, FNetTConfig
from polyfuse.families.fnet_t.distil import RIM
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import Recipe, load_recipe, train
from polyfuse.train.checkpoint import load_checkpoint
from polyfuse.train.journal import read_log
from polyfuse.train.stage import FUSER, Batch
from polyfuse.weights.store import WeightsInfo, load_weights, save_weights

STUDENT = {"channels": 8, "depth": 2}
SHARP = {"rate": 3e-3}


def save_teacher(path: Path, seed: int) -> Path:
    """A small FNet with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        teacher = FNet(FNetConfig.from_json({"coder": {"channels": 4, "kernel_size": 3}, "border": "zeros"}))
    info = WeightsInfo("fnet.small", "fnet", teacher.config.to_json())
    save_weights(path, teacher.state_dict(), info)
    return path


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    return save_teacher(tmp_path / "teacher.safetensors", 1)


@pytest.fixture
def make_recipe(write_recipe: Callable[..., Path], large_pack: Path) -> Callable[..., Recipe]:
    """A recipe of FNet-T with stages of the kinds given, a few steps each; `settings` as on the command line."""

    def make(*kinds: str, steps: int = 3, settings: tuple[str, ...] = (), **changes: Any) -> Recipe:
        packs = {"train": str(large_pack), "val": str(large_pack)}
        changes = {
            "name": "fnet-t.test",
            "family": "fnet-t",
            "model": STUDENT,
            "data": {**packs, "luma": "full", "batch": 2, "crop": {"size": 40, "dihedral": False}},
            "stages": [{"kind": kind, "steps": steps, "optimiser": SHARP} for kind in kinds],
            "rhythm": {"log_every": 1, "validate_every": 100, "validation_crop": 40, "draw_every": 100},
            **changes,
        }
        return load_recipe(write_recipe(**changes), settings)

    return make


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_fusion_losses_fall_and_the_weights_fuse(make_recipe, tmp_path: Path, precision: str) -> None:
    paths = train(make_recipe("fusion", steps=12, precision=precision), tmp_path / "run")
    total = read_log(tmp_path / "run/log-fusion.csv")["total"]
    assert sum(total[-3:]) < 0.98 * sum(total[:3])
    model = registry.load("fnet-t", weights=paths[0])
    assert model.config == FNetTConfig(channels=8, depth=2)
    assert model.provenance.name == "fnet-t.test"


def test_student_comes_nearer_to_its_teacher(make_recipe, teacher: Path, tmp_path: Path) -> None:
    train(make_recipe("distil", steps=12, teacher=str(teacher)), tmp_path / "run")
    log = read_log(tmp_path / "run/log-distil.csv")
    assert {"picture", "detail", "total"} <= set(log)
    assert "intensity" not in log
    assert sum(log["total"][-3:]) < 0.98 * sum(log["total"][:3])


def test_distil_loss_is_zero_for_the_teachers_own_clamped_picture(make_recipe, teacher: Path) -> None:
    recipe = make_recipe("distil", teacher=str(teacher))
    [stage] = training_of("fnet-t").stages(recipe, load_frozen)
    network = registry.load("fnet", weights=teacher)
    a, b = torch.rand(2, 1, 1, 48, 48, generator=torch.Generator().manual_seed(4))
    losses = stage.validate({FUSER: Clamped(network)}, Batch(a, b))
    assert {name: loss.item() for name, loss in losses.items()} == {"picture": 0, "detail": 0}


class Clamped(torch.nn.Module):
    """What a network says, in [0, 1], with a rim of nonsense."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        fused = self.network(a, b).clamp(0, 1)
        spoilt = torch.full_like(fused, 7.0)
        spoilt[..., RIM:-RIM, RIM:-RIM] = fused[..., RIM:-RIM, RIM:-RIM]
        return spoilt


def test_fusion_losses_can_be_added_to_imitation(make_recipe, teacher: Path, tmp_path: Path) -> None:
    stages = [{"kind": "distil", "steps": 2, "losses": {"ssim": 15.0, "picture": 1.0}}]
    train(make_recipe(stages=stages, teacher=str(teacher)), tmp_path / "run")
    log = read_log(tmp_path / "run/log-distil.csv")
    assert log["ssim"][0] > 0
    assert log["intensity"] == log["gradient"] == [0, 0]


def test_teacher_is_untouched_and_in_no_checkpoint_but_named_in_the_weights(
    make_recipe, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyfuse.families.fnet_t import distil as distil_stage

    teachers, load = [], distil_stage._teacher

    def load_and_note(*arguments: Any) -> Any:
        teachers.append(load(*arguments))
        return teachers[-1]

    monkeypatch.setattr(distil_stage, "_teacher", load_and_note)
    paths = train(make_recipe("fusion", "distil", teacher=str(teacher)), tmp_path / "run")
    [(network, _)], (tensors, _, digest) = teachers, load_weights(teacher)
    assert all(torch.equal(value, tensors[name]) for name, value in network.state_dict().items())
    assert not any(value.requires_grad or value.grad is not None for value in network.parameters())
    state = load_checkpoint(tmp_path / "run", print)
    assert list(state["parts"]) == [FUSER]
    assert f"taught by fnet.small (SHA-256 {digest})" in load_weights(paths[0])[1].source


def test_weights_of_a_run_without_a_teacher_name_none(make_recipe, tmp_path: Path) -> None:
    paths = train(make_recipe("fusion"), tmp_path / "run")
    assert "taught" not in load_weights(paths[0])[1].source


def test_resumed_run_may_find_its_teacher_elsewhere_but_not_another_one(
    make_recipe, teacher: Path, tmp_path: Path
) -> None:
    train(make_recipe("distil", teacher=str(teacher)), tmp_path / "run")
    moved, other = shutil.copy(teacher, tmp_path / "moved"), save_teacher(tmp_path / "other", 2)
    train(load_recipe(tmp_path / "run/recipe.json", [f"teacher={moved}"]), tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match="made with another teacher"):
        train(load_recipe(tmp_path / "run/recipe.json", [f"teacher={other}"]), tmp_path / "run", resume=True)


def test_teachers_path_counts_from_the_recipes_folder(make_recipe, teacher: Path) -> None:
    assert make_recipe("distil", teacher=teacher.name).teacher == str(teacher)


@pytest.mark.parametrize(
    ("kinds", "changes", "message"),
    [
        (["distil"], {}, "stage distil has no teacher: pass --set teacher=FILE"),
        (["fusion"], {"teacher": "teacher.safetensors"}, "teacher is given, but there is no stage distil"),
        (["fusion"], {"family": "fnet", "model": {}, "teacher": "teacher.safetensors"}, "FNet learns from none"),
        (["reconstruction"], {}, "'reconstruction': FNet-T has fusion and distil"),
        (["distil"], {"settings": ("stages.0.losses.pictur=1.0",), "teacher": "teacher.safetensors"}, "mean picture"),
        (["fusion"], {"settings": ("stages.0.losses.picture=1.0",)}, "losses of stage fusion has no 'picture'"),
        (
            ["distil"],
            {"settings": ("data.crop.size=32",), "teacher": "teacher.safetensors"},
            "32 pixels have no middle",
        ),
    ],
)
@pytest.mark.usefixtures("teacher")
def test_recipe_that_makes_no_sense_is_refused(
    make_recipe, kinds: list[str], changes: dict[str, Any], message: str
) -> None:
    recipe = make_recipe(*kinds, **changes)
    with pytest.raises(UsageError, match=message):
        training_of(recipe.family).stages(recipe, load_frozen)


@pytest.mark.parametrize(("setting", "near"), [("teachr=x", "teacher"), ("model.chanels=8", "channels")])
def test_unknown_key_is_refused_with_the_nearest(make_recipe, setting: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {near}"):
        training_of("fnet-t").build(make_recipe("fusion", settings=(setting,)))


def test_options_of_a_network_that_is_not_there_are_refused(make_recipe) -> None:
    with pytest.raises(UsageError, match=r"no parts\.inverse: drop it"):
        training_of("fnet-t").build(make_recipe("fusion", settings=("parts.inverse.coder.channels=8",)))


def test_only_fnet_teaches(make_recipe, tmp_path: Path) -> None:
    path, student = tmp_path / "student.safetensors", FNetT()
    save_weights(path, student.state_dict(), WeightsInfo("fnet-t.x", "fnet-t", student.config.to_json()))
    with pytest.raises(InputError, match="holds weights of fnet-t: only fnet can teach"):
        training_of("fnet-t").stages(make_recipe("distil", teacher=str(path)), load_frozen)


def test_teacher_that_does_not_fit_its_configuration_is_an_input_error(make_recipe, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    save_weights(path, {"x": torch.zeros(1)}, WeightsInfo("fnet.x", "fnet", FNetConfig().to_json()))
    with pytest.raises(InputError, match="does not fit its own configuration"):
        training_of("fnet-t").stages(make_recipe("distil", teacher=str(path)), load_frozen)


def test_untrained_student_is_near_the_larger_picture() -> None:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        a, b = torch.rand(2, 1, 1, 32, 32)
        difference = (FNetT()(a, b) - torch.maximum(a, b)).abs().mean().item()
    assert 0 < difference < 0.2
