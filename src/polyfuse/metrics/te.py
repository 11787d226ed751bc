"""TE: Tsallis mutual information between each source and the fused picture."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.metrics.metric import Added, Joint, Metric
from polyfuse.metrics.statistics import Match, Plane, Statistics

ORDER = 1.85
SURVEY_GUARD = 1e-10


def is_undefined(plane: Plane) -> Tensor:
    """Where Liu's stretch to 0..255 divides zero by zero: constant pictures that are not black, (N,)."""

    def make() -> Tensor:
        low, high = plane.values.amin(dim=(1, 2)), plane.values.amax(dim=(1, 2))
        return (low == high) & (high != 0)

    return plane.once("constant, not black", make)


def tsallis_information(joint: Tensor, *, swapped: bool = False) -> Tensor:
    """Tsallis mutual information of order 1.85.

    Args:
        joint: (N, L, L) shares of pixels, indexed [picture, level of source, level of fused].
        swapped: Divide by the marginals of the other picture; entries where that is zero are left out.

    Returns:
        (N,), 0 for independent pictures unless `swapped`.
    """
    source, fused = joint.sum(dim=2), joint.sum(dim=1)
    if swapped:
        source, fused = fused, source
    expected = source[:, :, None] * fused[:, None, :]
    counts = (joint > 0) & (expected > 0)
    ratio = torch.where(counts, joint, 0.0) / torch.where(counts, expected, 1.0)
    return (1 - (joint * ratio.pow(ORDER - 1)).sum(dim=(1, 2))) / (1 - ORDER)


def _stretched(match: Match) -> Tensor:
    return tsallis_information(match.stretched("keep").joint_histogram)


def _swapped(match: Match) -> Tensor:
    value = tsallis_information(match.stretched("zero").joint_histogram, swapped=True)
    return torch.where(is_undefined(match.source) | is_undefined(match.fused), torch.nan, value)


def _entropy_difference(pictures: Statistics) -> Tensor:
    """H(A) + H(B) - H(F), bits."""

    def guarded_bits(plane: Plane) -> Tensor:
        return -(plane.histogram * torch.log2(plane.histogram + SURVEY_GUARD)).sum(dim=1)

    return guarded_bits(pictures.a) + guarded_bits(pictures.b) - guarded_bits(pictures.fused)


te = Metric(
    name="TE",
    title="Tsallis mutual information",
    direction="up",
    bounds=(0.0, float("inf")),
    cost="a",
    formula="TE = T(A,F) + T(B,F), T(X,F) = (1 - sum_kl h(k,l)^q / (h_X(k) h_F(l))^(q-1)) / (1 - q), q = 1.85, on "
    "pictures stretched to 0..255",
    source="Cvejic, Canagarajah, Bull 2006",
    rewards="Grey levels of the fused picture that tell which levels the sources had, rare levels most.",
    fooled="A copy of one source has one perfect term: 119 against 6 and 10 of two published networks on six VIFB "
    "pairs; the pixel maximum has 80.",
    quirks="The code of Liu et al. divides by the marginals of the wrong picture: 289 instead of 17 on one pair. The "
    "survey's TE is a difference of entropies and has nothing to do with it.",
    variants={
        "canonical": Added(note="sum of both, pictures stretched to 0..255 first", term=_stretched),
        "liu2012": Added(note="marginals swapped; no value for a constant picture that is not black", term=_swapped),
        "survey": Joint(note="H(A) + H(B) - H(F) in bits: falls as the fused picture gets richer",
                        compute=_entropy_difference),
    },
)  # fmt: skip
