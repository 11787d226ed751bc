"""Training by a recipe: `train(load_recipe("fnet-cpu", ["data.train=x.pack"]), Path("run"))`."""

# The engine in this room is told the family and imports none. `train` and `check_recipe` look it up in the registry, so
# they come on first use.

from importlib import import_module
from typing import TYPE_CHECKING

from polyfuse.train.folder import Progress, run_progress
from polyfuse.train.loop import LAST
from polyfuse.train.recipe import Recipe, bundled_recipes, load_recipe

if TYPE_CHECKING:
    from polyfuse.registry.trained import check_recipe, train

__all__ = ["LAST", "Progress", "Recipe", "bundled_recipes", "check_recipe", "load_recipe", "run_progress", "train"]


def __getattr__(name: str) -> object:
    """Import what knows the families on first use."""
    if name not in ("check_recipe", "train"):
        raise AttributeError(f"module 'polyfuse.train' has no attribute {name!r}")
    return getattr(import_module("polyfuse.registry.trained"), name)
