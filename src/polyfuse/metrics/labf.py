"""Labf: edges of the sources that the fused picture lost."""

from __future__ import annotations

from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.nabf import STANDARD, new_edges, total_loss
from polyfuse.metrics.statistics import Statistics


def _lost(pictures: Statistics) -> Tensor:
    return STANDARD.share(total_loss(pictures, STANDARD) * ~new_edges(pictures, STANDARD), pictures)


labf = Metric(
    name="Labf",
    title="fusion loss",
    direction="down",
    bounds=(0.0, 1.0),
    cost="b",
    formula="Labf = sum over pixels where g_F <= g_A or g_F <= g_B of [(1 - Q_A) w_A + (1 - Q_B) w_B] / "
    "sum(w_A + w_B), symbols as in Nabf",
    source="Petrovic, Xydeas 2005",
    rewards="Edges at least as steep as in the sources.",
    fooled="Sharpening: an edge steeper than in both sources counts as an artefact, not as a loss. Look at Nabf "
    "beside it.",
    quirks="Qabf_petrovic + Labf + Nabf = 1.",
    variants={"canonical": Joint(note="the part of the budget that is neither kept nor new", compute=_lost)},
)
