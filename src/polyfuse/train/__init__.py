"""Training: recipes, stages, and the loop that runs them."""

from polyfuse.train.families import check_recipe
from polyfuse.train.folder import Progress, run_progress
from polyfuse.train.loop import LAST, train
from polyfuse.train.recipe import Recipe, bundled_recipes, load_recipe

__all__ = ["LAST", "Progress", "Recipe", "bundled_recipes", "check_recipe", "load_recipe", "run_progress", "train"]
