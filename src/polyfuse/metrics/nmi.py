"""NMI: mutual information over the entropies."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.metrics.metric import Added, Joint, Metric
from polyfuse.metrics.mi import mutual_information
from polyfuse.metrics.statistics import Match, Statistics
from polyfuse.ops.entropy import entropy

SURVEY_GUARD = 1e-10


def _normalised(match: Match) -> Tensor:
    """2 I(X;F) / (H(X) + H(F)), (N,); 0 where both are constant."""
    entropies = entropy(match.source.histogram) + entropy(match.fused.histogram)
    return torch.where(entropies > 0, 2 * mutual_information(match) / entropies, 0.0)


def _stretched(match: Match) -> Tensor:
    """`_normalised` of pictures stretched to 0..255; NaN for a constant picture that is not black."""
    flat = [(plane.centred == 0).all(dim=(1, 2)) & (plane.values.amax(dim=(1, 2)) > 0)
            for plane in (match.source, match.fused)]  # fmt: skip
    return torch.where(flat[0] | flat[1], torch.nan, _normalised(match.stretched("zero")))


def _over_sources(pictures: Statistics) -> Tensor:
    """2 MI over the entropies of the sources; that of the fused picture is left out."""

    def guarded(shares: Tensor) -> Tensor:
        return -(shares * torch.log(shares + SURVEY_GUARD)).sum(dim=1)

    total = mutual_information(pictures.match_a) + mutual_information(pictures.match_b)
    return 2 * total / (guarded(pictures.a.histogram) + guarded(pictures.b.histogram))


nmi = Metric(
    name="NMI",
    title="normalised mutual information",
    direction="up",
    bounds=(0.0, 2.0),
    cost="a",
    formula="NMI = 2 [I(A;F) / (H(A) + H(F)) + I(B;F) / (H(B) + H(F))]",
    source="Hossny, Nahavandi, Creighton 2008",
    rewards="What MI rewards, whatever the entropies of the pictures.",
    fooled="As MI: a copy of one source has one perfect term.",
    quirks="The survey's code leaves the fused picture's entropy out of the denominator.",
    variants={
        "canonical": Added(note="sum of both", term=_normalised),
        "liu2012": Added(note="pictures stretched to 0..255 first (Q_MI)", term=_stretched),
        "survey": Joint(note="2 MI / (H(A) + H(B))", compute=_over_sources),
    },
)
