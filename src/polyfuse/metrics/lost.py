"""LOST: the share of visible structure that is gone, of both sources and of the one that loses more."""

from __future__ import annotations

from torch import Tensor

from polyfuse.metrics.metric import Metric, Together
from polyfuse.metrics.statistics import Statistics
from polyfuse.metrics.vis import SOURCE, visibility_of
from polyfuse.ops.visibility import WINDOW

NOTHING_VISIBLE = "for nothing in the sources is visible enough to be lost there"
"""Why a picture may have no value."""


def _lost(pictures: Statistics) -> tuple[Tensor, Tensor, Tensor]:
    found = visibility_of(pictures)
    return found.lost, found.lost_a, found.lost_b


def _lost_of_worse(pictures: Statistics) -> tuple[Tensor, Tensor, Tensor]:
    found = visibility_of(pictures)
    return found.lost_of_worse, found.lost_a, found.lost_b


lost = Metric(
    name="LOST",
    title="visible structure that is gone",
    direction="down",
    bounds=(0.0, 1.0),
    cost="b",
    formula="LOST = share of the pixels with c > 0.06 at which q < 0.4, mean over four scales; c and q as in VIS, "
    "white is 1",
    source=SOURCE,
    rewards="No place at which the stronger source has clear structure and the fused picture has not.",
    fooled="Where one source is stronger nearly everywhere, a copy of it loses little: look at LOSTmax. Noise of a "
    "source counts as structure. Structure that is in neither source, halos and a wrong brightness are not punished.",
    quirks="None: it is a measure of our own, under one protocol. Luma is not rounded to whole levels.",
    variants={
        "canonical": Together(
            note="unrounded luma; terms: the pixels where that source is stronger; no value without visible structure",
            compute=_lost, min_size=WINDOW, no_value=NOTHING_VISIBLE,
        )
    },
    everywhere=True,
)  # fmt: skip

lostmax = Metric(
    name="LOSTmax",
    title="LOST of the source that loses more",
    direction="down",
    bounds=(0.0, 1.0),
    cost="b",
    formula="LOSTmax = max(LOST_a, LOST_b), each LOST over the pixels where that source is the stronger one",
    source=SOURCE,
    rewards="That neither source loses its visible structure: a copy of one has nearly 1 from the other.",
    fooled="Noise of a source counts as structure: a picture that keeps it all is rewarded. Where a source has a few "
    "visible pixels only, those decide.",
    quirks="None: it is a measure of our own, under one protocol. A source without a visible pixel has nothing to "
    "lose: the other one decides.",
    variants={
        "canonical": Together(
            note="unrounded luma; terms: LOST of either source; no value without visible structure",
            compute=_lost_of_worse, min_size=WINDOW, no_value=NOTHING_VISIBLE,
        )
    },
    everywhere=True,
)  # fmt: skip
