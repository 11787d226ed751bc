"""Rank: whether the regions of the fused picture stand in the order of brightness that they have in b."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.statistics import Statistics

SIDE = 8
"""Pixels of a block; the last rows and columns that fill none are left out."""
BLACK = 10.0
"""Grey levels: a block whose mean reaches this in neither source is background, outside the head."""
FEWEST = 3
"""Blocks below which an order says nothing."""
SMALLEST = 16
"""Shortest side of a picture: four blocks."""


def _rank_correlation(pictures: Statistics) -> Tensor:
    """Spearman's correlation over the blocks that are no background, (N,)."""
    fused, a, b = (_block_means(plane.luma) for plane in (pictures.fused, pictures.a, pictures.b))
    seen = torch.maximum(a, b) >= BLACK
    return torch.stack([_spearman(x[inside], y[inside]) for x, y, inside in zip(fused, b, seen, strict=True)])


def _block_means(luma: Tensor) -> Tensor:
    """(N, H, W) to (N, blocks)."""
    return functional.avg_pool2d(luma, SIDE).flatten(1)


def _spearman(x: Tensor, y: Tensor) -> Tensor:
    """Pearson's correlation of the ranks of two series, (K,) each; NaN where one is constant or there are too few."""
    if len(x) < FEWEST:
        return x.new_full((), torch.nan)
    ranks = torch.stack([_ranks(x), _ranks(y)])
    ranks = ranks - ranks.mean(dim=1, keepdim=True)
    lengths = torch.linalg.vector_norm(ranks, dim=1)
    # 0 / 0 of a constant series is no number, as wanted
    found: Tensor = (ranks[0] @ ranks[1] / lengths.prod()).clamp(-1, 1)
    return found


def _ranks(values: Tensor) -> Tensor:
    """Places in ascending order, from 0; equal values share the mean of theirs."""
    _, group, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).to(values.dtype)
    places: Tensor = (last - (counts + 1) / 2)[group]
    return places


rank = Metric(
    name="Rank",
    title="order of brightness kept of b",
    direction="up",
    bounds=(-1.0, 1.0),
    cost="a",
    formula="Rank = Spearman's rank correlation of the mean luma of the fused picture and of b over blocks of 8x8 "
    "pixels, of which a or b has a mean of 10 levels or more",
    source="ours, with Spearman's correlation (1904); equal means share the mean of their ranks",
    rewards="That what is brighter in b is brighter in the fused picture: with a functional picture as b, cold spots "
    "stay cold and hot ones hot.",
    fooled="A copy of b has 1, and any brightness that rises with b's too; detail counts for nothing. Where b is a "
    "visible picture it has little to say, for a warm body may rightly be the brightest.",
    quirks="None: it is a measure of our own, under one protocol. A colour picture counts by its luma, which orders "
    "the colours of a scale as they look, not as the scale does. a only tells where the background is.",
    variants={
        "canonical": Joint(
            note="luma; terms: the order of that source; no value with fewer than three blocks or a constant picture",
            compute=_rank_correlation, symmetric=False, min_size=SMALLEST,
            no_value="for there is no order of brightness there",
        )
    },
    guard=True,
)  # fmt: skip
