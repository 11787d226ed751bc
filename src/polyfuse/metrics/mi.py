"""MI: mutual information between each source and the fused picture."""

from __future__ import annotations

import math

from torch import Tensor

from polyfuse.metrics.metric import Added, Metric
from polyfuse.metrics.statistics import Match
from polyfuse.ops.entropy import entropy


def mutual_information(match: Match) -> Tensor:
    """H(source) + H(fused) - H(source, fused) in nats, (N,), never below zero."""
    return match.once("mutual information", lambda: _mutual_information(match))


def _mutual_information(match: Match) -> Tensor:
    separate = entropy(match.source.histogram) + entropy(match.fused.histogram)
    return (separate - entropy(match.joint_histogram)).clamp(min=0)  # rounding can leave -1e-16


def _bits(match: Match) -> Tensor:
    return mutual_information(match) / math.log(2)


def _merged_bits(match: Match) -> Tensor:
    """Levels 254 and 255 share a bin of the joint histogram, but not of the others."""
    joint = match.joint_histogram.clone()
    joint[:, 254] += joint[:, 255]
    joint[:, 255] = 0
    joint[:, :, 254] += joint[:, :, 255]
    joint[:, :, 255] = 0
    separate = entropy(match.source.histogram) + entropy(match.fused.histogram)
    return (separate - entropy(joint)) / math.log(2)


def _stretched_nats(match: Match) -> Tensor:
    return mutual_information(match.stretched("zero"))


_NATS = Added(note="nats, sum of both", term=mutual_information)
_BITS = Added(note="bits, sum of both", term=_bits)
_MERGED = Added(
    note="bits; levels 254 and 255 share a bin of the joint histogram, so white raises it", term=_merged_bits
)

mi = Metric(
    name="MI",
    title="mutual information",
    direction="up",
    bounds=(0.0, 16.0),
    cost="a",
    formula="MI = I(F;A) + I(F;B), I(X;Y) = H(X) + H(Y) - H(X,Y) from 256-level histograms",
    source="Qu, Zhang, Yan 2002",
    rewards="Grey levels of the fused picture that tell which levels the sources had.",
    fooled="A copy of one source has one perfect term and beats every method; so does the pixel maximum. Look at the "
    "smaller term.",
    quirks="Bits are 1.442695 times nats. VIFB stretches each picture first; Linfeng's code merges levels 254 and 255 "
    "in the joint histogram.",
    variants={
        "canonical": _BITS,
        "cddfuse": _NATS,
        "fnet": _NATS,
        "smfnet": _NATS,
        "linfeng": _MERGED,
        "linfeng_workbook": _MERGED,
        "survey": _BITS,
        "vifb": Added(note="nats, pictures stretched to 0..255 first; per channel, averaged", term=_stretched_nats),
    },
)
