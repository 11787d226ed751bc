"""Whether a family has the stages that a recipe names."""

from __future__ import annotations

from collections.abc import Collection

from polyfuse.errors import UsageError
from polyfuse.train.recipe import Recipe


def check_kinds(recipe: Recipe, kinds: Collection[str], network: str, *, options: bool = False) -> None:
    """Refuse stages of other families.

    Args:
        recipe: What is to be run.
        kinds: The stages there are.
        network: Name of the family for messages.
        options: Whether its stages read their own options.

    Raises:
        UsageError: Naming the stage.
    """
    for index, stage in enumerate(recipe.stages):
        if stage.kind not in kinds:
            raise UsageError(f"stages.{index}.kind is {stage.kind!r}: {network} has {' and '.join(kinds)}.")
        if stage.options and not options:
            raise UsageError(f"stages.{index}.options has {next(iter(stage.options))!r}: {network} has none, drop it.")
