"""Training: recipes, stages, and the loop that runs them."""

from polyfuse.train.loop import train
from polyfuse.train.recipe import Recipe, bundled_recipes, load_recipe

__all__ = ["Recipe", "bundled_recipes", "load_recipe", "train"]
