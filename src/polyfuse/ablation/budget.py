"""How long the runs of a study train: the recipe's steps, or fewer of them in the same proportions."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path

from polyfuse.data.pack import Pack
from polyfuse.errors import UsageError
from polyfuse.train import Recipe
from polyfuse.train.recipe import StageConfig


def with_steps(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with that many steps in all; each stage, its warm-up and the averaging keep their share of them.

    Args:
        recipe: Any.
        steps: Of all stages together.

    Raises:
        UsageError: If a stage would have none.
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
    size, num_pairs = recipe.data.crop.size, sum(len(pack.items) for pack in packs)
    return f"{stages} steps of {recipe.data.batch} crops of {size}x{size} out of {num_pairs} pairs of {', '.join(sets)}"
