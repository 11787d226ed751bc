"""VIS: how much of the locally stronger source is kept."""

from __future__ import annotations

from torch import Tensor

from polyfuse.metrics.inputs import PEAK
from polyfuse.metrics.metric import Metric, Together
from polyfuse.metrics.statistics import Plane, Statistics
from polyfuse.ops.visibility import WINDOW, Scale, Stronger, Visibility, kept_share, scales, stronger, visibility

SOURCE = "ours (spec visibility 1); related: the contrast and structure terms of MEF-SSIM, Ma, Zeng, Wang 2015"
NO_STRUCTURE = "for no source has structure that could be kept or lost there"
"""Why a picture may have no value."""


def visibility_of(pictures: Statistics) -> Visibility:
    """What the fused pictures keep and lose of the stronger source; computed once for VIS, LOST and LOSTmax."""
    return pictures.memo.once("visibility", lambda: _visibility(pictures))


def _visibility(pictures: Statistics) -> Visibility:
    fused, a, b = (_scales(plane) for plane in (pictures.fused, pictures.a, pictures.b))
    strongest = pictures.a.once(("stronger", pictures.b), lambda: _stronger(a, b))
    kept = [kept_share(*at_scale) for at_scale in zip(fused, a, b, strongest, strict=True)]
    return visibility(kept, strongest)


def _scales(plane: Plane) -> tuple[Scale, ...]:
    return plane.once("scales", lambda: scales(plane.luma / PEAK))


def _stronger(a: tuple[Scale, ...], b: tuple[Scale, ...]) -> list[Stronger]:
    """Which source is stronger where, at each scale; a pair's fused pictures share it."""
    return [stronger(one, other) for one, other in zip(a, b, strict=True)]


def _kept(pictures: Statistics) -> tuple[Tensor, Tensor, Tensor]:
    found = visibility_of(pictures)
    return found.kept, found.kept_a, found.kept_b


vis = Metric(
    name="VIS",
    title="structure kept of the locally stronger source",
    direction="up",
    bounds=(0.0, 1.0),
    cost="b",
    formula="VIS = sum(q c) / sum(c), mean over four scales; c the local standard deviation of the source that has "
    "more of it there, q = clip(r, 0, 1) min(1, s) with r the correlation of the fused picture with that source, s the "
    "ratio of their local standard deviations, in 11x11 boxes",
    source=SOURCE,
    rewards="Structure of whichever source has more of it at that place, with its sign and its contrast.",
    fooled="A copy keeps everything of its own source: look at the smaller term, or at LOSTmax. Noise of a source "
    "counts as structure. Structure that is in neither source, halos and a wrong brightness are not punished.",
    quirks="None: it is a measure of our own, under one protocol. Luma is not rounded to whole levels.",
    variants={
        "canonical": Together(
            note="unrounded luma; terms: the pixels where that source is stronger; no value without structure",
            compute=_kept, min_size=WINDOW, no_value=NO_STRUCTURE,
        )
    },
    everywhere=True,
)  # fmt: skip
