"""Qabf: how well edges of the sources survive."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.statistics import Match, Plane, Statistics
from polyfuse.ops.gradients import sobel_responses

STRENGTH_GAIN, STRENGTH_SLOPE, STRENGTH_CENTRE = 0.9994, 15.0, 0.5
ANGLE_GAIN, ANGLE_SLOPE, ANGLE_CENTRE = 0.9879, 22.0, 0.8


def edges(plane: Plane) -> tuple[Tensor, Tensor]:
    """Strength and angle of the Sobel gradient over a zero border, two of (N, H, W).

    Angles are atan(sy / sx) with sy upwards, in [-pi/2, pi/2], and pi/2 where sx is zero, flat areas included.
    """

    def measure() -> tuple[Tensor, Tensor]:
        across, down = sobel_responses(plane.values, "zeros")
        strength = (across.square() + down.square()).sqrt_()
        angle = (down / across).neg_().atan_().masked_fill_(across == 0, math.pi / 2)
        return strength, angle

    return plane.once("qabf edges", measure)


def _kept(match: Match, *, tie: float | None, scale: float) -> Tensor:
    """Strength of the source's edges times how well the fused picture keeps strength and angle, summed, (N,)."""
    (strength, angle), (fused_strength, fused_angle) = edges(match.source), edges(match.fused)
    ratio = torch.minimum(strength, fused_strength).div_(torch.maximum(strength, fused_strength))
    ties = fused_strength * scale if tie is None else torch.where(strength > 0, tie, 0.0)
    ratio = torch.where(strength == fused_strength, ties, ratio)
    turn = 1 - (angle - fused_angle).abs_().div_(math.pi / 2)
    quality = ratio.sub_(STRENGTH_CENTRE).mul_(STRENGTH_SLOPE).sigmoid_()
    quality *= turn.sub_(ANGLE_CENTRE).mul_(ANGLE_SLOPE).sigmoid_()
    return quality.mul_(strength).sum(dim=(1, 2)) * (STRENGTH_GAIN * ANGLE_GAIN)


def _edge_transfer(pictures: Statistics, *, tie: float | None, scale: float, empty: float) -> Tensor:
    def of(match: Match) -> tuple[Tensor, Tensor]:
        kept = match.once(("qabf", tie, scale), partial(_kept, match, tie=tie, scale=scale))
        return kept, edges(match.source)[0].sum(dim=(1, 2))

    (kept_a, total_a), (kept_b, total_b) = of(pictures.match_a), of(pictures.match_b)
    total = total_a + total_b
    return torch.where(total > 0, (kept_a + kept_b) / total, empty)


def _variant(note: str, *, tie: float | None = None, scale: float = 1.0, empty: float = torch.nan) -> Joint:
    return Joint(note=note, compute=partial(_edge_transfer, tie=tie, scale=scale, empty=empty))


_PLAIN = _variant("where strengths are equal their ratio is taken as the strength itself")

qabf = Metric(
    name="Qabf",
    title="edge preservation",
    direction="up",
    bounds=(0.0, STRENGTH_GAIN * ANGLE_GAIN),
    cost="b",
    formula="Qabf = sum(Q_A g_A + Q_B g_B) / sum(g_A + g_B), g the Sobel strength of a source, Q_X a sigmoid of the "
    "ratio of strengths times a sigmoid of the agreement of angles with the fused picture",
    source="Xydeas, Petrovic 2000",
    rewards="Edges of the sources at their strength and angle, strong ones most.",
    fooled="The pixel maximum beats published networks on all five test sets: strong edges dominate and survive there.",
    quirks="Every toolbox takes the strength itself where strengths are equal; VIFB multiplies pictures by 255 once "
    "more. On pictures scaled to 0..1 results move by up to 0.01. A perfect copy gives 0.975 to 0.987.",
    variants={
        "canonical": _variant("equal strengths count as 1; 0 where there is no edge", tie=1.0, empty=0.0),
        "cddfuse": _PLAIN,
        "fnet": _PLAIN,
        "smfnet": _PLAIN,
        "linfeng": _PLAIN,
        "linfeng_workbook": _variant("as linfeng; the published column cannot be reproduced better than 2 %"),
        "survey": _PLAIN,
        "vifb": _variant("pictures times 255; per channel, averaged", scale=255.0),
    },
)
