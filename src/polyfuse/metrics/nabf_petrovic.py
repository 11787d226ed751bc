"""Nabf_petrovic: artefacts in the form of the original paper."""

from __future__ import annotations

from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.nabf import STANDARD, new_edges
from polyfuse.metrics.statistics import Statistics


def _artefacts(pictures: Statistics) -> Tensor:
    missing = 2 - STANDARD.preservation(pictures.match_a) - STANDARD.preservation(pictures.match_b)
    weights = STANDARD.weights(pictures.a) + STANDARD.weights(pictures.b)
    return STANDARD.share(missing * weights * new_edges(pictures, STANDARD), pictures)


nabf_petrovic = Metric(
    name="Nabf_petrovic",
    title="fusion artefacts, original form",
    direction="down",
    bounds=(0.0, 2.0),
    cost="b",
    formula="Nabf_petrovic = sum over pixels where g_F > g_A and g_F > g_B of (2 - Q_A - Q_B)(w_A + w_B) / "
    "sum(w_A + w_B), symbols as in Nabf",
    source="Petrovic, Xydeas 2005",
    rewards="No edges that are steeper than in both sources.",
    fooled="As Nabf: a copy of one source and the average score 0.",
    quirks="Mixes the losses of one source with the weights of the other, so it does not add to 1 with Qabf_petrovic "
    "and Labf. Tables mostly print Nabf.",
    variants={"canonical": Joint(note="losses and weights of both sources multiplied", compute=_artefacts)},
)
