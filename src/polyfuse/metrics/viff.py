"""VIFF: visual information fidelity for fusion, each place judged by the source it keeps less of."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.statistics import Statistics
from polyfuse.metrics.vif import CENTRED, MIN_SIZE, NUM_SCALES, channel

NOISE = 0.005 * 255**2
"""Variance of the visual noise, on 0..255."""
SCALE_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)
"""Weight of each scale, finest first."""


def _fidelity(pictures: Statistics) -> Tensor:
    """Weighted mean of the ratios of the scales, (N,)."""
    scales = range(1, NUM_SCALES + 1)
    weighted = [_ratio(pictures, scale) * weight for scale, weight in zip(scales, SCALE_WEIGHTS, strict=True) if weight]
    return torch.stack(weighted).sum(dim=0)


def _ratio(pictures: Statistics, scale: int) -> Tensor:
    """Information kept over information present on one scale, each place by the source with the smaller gain, (N,)."""
    one, other = (channel(match, scale, CENTRED) for match in (pictures.match_a, pictures.match_b))
    # ours: at equal gains half of each, where the first source would make the score depend on their order
    share = (one.gain < other.gain).to(one.gain) + (one.gain == other.gain) / 2
    kept = present = torch.zeros_like(share[:, 0, 0])
    for estimate, part in ((one, share), (other, 1 - share)):
        signal = estimate.gain.square() * estimate.variance / (estimate.noise + NOISE)
        kept = kept + (part * signal.log1p()).sum(dim=(1, 2))
        present = present + (part * (estimate.variance / NOISE).log1p()).sum(dim=(1, 2))
    return torch.where(present > 0, kept / present, 1.0)


viff = Metric(
    name="VIFF",
    title="visual information fidelity for fusion",
    direction="up",
    bounds=(0.0, float("inf")),
    cost="b",
    formula="(r1 + 0.15 r3 + r4) / 2.15, r = sum log(1 + g^2 v / (w + s)) / sum log(1 + v / s) on a scale, s = 0.005 "
    "255^2; g, v and w as in VIF, at each place those of the source with the smaller g; a scale without detail counts "
    "1",
    source="Han, Cai, Cao, Xu 2013",
    rewards="Local contrast that follows even the source it follows less.",
    fooled="Sharpening raises every gain. Where a source is flat its gain is zero and it has nothing to keep, so the "
    "other source does not count there.",
    quirks="MEFB prints it as VIF, from the L channel of Lab; here grey is scored.",
    variants={
        "canonical": Joint(
            note="on grey, where MEFB takes the L channel of Lab; at equal gains half of each source",
            compute=_fidelity,
            min_size=MIN_SIZE,
        ),
    },
)
