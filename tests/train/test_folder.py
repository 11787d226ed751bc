"""How far a run folder is, after every way a run can end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyfuse.errors import InputError, OutputError
from polyfuse.train import Recipe, load_recipe, loop, run_progress, train, turns

WriteRecipe = Callable[..., Path]


class Stop(Exception):
    """Stands in for a power cut."""


@pytest.fixture
def recipe(write_recipe: WriteRecipe) -> Recipe:
    """Two stages of two steps."""
    return load_recipe(write_recipe(steps=2))


def cut_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Let the next run end without warning once so many steps are taken."""
    taken = iter(range(steps))
    original = turns.take_turn

    def take_turn(*arguments: Any, **named: Any) -> dict[str, float]:
        if next(taken, None) is None:
            raise Stop
        return original(*arguments, **named)

    monkeypatch.setattr(loop, "take_turn", take_turn)


@pytest.mark.parametrize(("steps", "progress"), [(1, "new"), (3, "begun")])
def test_run_that_was_cut_is_begun_once_it_has_a_checkpoint(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, progress: str
) -> None:
    assert run_progress(recipe, tmp_path / "run") == "new"
    with monkeypatch.context() as patch:
        cut_after(patch, steps)
        with pytest.raises(Stop):
            train(recipe, tmp_path / "run")
    assert run_progress(recipe, tmp_path / "run") == progress  # the first checkpoint is that between the stages
    train(recipe, tmp_path / "run", resume=progress == "begun")
    assert run_progress(recipe, tmp_path / "run") == "finished"


def test_finished_run_of_another_length_or_recipe_is_refused_but_rhythm_and_place_may_differ(
    recipe: Recipe, write_recipe: WriteRecipe, tmp_path: Path, pack: Path
) -> None:
    train(recipe, tmp_path / "run")
    (tmp_path / "copy.pack").write_bytes(pack.read_bytes())
    moved = load_recipe(write_recipe(steps=2), ["rhythm.log_every=1", f"data.train={tmp_path / 'copy.pack'}"])
    assert run_progress(moved, tmp_path / "run") == "finished"
    for setting in ("stages.1.steps=3", "seed=1", "ema=0.5"):
        with pytest.raises(OutputError, match=f"another recipe, {setting.partition('=')[0]} was"):
            run_progress(load_recipe(write_recipe(steps=2), [setting]), tmp_path / "run")
    (tmp_path / "run/environment.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"environment\.json is damaged: delete"):
        run_progress(recipe, tmp_path / "run")
