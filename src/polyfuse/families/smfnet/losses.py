"""The losses of both SMFNet training stages, as the paper means them and as its program computes them (spec smfnet 4).

In the official program three terms have no gradient: the semantic one and both decompositions. `FIXED` repairs them and
is the default; `OFFICIAL` gives the program's numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from polyfuse.families.smfnet.lovasz import otsu_lovasz_loss
from polyfuse.losses.terms import intensity_distance, strongest_gradient_distance
from polyfuse.ops.correlation import correlation
from polyfuse.ops.gradients import gradient_magnitude, signed_gradient
from polyfuse.ops.ssim import ssim_map

DECOMPOSITION_OFFSET = 1.01
"""Keeps the denominator positive. Source: paper."""
Pair = tuple[Tensor, Tensor]
_Terms = dict[str, tuple[float, Callable[[], Tensor]]]


@dataclass(frozen=True)
class LossRules:
    """Where the paper, its program and our repairs differ; the default is the repaired form.

    The row that a field names says what paper and program do: spec ambiguities S1 to S30.
    """

    decomposition: Literal["learned", "detached"] = "learned"
    """Whether the decomposition has a gradient (spec ambiguities S1)."""
    graph_in_fusion: bool = True
    """Correlation of the graph features in stage II, as in the paper; the program takes the details' twice
    (spec ambiguities S2)."""
    graph_in_reconstruction: bool = False
    """Correlation of the graph features in stage I too: ablation 1."""
    semantic: Literal["otsu", "zeros"] = "otsu"
    """Lovasz loss of two classes by Otsu, or the program's share of pixels that are not exactly 0
    (spec ambiguities S3)."""
    ssim: Literal["plain", "clamped"] = "plain"
    """(1 - SSIM) / 2 at every pixel; or 1 - SSIM clamped to [0, 1] before it is halved, which stops gradients
    (spec ambiguities S4)."""
    per_sample: bool = False
    """Correlations of each pair by itself instead of the whole batch (spec ambiguities S8)."""


FIXED = LossRules()
OFFICIAL = LossRules(decomposition="detached", graph_in_fusion=False, semantic="zeros", ssim="clamped")


@dataclass(frozen=True)
class ReconstructionWeights:
    """Weights of the stage I terms. Source: official code, with which the paper agrees but for the scale of SSIM."""

    structure: float = 8.0
    """Weight of each source's SSIM distance, alpha3."""
    gradient: float = 10.0
    """Weight of each source's gradient term, beta1."""
    semantic: float = 1.0
    """Weight of the semantic term."""
    intensity: float = 1.0
    """Weight of the Gram term."""
    signed_gradient: float = 5.0
    """Weight of the signed gradients, alpha2."""
    decomposition: float = 2.0
    """Weight of the decomposition, alpha1."""


@dataclass(frozen=True)
class FusionWeights:
    """Weights of the stage II terms.

    Source: official code; the paper has gradient 2 and decomposition 10 (spec ambiguities S5).
    """

    intensity: float = 1.0
    """Weight of the intensity term."""
    gradient: float = 10.0
    """Weight of the gradient term, alpha5."""
    decomposition: float = 2.0
    """Weight of the decomposition, alpha4."""


def ssim_distance(predicted: Tensor, target: Tensor, kind: Literal["plain", "clamped"] = "plain") -> Tensor:
    """Mean of (1 - SSIM) / 2, on reflected borders.

    Args:
        predicted: (N, 1, H, W).
        target: Same shape, in [0, 1].
        kind: See `LossRules.ssim`.
    """
    distance = 1 - ssim_map(predicted, target, "reflect")
    if kind == "clamped":
        distance = distance.clamp(0, 1)
    return distance.mean() / 2


def gradient_distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the Sobel magnitudes."""
    return (gradient_magnitude(predicted) - gradient_magnitude(target)).abs().mean()


def gram_distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Squared difference of the mean squares of both pictures, mean over the batch.

    Source: official code, where these are Gram matrices of one channel; the paper has the norm of their difference.
    """
    return (_mean_square(predicted) - _mean_square(target)).square().mean()


def _mean_square(x: Tensor) -> Tensor:
    return x.square().mean(dim=(1, 2, 3))


def zeros_loss(target: Tensor) -> Tensor:
    """Share of pixels that are not exactly 0, but 0 if no pixel is; no prediction enters it.

    Source: what the official program's Lovasz-softmax over a single channel comes to.
    """
    zeros = (target == 0).to(target.dtype).mean()
    return torch.where(zeros > 0, 1 - zeros, 0)


def decomposition(details: list[Pair], base: Pair, rules: LossRules = FIXED) -> Tensor:
    """Sum of squared correlations of what should differ, over 1.01 plus the correlation of what should not.

    Args:
        details: Features of a and of b that should not correlate, one pair per summand.
        base: Features of a and of b that should.
        rules: See `LossRules`.

    Source: SMFNet paper.
    """
    unlike = [correlation(*pair, per_sample=rules.per_sample).square() for pair in details]
    alike = correlation(*base, per_sample=rules.per_sample)
    ratio = (torch.stack(unlike).sum(dim=0) / (alike + DECOMPOSITION_OFFSET)).mean()
    return ratio.detach() if rules.decomposition == "detached" else ratio


def reconstruction_terms(
    reconstructed_a: Tensor,
    reconstructed_b: Tensor,
    a: Tensor,
    b: Tensor,
    base: Pair,
    detail: Pair,
    graph: Pair | None = None,
    *,
    weights: ReconstructionWeights | None = None,
    rules: LossRules = FIXED,
) -> dict[str, Tensor]:
    """Weighted terms of stage I by name; their sum is minimised.

    Args:
        reconstructed_a: Reconstruction of a, (N, 1, H, W).
        reconstructed_b: Reconstruction of b, same shape.
        a: (N, 1, H, W) in [0, 1], infrared: the Gram term compares it alone.
        b: Same shape, visible: the semantic term and the signed gradients compare it alone.
        base: Base features of a and b, (N, d, H, W).
        detail: Detail features.
        graph: Graph features, None where there is no graph; used with `rules.graph_in_reconstruction`.
        weights: Weights of the terms; a term with weight 0 is left out.
        rules: Which form each term has.
    """
    chosen = weights or ReconstructionWeights()
    details = [detail, graph] if rules.graph_in_reconstruction and graph is not None else [detail]
    terms: _Terms = {
        "structure_a": (chosen.structure, lambda: ssim_distance(reconstructed_a, a, rules.ssim)),
        "structure_b": (chosen.structure, lambda: ssim_distance(reconstructed_b, b, rules.ssim)),
        "gradient_a": (chosen.gradient, lambda: gradient_distance(reconstructed_a, a)),
        "gradient_b": (chosen.gradient, lambda: gradient_distance(reconstructed_b, b)),
        "semantic": (
            chosen.semantic,
            lambda: otsu_lovasz_loss(reconstructed_b, b) if rules.semantic == "otsu" else zeros_loss(b),
        ),
        "intensity": (chosen.intensity, lambda: gram_distance(reconstructed_a, a)),
        "signed_gradient": (
            chosen.signed_gradient,
            lambda: (signed_gradient(reconstructed_b) - signed_gradient(b)).abs().mean(),
        ),
        "decomposition": (chosen.decomposition, lambda: decomposition(details, base, rules)),
    }
    return _weighted(terms)


def fusion_terms(
    fused: Tensor,
    a: Tensor,
    b: Tensor,
    base: Pair,
    detail: Pair,
    graph: Pair | None = None,
    *,
    weights: FusionWeights | None = None,
    rules: LossRules = FIXED,
) -> dict[str, Tensor]:
    """Weighted terms of stage II by name; their sum is minimised.

    Args:
        fused: (N, 1, H, W), not stretched.
        a: Same shape, in [0, 1].
        b: Same shape, in [0, 1].
        base: Base features of a and b, (N, d, H, W).
        detail: Detail features.
        graph: Graph features, None where there is no graph.
        weights: Weights of the terms; a term with weight 0 is left out.
        rules: Which form each term has.
    """
    chosen = weights or FusionWeights()
    # official: the details' correlation twice where the paper has the graph's
    second = graph if rules.graph_in_fusion else detail
    details = [detail] if second is None else [detail, second]
    terms: _Terms = {
        "intensity": (chosen.intensity, lambda: intensity_distance(fused, a, b)),
        "gradient": (chosen.gradient, lambda: strongest_gradient_distance(fused, a, b)),
        "decomposition": (chosen.decomposition, lambda: decomposition(details, base, rules)),
    }
    return _weighted(terms)


def _weighted(terms: _Terms) -> dict[str, Tensor]:
    """Each term times its weight; a term with weight 0 is not computed."""
    return {name: weight * term() for name, (weight, term) in terms.items() if weight}
