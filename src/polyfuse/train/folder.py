"""How far the run in a folder is, and whether it is a run of the given recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from polyfuse.data.pack import Pack
from polyfuse.errors import InputError, OutputError
from polyfuse.io.atomic import check_all_apart
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, read_bytes_of
from polyfuse.train.checkpoint import NEWEST, PREVIOUS
from polyfuse.train.curves import CURVES
from polyfuse.train.loop import BEST, ENVIRONMENT, LAST, RECIPE, SO_FAR
from polyfuse.train.recipe import Recipe, first_difference, load_recipe

Progress = Literal["new", "begun", "finished"]


def run_progress(recipe: Recipe, out: Path) -> Progress:
    """How far the run of `recipe` in the folder `out` is.

    Returns:
        "new" if nothing is there to go on from, "begun" if `train` would resume it, "finished" if its last weights are
        there.

    Raises:
        OutputError: If the folder holds a run of another recipe, its number of steps included, or on other data.
        InputError: If what is there, or a pack, cannot be read.
    """
    if not (out / ENVIRONMENT).exists():  # the last file that is written before the first step
        return "new"
    difference = first_difference(load_recipe(out / RECIPE), recipe, compare_steps=True)
    if difference is None and _data(out) != [Pack(Path(path)).sha256 for path in recipe.data.train]:
        difference = "the packs hold other pictures"
    if difference is not None:
        raise OutputError(f"{out} holds a run of another recipe, {difference}: choose another --out.")
    if (out / LAST).exists():
        return "finished"
    return "begun" if (out / NEWEST).exists() or (out / PREVIOUS).exists() else "new"


def check_inputs_stay(recipe: Recipe, out: Path) -> None:
    """Refuse a run folder in which a file of the run would replace what it begins from, learns from or trains on.

    Raises:
        OutputError: Naming the file.
    """
    inputs = [*recipe.data.train, *recipe.data.val, *(path for path in (recipe.start, recipe.teacher) if path)]
    check_all_apart(run_files(out), inputs, "an input of the run and would be replaced")


def run_files(out: Path) -> list[Path]:
    """Files of a run folder that are always called the same."""
    return [out / name for name in (RECIPE, ENVIRONMENT, NEWEST, PREVIOUS, SO_FAR, BEST, LAST, CURVES)]


def _data(out: Path) -> list[str]:
    """Hashes of the packs that the run was begun with."""
    try:
        environment = parse_json(read_bytes_of(out / ENVIRONMENT, MAX_RECORD, what="record"))
        return [pack["sha256"] for pack in environment["data"]]
    except (InputError, RecursionError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{out / ENVIRONMENT} is damaged: delete {out} to do that run anew.") from error
