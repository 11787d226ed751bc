"""QW: QS with windows of high contrast counting more."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.qs import local_variance, similarity_map
from polyfuse.metrics.ssim import GAUSSIAN_SIZE
from polyfuse.metrics.statistics import Statistics


def _weighted_mean(pictures: Statistics, *, defined: bool) -> Tensor:
    similar = similarity_map(pictures)
    weights = torch.maximum(local_variance(pictures.a), local_variance(pictures.b))
    total = weights.sum(dim=(1, 2))
    weighted = (weights * similar).sum(dim=(1, 2)) / total
    return torch.where(total == 0, similar.mean(dim=(1, 2)), weighted) if defined else weighted


def _variant(note: str, *, defined: bool) -> Joint:
    return Joint(note=note, compute=partial(_weighted_mean, defined=defined), min_size=GAUSSIAN_SIZE)


qw = Metric(
    name="QW",
    title="Piella's similarity, weighted by contrast",
    direction="up",
    bounds=(-1.0, 1.0),
    cost="b",
    formula="QW = sum(w q) / sum(w), q the windows of QS, w = max(vA, vB), v the local variance",
    source="Piella, Heijmans 2003; with SSIM as used by Liu et al. 2012",
    rewards="Local structure of the source with more contrast there, in the liveliest parts most.",
    fooled="A sharpened average comes between two published networks on six VIFB pairs: 0.77 against 0.75 and 0.81.",
    quirks="None: canonical and the code of Liu et al. agree, but for sources without any contrast.",
    variants={
        "canonical": _variant("Gaussian 11x11, L = 255; QS where both sources are constant", defined=True),
        "liu2012": _variant("Gaussian 11x11, L = 255; undefined where both sources are constant", defined=False),
    },
)
