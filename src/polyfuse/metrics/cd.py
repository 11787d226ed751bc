"""CD: how far the colours of the fused picture are turned from those of b."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.statistics import Statistics


def _mean_angle(pictures: Statistics) -> Tensor:
    """Mean angle in degrees over the pixels at which neither picture is black, (N,)."""
    fused, wanted = pictures.fused.rgb, pictures.b.rgb
    coloured = (fused.amax(dim=1) > 0) & (wanted.amax(dim=1) > 0)
    if pictures.fused.colour is None and pictures.b.colour is None:  # all along one line: 0, and no need to measure
        return torch.where(coloured.any(dim=2).any(dim=1), fused.new_zeros(()), torch.nan)
    across = torch.linalg.vector_norm(torch.linalg.cross(fused, wanted, dim=1), dim=1)
    angle = torch.atan2(across, (fused * wanted).sum(dim=1))  # unlike acos exact where both have one colour
    return torch.rad2deg((angle * coloured).sum(dim=(1, 2)) / coloured.sum(dim=(1, 2)))


cd = Metric(
    name="CD",
    title="colour deviation from b",
    direction="down",
    bounds=(0.0, 90.0),
    cost="b",
    formula="CD = mean angle in degrees between the RGB vectors of the fused picture and of b, over the pixels at "
    "which neither is black; grey is the vector with three equal parts",
    source="ours (spec visibility 5), after the idea of FCDFusion (Li, Fu 2025) that a pixel fused by scaling its RGB "
    "vector keeps its colour; not compared with that paper's formula",
    rewards="Hue and saturation of b at any brightness.",
    fooled="Brightness counts for nothing, so a copy of b has 0: it guards VIS and LOST and says nothing alone. Where "
    "b is nearly black, one grey level turns its colour by many degrees.",
    quirks="Looks at RGB, where all other metrics see grey or each channel by itself. Where both are grey, as in "
    "the example below, it is 0; a is looked at only for its term.",
    variants={
        "canonical": Joint(
            note="RGB; terms: the angle to that source; no value where everything is black",
            compute=_mean_angle, symmetric=False, no_value="for no pixel has a colour in both pictures there",
        )
    },
    everywhere=True,
    guard=True,
)  # fmt: skip
