"""Qabf_petrovic: edges of the sources that the fused picture kept, the third part of the budget of Nabf and Labf."""

from __future__ import annotations

from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.nabf import STANDARD
from polyfuse.metrics.statistics import Statistics


def _kept(pictures: Statistics) -> Tensor:
    kept = [STANDARD.preservation(match) * STANDARD.weights(match.source)
            for match in (pictures.match_a, pictures.match_b)]  # fmt: skip
    return STANDARD.share(kept[0] + kept[1], pictures)


qabf_petrovic = Metric(
    name="Qabf_petrovic",
    title="edge preservation, share of the budget",
    direction="up",
    bounds=(0.0, 1.0),
    cost="b",
    formula="Qabf_petrovic = sum(Q_A w_A + Q_B w_B) / sum(w_A + w_B), symbols as in Nabf",
    source="Petrovic, Xydeas 2005",
    rewards="Edges of the sources at their strength and angle, strong ones most.",
    fooled="A sharpened average scores as well as published networks on six VIFB pairs: 0.81 against 0.81 and 0.85.",
    quirks="Not Qabf: other sigmoids, other weights, a mirrored border, and opposite angles count as equal. "
    "Qabf_petrovic + Labf + Nabf = 1.",
    variants={"canonical": Joint(note="the part of the budget that is kept", compute=_kept)},
)
