"""Ablation studies: the rows of a paper trained at a stated budget, scored, and set beside what it prints."""

from polyfuse.ablation.comparison import Comparison, compare
from polyfuse.ablation.lock import hold
from polyfuse.ablation.plan import Pictures, Run, check_inputs_stay, find_pictures, make_plan, with_steps
from polyfuse.ablation.work import carry_out, read_scores
from polyfuse.registry.studies import find_study
from polyfuse.train.variants import Study, Variant, variant_recipe

__all__ = [
    "Comparison",
    "Pictures",
    "Run",
    "Study",
    "Variant",
    "carry_out",
    "check_inputs_stay",
    "compare",
    "find_pictures",
    "find_study",
    "hold",
    "make_plan",
    "read_scores",
    "variant_recipe",
    "with_steps",
]
