"""PyrFuse learns by the structure of the stronger source; recipes that make no sense are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from polyfuse import registry
from polyfuse.errors import UsageError
from polyfuse.losses.stronger import stronger_terms
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import Recipe, check_recipe, load_recipe, train
from polyfuse.train.journal import read_log
from polyfuse.train.stage import FUSER, Batch

SMALL = {"levels": 3, "channels": 4, "context": 2}


@pytest.fixture
def make_recipe(write_recipe: Callable[..., Path], large_pack: Path) -> Callable[..., Recipe]:
    """A recipe of a few steps; `settings` as on the command line."""

    def make(*settings: str, steps: int = 3, **changes: Any) -> Recipe:
        data = {"train": str(large_pack), "val": str(large_pack), "luma": "full", "batch": 2, "crop": {"size": 40}}
        stage = {"kind": "fusion", "steps": steps, "optimiser": {"rate": 1e-2}}
        rhythm = {"log_every": 1, "validate_every": 100, "validation_crop": 40, "draw_every": 100}
        given = {"name": "pyrfuse.test", "family": "pyrfuse", "model": SMALL, "data": data, "stages": [stage]}
        return load_recipe(write_recipe(**given | {"rhythm": rhythm} | changes), settings)

    return make


def test_losses_fall_and_the_weights_fuse(make_recipe, tmp_path: Path) -> None:
    paths = train(make_recipe(steps=25), tmp_path / "run")
    log = read_log(tmp_path / "run/log-fusion.csv")
    assert {"structure", "weaker", "base", "excess", "total"} <= set(log)
    assert sum(log["total"][-4:]) < 0.98 * sum(log["total"][:4])
    model = registry.load("pyrfuse", weights=paths[0])
    assert model.configuration() == SMALL | {"keep_black": False, "looks": 0}


def test_losses_are_the_weighted_terms_and_may_have_attached_ones(make_recipe) -> None:
    recipe = make_recipe("stages.0.losses.base=0.5", "stages.0.losses.brightness=2.0")
    (stage,) = training_of("pyrfuse").stages(recipe, load_frozen)
    parts = training_of("pyrfuse").build(recipe)
    a, b = torch.rand(2, 1, 1, 40, 40, generator=torch.Generator().manual_seed(4))
    losses = stage.validate(parts, Batch(a, b))
    terms = stronger_terms(parts[FUSER](a, b), a, b)
    assert list(losses) == ["structure", "weaker", "base", "excess", "calm", "brightness"]
    torch.testing.assert_close(losses["structure"], terms.structure)
    torch.testing.assert_close(losses["weaker"], 0.35 * terms.weaker)
    torch.testing.assert_close(losses["base"], 0.5 * terms.base)


@pytest.mark.parametrize("looks", [0, 2])
def test_every_weight_has_a_gradient(make_recipe, looks: int) -> None:
    recipe = make_recipe(model={"looks": looks})
    (stage,) = training_of("pyrfuse").stages(recipe, load_frozen)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = training_of("pyrfuse").build(recipe)
    a, b = torch.rand(2, 2, 1, 64, 64, generator=torch.Generator().manual_seed(4))
    sum(stage.turns[0].step(parts, Batch(a, b)).values()).backward()  # type: ignore[union-attr]
    for name, parameter in parts[FUSER].named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("stages.0.kind=reconstruction",), "'reconstruction': PyrFuse has fusion"),
        (("data.crop.size=31",), "crops of 31 pixels are too small for the losses of PyrFuse: use 32"),
        (("rhythm.validation_crop=31",), "crops of 31 pixels are too small"),
        (("stages.0.losses.structur=1.0",), "structure"),
        (("stages.0.losses.intensity=1.0",), "losses of stage fusion has no 'intensity'"),
        (("precision=bf16",), "PyrFuse computes in float32 alone: drop it"),
        (("parts.inverse.channels=8",), r"no parts\.inverse: drop it"),
        (("model.level=4",), "did you mean levels"),
        (("teacher=t.safetensors",), "PyrFuse learns from none: drop it"),
    ],
)
def test_recipe_that_makes_no_sense_is_refused(make_recipe, settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_recipe(make_recipe(*settings))


def test_bundled_recipe_is_read_and_has_haze() -> None:
    recipe = load_recipe("pyrfuse-cpu")
    check_recipe(recipe)
    assert (recipe.family, recipe.data.crop.haze, recipe.stages[0].steps) == ("pyrfuse", 0.2, 6000)
    assert recipe.model["looks"] == 3
