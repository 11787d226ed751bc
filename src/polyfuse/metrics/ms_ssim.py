"""MS-SSIM: structural similarity to each source over five scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.metrics.mef_ssim import halved, mef_ssim
from polyfuse.metrics.metric import Added, Metric
from polyfuse.metrics.ssim import GAUSSIAN, Convention, gaussian_mean
from polyfuse.metrics.statistics import Match, Plane

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponent of each scale, finest first."""
MIN_SIZE = 161
"""Shortest side that leaves one window on the fifth scale."""


def _halved_over_zeros(plane: Plane) -> Plane:
    """Means of 2x2 pixels; an odd side gets a zero line at both ends first, and the last one is left over."""

    def halve() -> Plane:
        height, width = plane.values.shape[1:]
        return Plane(functional.avg_pool2d(plane.values, 2, padding=(height % 2, width % 2)), plane.channels)

    return plane.once("halved over zeros", halve)


@dataclass(frozen=True)
class Pyramid:
    """Similarity and halving of one toolbox."""

    convention: Convention
    """Window and constants on each scale."""
    halve: Callable[[Plane], Plane]
    """The next coarser scale."""

    def coarser(self, match: Match) -> Match:
        """Both pictures on the next scale."""
        return match.once((self.halve, "match"), lambda: Match(self.halve(match.source), self.halve(match.fused)))


def _similarity(match: Match, *, pyramid: Pyramid) -> Tensor:
    """Product over the scales, (N,): contrast and structure on each, brightness on the coarsest."""
    result = torch.ones_like(match.source.values[:, 0, 0])
    for level, weight in enumerate(SCALE_WEIGHTS):
        if level:
            match = pyramid.coarser(match)
        luminance, factor = pyramid.convention.similarity(match)
        if level == len(SCALE_WEIGHTS) - 1:
            factor = luminance * factor
        result *= factor.mean(dim=(1, 2)).clamp(min=0) ** weight
    return result


def _variant(note: str, pyramid: Pyramid, *, mean: bool) -> Added:
    return Added(note=note, term=partial(_similarity, pyramid=pyramid), mean=mean, min_size=MIN_SIZE)


# ours: halves like Wang's own filter, the edge pixel of an odd side repeated. Dropping it would need 176 pixels, and a
# line of zeros darkens the border.
_CANONICAL = Pyramid(GAUSSIAN, halved)
_SURVEY = Pyramid(Convention(gaussian_mean, 1.0), _halved_over_zeros)

ms_ssim = Metric(
    name="MS_SSIM",
    title="multi-scale structural similarity",
    direction="up",
    bounds=(0.0, 1.0),
    cost="b",
    formula="ms(X,Y) = product over five scales of the mean of (2 cXY + C2) / (vX + vY + C2), the coarsest times "
    "(2 mX mY + C1) / (mX^2 + mY^2 + C1) inside the mean, negative means cut to 0, exponents 0.0448, 0.2856, 0.3001, "
    "0.2363, 0.1333; windows and constants as in SSIM; scales are means of 2x2 pixels, the last line of an odd side "
    "counted twice; averaged or added over ms(F,A) and ms(F,B)",
    source="Wang, Simoncelli, Bovik 2003",
    rewards="Contrast and structure equal to a source's, from fine to coarse.",
    fooled="A copy of one source has one perfect term. Brightness counts on the coarsest scale alone.",
    quirks="Three indices go by this name: this one, the same on 0..65025 data with zero lines at the border (survey), "
    "and the multi-exposure index MEF_MS_SSIM (linfeng).",
    variants={
        "canonical": _variant("L = 255, mean of both; an odd side's last line counts twice when halving", _CANONICAL,
                              mean=True),
        "linfeng": mef_ssim.variants["linfeng"],
        "survey": _variant("L = 1 in effect, sum of both; an odd side gets zero lines before halving", _SURVEY,
                           mean=False),
    },
)  # fmt: skip
