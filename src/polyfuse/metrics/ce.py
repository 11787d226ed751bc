"""CE: what the field calls cross entropy, a divergence of a source's grey levels from the fused picture's."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.metrics.metric import Added, Joint, Metric
from polyfuse.metrics.statistics import Match, Plane, Statistics

FLOOR = 1e-10
SIGMOID_GUARD = 1e-7


def _with_floor(match: Match) -> Tensor:
    """Divergence with a floor under all shares: levels the fused picture lacks count strongly, (N,) bits."""
    source, fused = match.source.histogram, match.fused.histogram
    return (source * torch.log2((source + FLOOR) / (fused + FLOOR))).sum(dim=1)


def _dropped(match: Match) -> Tensor:
    """Divergence without the levels that one of the two lacks, (N,) bits; can be negative."""
    source, fused = match.source.histogram, match.fused.histogram
    both = (source > 0) & (fused > 0)
    ratio = torch.where(both, source, 1.0) / torch.where(both, fused, 1.0)
    return (source * torch.log2(ratio)).sum(dim=1)


def _of_sigmoids(pictures: Statistics) -> Tensor:
    """Binary cross entropy of sigmoids of grey levels, float32, nats."""

    def probability(plane: Plane) -> Tensor:
        return torch.sigmoid(plane.values.float())

    target = (probability(pictures.a) + probability(pictures.b)) / 2
    target, guess = (x.clamp(SIGMOID_GUARD, 1 - SIGMOID_GUARD) for x in (target, probability(pictures.fused)))
    loss = -(target * guess.log() + (1 - target) * (1 - guess).log())
    return loss.mean(dim=(1, 2)).double()


_FLOOR = Added(note="bits, mean of both, missing levels punished", term=_with_floor, mean=True)

ce = Metric(
    name="CE",
    title="cross entropy",
    direction="down",
    bounds=(0.0, 33.3),
    cost="a",
    formula="CE = (D(A,F) + D(B,F)) / 2, D(X,F) = sum_k h_X(k) log2((h_X(k) + e) / (h_F(k) + e)), e = 1e-10",
    source="Bulanon, Burks, Alchanatis 2009; the floor e is ours",
    rewards="Grey levels used as often as in the sources.",
    fooled="Without the floor, levels missing from the fused picture cost nothing: the average improves from 4.1 to "
    "1.5 on TNO. Copying a source halves it.",
    quirks="A Kullback-Leibler divergence everywhere but in the survey's code. VIFB averages the two divergences, "
    "FNet's table adds them; both leave out levels the fused picture lacks.",
    variants={
        "canonical": _FLOOR,
        "ce_eps": _FLOOR,
        "vifb": Added(note="bits, mean of both, missing levels left out; per channel", term=_dropped, mean=True),
        "vifb_gray": Added(note="bits, mean of both, missing levels left out, on grey", term=_dropped, mean=True),
        "fnet": Added(note="bits, sum of both, missing levels left out, on grey pictures", term=_dropped),
        "survey": Joint(note="binary cross entropy of sigmoids of grey levels: only near-black pixels count",
                        compute=_of_sigmoids),
    },
)  # fmt: skip
