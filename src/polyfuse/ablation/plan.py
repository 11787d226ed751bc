"""The plan of a study: its training runs, how long each trains, and the pictures that all of them are scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

from polyfuse.data.pack import Pack
from polyfuse.errors import UsageError
from polyfuse.evaluation import pair_list_hash
from polyfuse.fusion.sidecar import sidecar_path
from polyfuse.io import Pair, find_pairs
from polyfuse.io.atomic import check_all_apart
from polyfuse.io.source import counted, file_sha256
from polyfuse.train import Progress, Recipe, check_recipe, run_progress
from polyfuse.train.folder import run_files
from polyfuse.train.recipe import StageConfig
from polyfuse.train.variants import Study, Variant, variant_recipe

FUSED, SCORES = "fused", "scores.json"
"""Folder of the fused pictures and file of their scores, in the folder of a run."""


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
        """Row and seed, for messages."""
        return f"{self.variant.name}, seed {self.recipe.seed}"


@dataclass(frozen=True)
class Pictures:
    """Pairs to fuse and to score."""

    pairs: tuple[Pair, ...]
    """The pairs, in natural order of their names."""
    sha256: str
    """SHA-256 of names and bytes, as tables of `polyfuse evaluate` print it."""


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


def check_inputs_stay(runs: Sequence[Run], pictures: Pictures, recipe: str | None) -> None:
    """Refuse a folder in which a file of the study would replace one of its inputs.

    Args:
        runs: From `make_plan`; those that are finished are not trained again.
        pictures: What is fused and scored.
        recipe: The file that the user gave, or the name of a recipe; None for the study's own.

    Raises:
        OutputError: Naming the file.
    """
    fused = [run.folder / FUSED / f"{pair.name}.png" for run in runs for pair in pictures.pairs]
    written = [*fused, *map(sidecar_path, fused), *(run.folder / SCORES for run in runs)]
    written += [path for run in runs if run.progress != "finished" for path in run_files(run.folder)]
    sources = [path for pair in pictures.pairs for path in (pair.a, pair.b)]
    check_all_apart(written, [*sources, *([] if recipe is None else [recipe])])


def find_pictures(a: Path, b: Path) -> Pictures:
    """Find the pairs of two folders or files and read their bytes once.

    Raises:
        InputError: If a picture is missing or cannot be read.
        UsageError: If `a` and `b` do not go together.
    """
    pairs = find_pairs(a, b)
    hashes = ((pair.name, (file_sha256(pair.a), file_sha256(pair.b))) for pair in pairs)
    return Pictures(tuple(pairs), pair_list_hash(hashes))


def with_steps(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with that many steps in all; each stage, its warm-up and the averaging keep their share of them.

    Args:
        recipe: The recipe to make longer or shorter.
        steps: Steps of all stages together.

    Raises:
        UsageError: If a stage would have no step.
    """
    before = sum(stage.steps for stage in recipe.stages)
    ends = [round(steps * end / before) for end in accumulate((stage.steps for stage in recipe.stages), initial=0)]
    shares = [end - start for start, end in pairwise(ends)]
    if min(shares) < 1:
        raise UsageError(f"{steps} steps are too few for {len(shares)} stages: give more --steps.")
    stages = tuple(_resized(stage, share) for stage, share in zip(recipe.stages, shares, strict=True))
    return replace(recipe, stages=stages, ema=recipe.ema ** (before / steps))


def _resized(stage: StageConfig, steps: int) -> StageConfig:
    """The stage with that many steps."""
    warmup = round(stage.optimiser.warmup * steps / stage.steps)
    return replace(stage, steps=steps, optimiser=replace(stage.optimiser, warmup=warmup))


def budget_of(recipe: Recipe) -> str:
    """What a recipe trains on and for how long, in words."""
    packs = [Pack(Path(path)) for path in recipe.data.train]
    sets = sorted({f"{item.set}/{item.split}" for pack in packs for item in pack.items})
    stages = ", ".join(f"{stage.kind} {stage.steps}" for stage in recipe.stages)
    size, pairs = recipe.data.crop.size, counted(sum(len(pack.items) for pack in packs), "pair")
    crops = counted(recipe.data.batch, "crop")
    return f"{stages} steps of {crops} of {size}x{size} out of {pairs} of {', '.join(sets)}"
