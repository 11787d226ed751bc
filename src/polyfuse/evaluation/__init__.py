"""Scores of fused pictures: one picture, or whole folders of several methods, with tables and charts."""

from polyfuse.evaluation.baselines import BASELINES
from polyfuse.evaluation.files import check_inputs_stay, check_ready, save
from polyfuse.evaluation.report import Collected, Report, make_report
from polyfuse.evaluation.run import Scored, Task, score_items
from polyfuse.evaluation.scoring import Evaluation, choose_metrics, evaluate
from polyfuse.evaluation.triples import Item, Method, find_items, pair_list_hash

__all__ = [
    "BASELINES",
    "Collected",
    "Evaluation",
    "Item",
    "Method",
    "Report",
    "Scored",
    "Task",
    "check_inputs_stay",
    "check_ready",
    "choose_metrics",
    "evaluate",
    "find_items",
    "make_report",
    "pair_list_hash",
    "save",
    "score_items",
]
