"""A family from outside the package, a folder and a row, can do all that those in the package can."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse import ablation, cli, fuse, load
from polyfuse.data.layouts import PairSet
from polyfuse.data.pack import write_pack
from polyfuse.errors import UsageError
from polyfuse.explain import explain, measure_claims, save
from polyfuse.io import Pair, find_pairs, write_picture
from polyfuse.registry import FAMILIES, Family, list_models, register
from polyfuse.train import load_recipe, train
from polyfuse.train.recipe import Recipe

FOLDER = Path(__file__).parent / "foreign" / "blend"
NUM_FILES = 4
SIDE = 48


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    """The family as its user registers it, for one test."""
    monkeypatch.syspath_prepend(str(FOLDER.parent))
    family = Family("blend", "blend", "Blend", "a weighted mean", "ours", has=("training", "study", "explained"))
    register(family)
    yield family
    del FAMILIES["blend"]


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of three pairs, large enough for SSIM."""
    planes = np.random.default_rng(4).integers(0, 256, (2, 3, SIDE, SIDE), np.uint8)
    for name, three in zip(("ir", "vi"), planes, strict=True):
        for index, plane in enumerate(three):
            write_picture(tmp_path / name / f"{index}.png", plane)
    return tmp_path / "ir", tmp_path / "vi"


@pytest.fixture
def recipe(tmp_path: Path, pictures: tuple[Path, Path]) -> Recipe:
    """Two steps on crops of the pictures."""
    pairs = tuple(Pair(str(k), pictures[0] / f"{k}.png", pictures[1] / f"{k}.png") for k in range(3))
    write_pack(tmp_path / "x.pack", [PairSet("noise", "train", pairs)], luma_b="full")
    (tmp_path / "recipe.toml").write_text(
        'name = "blend.noise"\nfamily = "blend"\n[data]\ntrain = ["x.pack"]\nluma = "full"\nbatch = 2\n'
        'crop = { size = 16 }\n[[stages]]\nkind = "fusion"\nsteps = 2\n'
    )
    return load_recipe(tmp_path / "recipe.toml")


def a_pair() -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (2, SIDE, SIDE), np.uint8)


def test_it_takes_as_many_files_as_the_docs_say(repository: Path) -> None:
    assert len([path for path in FOLDER.iterdir() if path.suffix == ".py"]) == NUM_FILES
    text = (repository / "docs/developing/adding.md").read_text(encoding="utf-8")
    assert "**four files and one row**" in text


def test_a_second_row_of_one_name_is_refused(row: Family) -> None:
    with pytest.raises(UsageError, match="there is a family 'blend' already"):
        register(row)


@pytest.mark.usefixtures("row")
def test_it_is_listed_trained_fused_with_and_explained(recipe: Recipe, tmp_path: Path) -> None:
    assert "blend" in [entry.name for entry in list_models()]
    (weights,) = train(recipe, tmp_path / "run")
    result = fuse(*a_pair(), model="blend", weights=weights)
    low, high = a_pair().min(axis=0).astype(int) - 1, a_pair().max(axis=0).astype(int) + 1
    assert ((low <= result.image) & (result.image <= high)).all()  # a mean of both, up to rounding
    assert result.record["settings"]["family"] == "blend"
    explanation = explain(*a_pair(), model=load("blend", weights=weights))
    assert [path.name for path in save(explanation, tmp_path / "explained")] == ["overview.png", "numbers.json"]
    numbers = json.loads((tmp_path / "explained/numbers.json").read_text(encoding="utf-8"))
    assert 0 < numbers["mean_share_of_a"] < 1


@pytest.mark.usefixtures("row")
def test_its_claims_are_measured_and_without_them_there_is_a_clear_line(
    recipe: Recipe, tmp_path: Path, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (weights,) = train(recipe, tmp_path / "run")
    model, pairs = load("blend", weights=weights), find_pairs(*pictures)
    ((claim, value),) = measure_claims(pairs, model).claims
    assert (claim.text, value.verdict, value.n) == ("a counts", "holds", 3)
    monkeypatch.delattr("blend.explained.CLAIMS")
    with pytest.raises(UsageError, match=r"model blend\.noise comes with no claims"):
        measure_claims(pairs, model)


@pytest.mark.usefixtures("row")
def test_losses_for_all_families_attach_to_it(recipe: Recipe, tmp_path: Path) -> None:
    losses = ["stages.0.losses.brightness=2.0", "rhythm.log_every=1"]
    train(load_recipe(tmp_path / "recipe.toml", losses), tmp_path / "run")
    assert (tmp_path / "run/log-fusion.csv").read_text().startswith("step,intensity,brightness,total")


@pytest.mark.usefixtures("row")
def test_it_is_ablated(recipe: Recipe, tmp_path: Path, pictures: tuple[Path, Path]) -> None:
    study, chosen = ablation.find_study("blend"), ablation.find_pictures(*pictures)
    runs = ablation.make_plan(study, recipe, study.choose(None), 1, tmp_path / "study")
    for run in runs:
        ablation.carry_out(study, run, chosen, workers=1)
    comparison = ablation.compare(study, recipe, runs, chosen, None)
    assert [line.variant.name for line in comparison.lines] == ["full", "pointwise"]
    assert all(entry.ours.n == 1 for line in comparison.lines for entry in line.entries.values())


@pytest.mark.usefixtures("row")
def test_the_command_line_takes_it(recipe: Recipe, tmp_path: Path, pictures: tuple[Path, Path]) -> None:
    run = str(tmp_path / "run")
    assert cli.run(["train", str(tmp_path / "recipe.toml"), "-o", run, "--quiet"]) == 0
    arguments = ["fuse", *map(str, pictures), "--model", "blend", "--weights", f"{run}/weights.safetensors"]
    assert cli.run([*arguments, "-o", str(tmp_path / "fused"), "--quiet"]) == 0
    assert len(list((tmp_path / "fused").glob("*.png"))) == 3
