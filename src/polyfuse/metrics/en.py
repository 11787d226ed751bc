"""EN: entropy of the grey levels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polyfuse.metrics.metric import Alone, Metric
from polyfuse.metrics.statistics import Plane
from polyfuse.ops.entropy import entropy

SURVEY_GUARD = 1e-7


def _bits(fused: Plane) -> Tensor:
    return entropy(fused.histogram) / math.log(2)


def _guarded_bits(fused: Plane) -> Tensor:
    shares = fused.histogram
    return -(shares * torch.log2(shares + SURVEY_GUARD)).sum(dim=1)


_PLAIN = Alone(note="bits, 256 levels", compute=_bits)

en = Metric(
    name="EN",
    title="entropy",
    direction="none",
    bounds=(0.0, 8.0),
    cost="a",
    needs_sources=False,
    formula="EN = -sum_k h(k) log2 h(k), h(k) the share of pixels of grey level k of the fused picture, empty levels "
    "skipped",
    source="Roberts, van Aardt, Ahmed 2008; formula of Shannon",
    rewards="Many grey levels, evenly used.",
    fooled="Noise and contrast stretching raise it; it never looks at the sources.",
    quirks="VIFB averages the entropies of the colour channels, which is not the entropy of the grey picture.",
    variants={
        "canonical": _PLAIN,
        "cddfuse": _PLAIN,
        "smfnet": _PLAIN,
        "linfeng": _PLAIN,
        "linfeng_workbook": _PLAIN,
        "vifb": Alone(note="bits, per channel, averaged", compute=_bits),
        "survey": Alone(note="bits, 1e-7 inside the logarithm: up to 1e-4 lower", compute=_guarded_bits),
    },
)
