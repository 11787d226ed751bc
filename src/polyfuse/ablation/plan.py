"""Which runs a study takes, checked as a whole before the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polyfuse.errors import UsageError
from polyfuse.train import Progress, Recipe, check_recipe, run_progress
from polyfuse.train.variants import Study, Variant, variant_recipe


@dataclass(frozen=True)
class Run:
    """One training run: a row with a seed."""

    variant: Variant
    """The row."""
    recipe: Recipe
    """What is trained, seed included."""
    folder: Path
    """Its run folder: OUT/ROW/seedN."""
    progress: Progress
    """How far it was when the plan was made."""

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.variant.name}, seed {self.recipe.seed}"


def make_plan(study: Study, base: Recipe, variants: Sequence[Variant], num_seeds: int, out: Path) -> list[Run]:
    """All runs: every row with the first seed, then with the next, so that an early table has every row.

    Args:
        study: The study.
        base: Recipe of the unchanged model; its seed is the first.
        variants: Rows from `Study.choose`.
        num_seeds: Runs of each row.
        out: Folder of the study.

    Raises:
        UsageError: If the recipe is of another family, or a row does not fit it.
        OutputError: If a run folder holds a run of another recipe.
        InputError: If a run folder or a pack cannot be read.
    """
    if base.family != study.family:
        raise UsageError(f"the recipe trains {base.family}, the study is of {study.family}: give another --recipe.")
    for variant in variants:
        check_recipe(variant_recipe(base, variant, base.seed))
    runs = []
    for seed in range(base.seed, base.seed + num_seeds):
        for variant in variants:
            recipe, folder = variant_recipe(base, variant, seed), out / variant.name / f"seed{seed}"
            runs.append(Run(variant, recipe, folder, run_progress(recipe, folder)))
    return runs
