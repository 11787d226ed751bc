"""FlatSD: noise of the fused picture where both sources are flat, beside that of the sources."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polyfuse.metrics.metric import Metric, Together
from polyfuse.metrics.statistics import Plane, Statistics

SIDE = 8
"""Pixels of a block; the last rows and columns that fill none are left out."""
NOISE_SHARE = 0.1
"""The noise of a source is the deviation that this share of its blocks does not reach."""
LEAST_NOISE = 0.5
"""Grey levels: no source has less, for rounding to levels alone makes 0.29."""
FLAT_WITHIN = 1.5
"""A block is flat whose deviation is at most so many times the source's noise."""


def block_variance(plane: Plane) -> Tensor:
    """Variance of each block of 8x8 pixels about the plane fitted to it, so that shading is no noise.

    Returns:
        (N, blocks) float64, squared grey levels; 61 degrees of freedom.
    """
    return plane.once("block variance", lambda: _block_variance(plane.luma))


def _block_variance(luma: Tensor) -> Tensor:
    count, rows, columns = luma.shape[0], luma.shape[1] // SIDE, luma.shape[2] // SIDE
    whole = luma[:, : rows * SIDE, : columns * SIDE].reshape(count, rows, SIDE, columns, SIDE)
    blocks = whole.transpose(2, 3).reshape(count, rows * columns, SIDE * SIDE)
    blocks = blocks - blocks.mean(dim=2, keepdim=True)
    offset = torch.arange(SIDE, dtype=luma.dtype, device=luma.device) - (SIDE - 1) / 2
    slopes = torch.stack([offset[:, None].expand(SIDE, SIDE), offset.expand(SIDE, SIDE)]).flatten(1)
    fitted = (blocks @ slopes.T).square().sum(dim=2) / slopes[0].square().sum()
    return ((blocks.square().sum(dim=2) - fitted) / (SIDE * SIDE - 3)).clamp_(min=0)


def flat_blocks(plane: Plane) -> Tensor:
    """Which blocks of a source show nothing but its noise, (N, blocks) bool.

    Blocks without any variation, as where a picture is clipped, are flat but say nothing about the noise.
    """
    deviation = block_variance(plane).sqrt()
    flat = []
    for values in deviation:
        varied = values[values > 0]
        noise = float(varied.quantile(NOISE_SHARE)) if len(varied) else 0.0
        flat.append(values <= FLAT_WITHIN * max(noise, LEAST_NOISE))
    return torch.stack(flat)


def _deviations(pictures: Statistics) -> tuple[Tensor, Tensor, Tensor]:
    a, b = pictures.a, pictures.b
    flat = a.once(("flat blocks", b), lambda: flat_blocks(a) & flat_blocks(b)).double()
    fused, of_a, of_b = (
        ((block_variance(plane) * flat).sum(dim=1) / flat.sum(dim=1)).sqrt() for plane in (pictures.fused, a, b)
    )
    return fused, of_a, of_b


flatsd = Metric(
    name="FlatSD",
    title="noise where both sources are flat",
    direction="down",
    bounds=(0.0, math.inf),
    cost="a",
    formula="FlatSD = root of the mean of v over the blocks of 8x8 pixels that are flat in both sources, in grey "
    "levels of 255; v the variance of the fused picture about the plane fitted to the block. A block is flat in a "
    "source where the root of v is at most 1.5 times the source's noise, the 10 % point of that root over its blocks",
    source="ours (spec visibility 4)",
    rewards="A calm picture where neither source shows anything. The terms are the sources' own values in the same "
    "blocks: a fused picture far above that of b has noise that its reader would not see in b.",
    fooled="Blur. A picture without contrast has no noise either: it guards VIS and LOST and says nothing alone. Where "
    "texture is everywhere, the calmest texture counts as flat.",
    quirks="None: it is a measure of our own, under one protocol. Sources with more contrast after a stretch have more "
    "noise too.",
    variants={
        "canonical": Together(
            note="unrounded luma; terms: the deviation of that source itself; no value without a flat block",
            compute=_deviations, min_size=SIDE, no_value="for no block is flat in both sources there",
        )
    },
    everywhere=True,
    guard=True,
)  # fmt: skip
