"""Recipes are read strictly: what is not known is refused with the nearest name."""

from pathlib import Path
from typing import Any

import pytest

from polyfuse.errors import InputError, UsageError
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import bundled_recipes, check_recipe, load_recipe

MINIMAL = 'name = "x"\nfamily = "fnet"\n[[stages]]\nkind = "fusion"\nsteps = 5\n'


def read(folder: Path, text: str, *settings: str) -> object:
    """The recipe of a text."""
    (folder / "r.toml").write_text(text, encoding="utf-8")
    return load_recipe(folder / "r.toml", settings)


@pytest.mark.parametrize("name", bundled_recipes())
def test_bundled_recipe_fits_its_family(name: str) -> None:
    recipe = load_recipe(name)
    assert len(training_of(recipe.family).stages(recipe, load_frozen)) == len(recipe.stages)


def test_paper_recipe_has_the_published_settings() -> None:
    recipe = load_recipe("fnet-paper")
    assert [(stage.kind, stage.steps) for stage in recipe.stages] == [("reconstruction", 20000), ("fusion", 20000)]
    assert recipe.stages[1].losses == {"intensity": 20, "gradient": 20, "ssim": 15}
    assert {(s.optimiser.rate, s.optimiser.betas, s.optimiser.schedule, s.optimiser.clip) for s in recipe.stages} == {
        (1e-4, (0.9, 0.999), "constant", None)
    }
    assert (recipe.data.luma, recipe.data.batch, recipe.data.crop.size, recipe.ema) == ("studio", 16, 128, 0.999)


def test_helper_network_is_like_the_fuser_but_for_its_own_options(tmp_path: Path) -> None:
    settings = ["model.coder.channels=3", "parts.inverse.coder.threshold=soft", "parts.inverse.shared_readout=true"]
    recipe = load_recipe("fnet-paper", settings)
    parts: dict[str, Any] = training_of("fnet").build(recipe)
    assert (parts["fuser"].config.coder.channels, parts["fuser"].config.coder.threshold) == (3, "sigmoidal")
    assert (parts["inverse"].config.coder.channels, parts["inverse"].config.coder.threshold) == (3, "soft")
    assert parts["inverse"].config.shared_readout


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("parts.invers.coder.threshold=soft", "parts has no 'invers': did you mean inverse"),
        ("parts.inverse.coda.threshold=soft", r"parts\.inverse has no 'coda': did you mean coder"),
        ("parts.inverse.coder.treshold=soft", r"parts\.inverse\.coder has no 'treshold': did you mean threshold"),
        ("parts.inverse=soft", "parts.inverse is 'soft'"),
    ],
)
def test_unknown_option_of_the_helper_network_is_refused(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_recipe(load_recipe("fnet-paper", [setting]))


def test_recipe_survives_its_own_json(tmp_path: Path) -> None:
    import json

    recipe = load_recipe("fnet-cpu")
    (tmp_path / "recipe.json").write_text(json.dumps(recipe.to_json()), encoding="utf-8")
    assert load_recipe(tmp_path / "recipe.json") == recipe


def test_setting_changes_a_key_below_a_list(tmp_path: Path) -> None:
    recipe = read(tmp_path, MINIMAL, "stages.0.optimiser.rate=2e-4", "seed=7", "data.train=a b.pack")
    assert recipe.stages[0].optimiser.rate == 2e-4  # type: ignore[attr-defined]
    assert recipe.seed == 7  # type: ignore[attr-defined]
    assert recipe.data.train == (str(Path("a b.pack").resolve()),)  # type: ignore[attr-defined]


def test_path_in_a_recipe_counts_from_its_folder(tmp_path: Path) -> None:
    recipe = read(tmp_path, MINIMAL + '[data]\ntrain = "x.pack"\n')
    assert recipe.data.train == (str(tmp_path / "x.pack"),)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "setting", "message"),
    [
        ("sede = 1\n" + MINIMAL, None, "recipe has no 'sede': did you mean seed"),
        (MINIMAL + "stepz = 3\n", None, "stages.0 has no 'stepz': did you mean steps"),
        (MINIMAL, "data.crop.sizes=3", "data.crop has no 'sizes': did you mean size"),
        (MINIMAL, "stages.1.steps=3", "has no '1'"),
        (MINIMAL, "seed", "no key=value"),
        (MINIMAL, "seed=many", "recipe.seed is 'many': give int"),
        (MINIMAL, "stages.0.optimiser.schedule=cosin", "give 'constant' or 'cosine'"),
        (MINIMAL, "stages.0.steps=0", "without steps"),
        ('name = "x"\n', None, "lacks 'family'"),
        (MINIMAL, "stages.0.steps=" + "9" * 5000, "steps holds 5000 characters, too many for a text or a number"),
        (MINIMAL, "seed=-1", "seed is -1: give 0 or more"),
        (MINIMAL, "seed=0x" + "f" * 5000, "recipe.seed has 20000 bits"),
        (MINIMAL, "ema=nan", "recipe.ema is nan: give a finite number"),
        (MINIMAL, "model.coder.steepness=inf", "recipe.model.coder.steepness is inf"),
        (MINIMAL, "model.x=" + "[" * 40 + "]" * 40, "tables within tables without end"),
        (MINIMAL, "stages.0.optimiser.rate=inf", "optimiser.rate is inf: give a finite"),
        (MINIMAL, "stages.0.optimiser.rate=-1e-4", "rate is -0.0001: give 0 to 1000"),
        (MINIMAL, "stages.0.optimiser.rate=1e30", r"rate is 1e\+30: give 0 to 1000"),
        (MINIMAL, "stages.0.optimiser.clip=-1.0", "clip is -1.0: give"),
        (MINIMAL, "stages.0.optimiser.betas=[1.0, 0.9]", r"give two decays in \[0, 1\)"),
        (MINIMAL, "stages.0.optimiser.eps=0.0", "eps is 0.0: give"),
        (MINIMAL, "stages.0.losses.ssim=1e30", r"weight of ssim is 1e\+30: give"),
        (MINIMAL, "stages.0.steps=10000000000", "with more than 1,000,000,000"),
        (MINIMAL, "data.batch=0", "a batch of 0 crops of .* empty"),
        (MINIMAL, "data.batch=100000000", "too large"),
        (MINIMAL, "data.crop.size=100000", "nor any of them beyond"),
        (MINIMAL, "rhythm.checkpoint_minutes=-1.0", "checkpoint_minutes is -1.0"),
        (MINIMAL, 'start="a\\u0000"', "holds a null character"),
        (MINIMAL, 'model={"two\\nlines"=1}', r"recipe.model has the key 'two\\nlines', which is none"),
        (MINIMAL, f"stages.0.losses={{{'x' * 99}=1.0}}", r"losses has the key 'xxx.*\.\.\., which is none"),
    ],
)
def test_wrong_recipe_is_refused_with_advice(tmp_path: Path, text: str, setting: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text, *([setting] if setting else []))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["family=fnett"], "family 'fnett': did you mean fnet"),
        (["stages.0.kind=fuse"], "stages.0.kind is 'fuse': FNet has reconstruction and fusion"),
        (["stages.0.losses.gradiant=1.0"], "no 'gradiant': did you mean gradient"),
    ],
)
def test_what_the_family_does_not_know_is_refused(tmp_path: Path, settings: list[str], message: str) -> None:
    recipe = read(tmp_path, MINIMAL, *settings)
    with pytest.raises(UsageError, match=message):
        training_of(recipe.family).stages(recipe, load_frozen)  # type: ignore[attr-defined, arg-type]


def test_unknown_recipe_names_the_bundled_ones() -> None:
    with pytest.raises(InputError, match=", ".join(bundled_recipes())):
        load_recipe("fnet-mars")


@pytest.mark.parametrize(
    "text", ["name = = 3", "seed = " + "9" * 5000, "x = " + "[" * 10_000 + "]" * 10_000], ids=lambda text: text[:12]
)
def test_broken_toml_is_an_input_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="is no TOML"):
        read(tmp_path, text)


@pytest.mark.parametrize("text", ["{", "[" * 10_000, '{"seed": ' + "9" * 5000 + "}"], ids=lambda text: text[:12])
def test_broken_json_is_an_input_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="is no JSON"):
        load_recipe(tmp_path / "recipe.json")
