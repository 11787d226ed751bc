"""Qcv: visible difference from each source, blocks with strong edges counting most."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.statistics import Match, Plane, Statistics
from polyfuse.ops.frequencies import apply_gain, radial_frequency
from polyfuse.ops.gradients import sobel_responses

BLOCK = 16
UNIT = 4.0
"""Cycles per picture that make one unit of frequency."""
GAIN, OFFSET, SLOPE, POWER = 2.6, 0.0192, 0.144, 1.1
"""Constants of Mannos and Sakrison's contrast sensitivity."""


@lru_cache(maxsize=4)
def _sensitivity(height: int, width: int) -> Tensor:
    """Gain of the eye by frequency. The tensor is cached: do not change it."""
    radius = radial_frequency(height, width, unit=UNIT).mul_(SLOPE)
    gain: Tensor = radius.pow(POWER).neg_().exp_().mul_(radius + OFFSET).mul_(GAIN)
    return gain


def _block_sums(x: Tensor) -> Tensor:
    """Sums over blocks of 16x16, incomplete ones filled with zeros, (N, rows, columns)."""
    height, width = x.shape[1:]
    padded = functional.pad(x, (0, -width % BLOCK, 0, -height % BLOCK))
    sums: Tensor = padded.unflatten(2, (-1, BLOCK)).sum(dim=3).unflatten(1, (-1, BLOCK)).sum(dim=2)
    return sums


def _weights(plane: Plane) -> Tensor:
    """Sum of the fifth power of edge strength over each block."""

    def measure() -> Tensor:
        across, down = sobel_responses(plane.values, "zeros")
        square = across.square_() + down.square_()
        return _block_sums(square.sqrt().mul_(square).mul_(square))

    return plane.once("qcv weights", measure)


def _difference(match: Match) -> Tensor:
    """Mean squared visible difference over each block."""

    def measure() -> Tensor:
        difference = match.source.values - match.fused.values
        visible = apply_gain(difference, _sensitivity(*difference.shape[1:]))
        return _block_sums(visible.square_()) / BLOCK**2

    return match.once("qcv difference", measure)


def _weighted_difference(pictures: Statistics, *, stretch: Callable[[Match], Match], empty: float) -> Tensor:
    matches = (stretch(pictures.match_a), stretch(pictures.match_b))
    weights = torch.cat([_weights(match.source) for match in matches], dim=1)
    differences = torch.cat([_difference(match) for match in matches], dim=1)
    total = weights.sum(dim=(1, 2))
    return torch.where(total == 0, empty, (weights * differences).sum(dim=(1, 2)) / total)


def _as_published(match: Match) -> Match:
    return match.stretched("nan")


def _defined(match: Match) -> Match:
    return match.stretched("keep")


def _variant(note: str, stretch: Callable[[Match], Match], empty: float) -> Joint:
    return Joint(note=note, compute=partial(_weighted_difference, stretch=stretch, empty=empty))


_GREY = _variant("on grey; no value for a constant picture", _as_published, torch.nan)

qcv = Metric(
    name="Qcv",
    title="Chen and Varshney's visible difference",
    direction="down",
    bounds=(0.0, float("inf")),
    cost="b",
    formula="Qcv = sum over blocks of (l_A D_A + l_B D_B) / sum of (l_A + l_B), l_X the summed fifth power of the "
    "Sobel strength of a source, D_X the mean squared difference X - F as the eye filters it",
    source="Chen, Varshney 2007",
    rewards="Little visible difference from a source where that source has strong edges.",
    fooled="The pixel maximum and a copy of the visible source beat two published networks on six VIFB pairs: 624 and "
    "676 against 1039 and 1105.",
    quirks="Pictures are stretched to 0..255 first, so a uniform loss of contrast costs nothing.",
    variants={
        "canonical": _variant("on grey; constant pictures not stretched, 0 where no source has edges", _defined, 0.0),
        "vifb": _variant("per channel, averaged; no value for a constant picture", _as_published, torch.nan),
        "vifb_gray": _GREY,
        "liu2012": _GREY,
    },
)  # fmt: skip
