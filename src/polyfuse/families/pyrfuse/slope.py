"""Which way each pixel of a result raises what it lost of its sources, as a plain formula. Ours (spec pyrfuse 8).

What is lost at one level of the pyramid is, over all places of the next coarser grid,

    sum(weight a (1 - likeness to a) + weight b (1 - likeness to b) + noise that the calmer source does not have)

with means, variances and covariances over windows of the pyramid's own filter. The slope is twice its gradient along
each pixel (half of it for each of the four pixels to a place), written out with those filters alone: it needs no
gradient of PyTorch's, and a model that uses it can be exported. It is exact but at the border, where the filters repeat
the edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from polyfuse.families.pyrfuse.pieces import TINY, Level
from polyfuse.ops.pyramid import blur, expand, shrink

GREY = 0.5
"""What pictures are measured from."""
SEEN_LEVELS = 4
"""Levels whose pictures are compared with the sources; at coarser ones only the slope of the finer ones counts."""
FLAT = 2e-4
"""Keeps the likeness of two flat places at 1; variance, white is 1."""
LEAST_STRONGER, LEAST_WEAKER = 1e-5, 1e-6
"""Added to variances, so that flat places count a little; white is 1."""
WEAKER = 0.35
"""How much the weaker source counts."""
SURE = 4.0
"""How steeply the weights turn where both sources are equally strong: at a jump, rounding would decide the picture."""
CUT, CALM = 3.5, 0.18
"""How much what would be cut off at black and white counts, and noise that the calmer source does not have."""
SMALL_CUT = 1e-2
"""What lies this far beyond black or white counts half of the whole."""
CALM_LEVELS = 2
"""Levels on which noise is looked for; on coarser ones it is averaged away."""
FLAT_PLACE = 1e-4
"""Variance of the stronger source at which a place counts half as flat; white is 1."""
FAINT = 1e-5
"""Variance that nobody sees, white is 1: below it ratios, likenesses and noise fade; else rounding would decide."""


@dataclass(frozen=True, eq=False)
class Source:
    """One source at one level."""

    picture: Tensor
    """Less a middle grey, (N, 1, H, W): squares of small numbers keep more digits."""
    mean: Tensor
    """Local mean of that, (N, 1, h, w) on the grid of the next coarser level, as all below."""
    variance: Tensor
    """Local variance."""
    weight: Tensor
    """How much its structure counts: its contrast, or a third of it where the other one is stronger."""


@dataclass(frozen=True, eq=False)
class Sources:
    """What a look needs to know of both sources at one level."""

    a: Source
    b: Source
    flat: Tensor
    """How flat both are, (N, 1, h, w) in (0, 1]."""
    features: Tensor
    """What the convolutions see of the sources, (N, 5, h, w): ratio of variances and likeness of the pictures, and
    ratio, sum and likeness of the details."""

    @classmethod
    def of(cls, a: Tensor, b: Tensor, level: Level) -> Self:
        """Of the pictures a and b at one level, (N, 1, H, W), and their details."""
        a, b = a - GREY, b - GREY
        means = window(torch.cat([a, b, a * a, b * b, a * b], dim=1))
        mean_a, mean_b, square_a, square_b, product = means.split(1, dim=1)
        variance_a, variance_b = ((s - m * m).clamp_min(0) for s, m in ((square_a, mean_a), (square_b, mean_b)))
        ratio = torch.log((variance_a + FAINT) / (variance_b + FAINT))
        features = [
            ratio / 4,
            (product - mean_a * mean_b) / ((variance_a * variance_b).sqrt() + FAINT),
            level.energy_features(),
        ]
        return cls(
            Source(a, mean_a, variance_a, _weight(variance_a, ratio)),
            Source(b, mean_b, variance_b, _weight(variance_b, -ratio)),
            FLAT_PLACE / (FLAT_PLACE + torch.maximum(variance_a, variance_b)),
            torch.cat(features, dim=1),
        )


@dataclass(frozen=True, eq=False)
class Standing:
    """How a result stands beside its sources at one level."""

    slope: Tensor
    """Which way each pixel raises what is lost at this level, (N, 1, H, W)."""
    features: Tensor
    """What the convolutions see of it, (N, 3, h, w): likeness to a and to b, brightness."""

    @classmethod
    def of(cls, fused: Tensor, sources: Sources, *, sees_noise: bool) -> Self:
        """Of the result at one level, (N, 1, H, W)."""
        fused = fused - GREY
        both = (sources.a, sources.b)
        products = [fused, fused * fused, *(fused * source.picture for source in both)]
        mean, square, *with_sources = window(torch.cat(products, dim=1)).split(1, dim=1)
        variance = (square - mean * mean).clamp_min(0)
        # of what is lost: half the gradients along the covariances, that along the variance, and what is left over
        along_sources, likenesses = [], []
        along_variance = _noise_slope(variance, sources) if sees_noise else torch.zeros_like(mean)
        left_over = torch.zeros_like(mean)
        for source, product in zip(both, with_sources, strict=True):
            covariance = product - source.mean * mean
            whole = variance + source.variance + FLAT
            along = source.weight / whole
            along_sources.append(along)
            along_variance = along_variance + along * (2 * covariance + FLAT) / whole
            left_over = left_over + along * source.mean
            likenesses.append(covariance / ((variance * source.variance + TINY).sqrt() + FAINT))
        factors = blur(torch.cat([*along_sources, along_variance, left_over - along_variance * mean], dim=1))
        of_a, of_b, of_fused, offset = expand(factors, fused.shape).split(1, dim=1)
        slope = fused * of_fused - sources.a.picture * of_a - sources.b.picture * of_b + offset
        return cls(slope, torch.cat([*likenesses, mean], dim=1))


def standings_of(pictures: list[Tensor], sources: list[Sources]) -> list[Standing]:
    """How a result stands at each level, finest first, (N, 1, H, W), then half of it and so on."""
    return [
        Standing.of(picture, seen, sees_noise=level < CALM_LEVELS)
        for level, (picture, seen) in enumerate(zip(pictures, sources, strict=True))
    ]


def slopes_of(pictures: list[Tensor], standings: list[Standing]) -> list[Tensor]:
    """Which way each pixel of each level, and of the base after them, raises what is lost at it and at all finer ones.

    Args:
        pictures: The result at each level, finest first, (N, 1, H, W), then half of it and so on.
        standings: How it stands there.

    Returns:
        A slope for each level, as large as its picture, and last one for the base.
    """
    slopes: list[Tensor] = []
    carried = CUT * beyond(pictures[0]) / (beyond(pictures[0]).abs() + SMALL_CUT)
    for index, standing in enumerate(standings):
        slopes.append(carried + standing.slope if index < SEEN_LEVELS else carried)
        carried = shrink(slopes[-1])
    return [*slopes, carried]


def beyond(picture: Tensor) -> Tensor:
    """What lies below black, negative, or above white, positive."""
    return picture - picture.clamp(0, 1)


def window(x: Tensor) -> Tensor:
    """Local mean on the grid of the next coarser level: (N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2))."""
    return blur(shrink(x))


def _weight(variance: Tensor, ratio: Tensor) -> Tensor:
    """How much a source's structure counts; `ratio` is the logarithm of its variance over the other one's."""
    stronger = torch.sigmoid(SURE * ratio)
    least, share = LEAST_WEAKER + stronger * (LEAST_STRONGER - LEAST_WEAKER), WEAKER + stronger * (1 - WEAKER)
    return share * (variance + least).sqrt()


def _noise_slope(variance: Tensor, sources: Sources) -> Tensor:
    """Gradient of 0.18 flat (m + 2e-5) / sqrt(m + 1e-5), m the variance that the calmer source does not have."""
    more = (variance - torch.minimum(sources.a.variance, sources.b.variance)).clamp_min(0)
    return CALM / 2 * sources.flat * more / (more + FAINT) / (more + FAINT).sqrt()
