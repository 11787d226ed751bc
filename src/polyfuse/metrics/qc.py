"""QC: local similarity to both sources, weighted by their covariance with the fused picture."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.qy import CANONICAL, LIU, SIZE, Locally, share
from polyfuse.metrics.statistics import Statistics


def _similarity(pictures: Statistics, *, locally: Locally) -> Tensor:
    weight = share(locally.covariance(pictures.match_a), locally.covariance(pictures.match_b))
    one, other = locally.similarity(pictures.match_a), locally.similarity(pictures.match_b)
    similar = torch.lerp(other, one, weight).masked_fill_(weight < 0, 0).masked_fill_(weight > 1, 1)
    return similar.mean(dim=(1, 2))


def _variant(note: str, locally: Locally) -> Joint:
    return Joint(note=note, compute=partial(_similarity, locally=locally), min_size=SIZE, symmetric=False)


qc = Metric(
    name="QC",
    title="similarity weighted by covariance",
    direction="up",
    bounds=(-1.0, 1.0),
    cost="b",
    formula="QC = mean over local windows of s ssim(A,F) + (1 - s) ssim(B,F), s = c_AF / (c_AF + c_BF), c the local "
    "covariance; 0 where s < 0 and 1 where s > 1",
    source="Cvejic, Loza, Bull, Canagarajah 2005; constants as used by Liu et al. 2012",
    rewards="Local structure of the source that the fused picture follows.",
    fooled="A copy of the infrared source has 0.76 against 0.57 and 0.60 of two published networks on six VIFB pairs.",
    quirks="Clips the score instead of the weight: where one covariance is negative a window counts 0 or 1 whatever "
    "its similarity, and exchanging the sources exchanges 0 and 1. The code of Liu et al. often has "
    "no value because flat areas divide zero by zero; here both sources count alike there.",
    variants={
        "canonical": _variant("constants of 1e-8 times 255^2; a half where both covariances vanish", CANONICAL),
        "liu2012": _variant("constants of 2e-16, variances below 1e-9 taken as zero", LIU),
    },
)
