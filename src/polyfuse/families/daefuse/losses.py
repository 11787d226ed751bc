"""The content losses of both DAE-Fuse training phases (spec daefuse 3.1 and 4.1); `adversarial` has the other half.

The paper says that the autoencoder reconstructs each source and that the fused picture is judged by two discriminators.
It names no content losses; these are ours, the usual ones of such networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from polyfuse.losses.terms import intensity_distance
from polyfuse.ops.gradients import signed_gradient
from polyfuse.ops.ssim import ssim_map

SOBEL_SCALE = 8
"""`signed_gradient` divides Sobel's kernels by this."""


@dataclass(frozen=True)
class ReconstructionWeights:
    """Weights of the phase 1 terms of each source."""

    squares: float = 10.0
    """Weight of the mean squared difference."""
    structure: float = 1.0
    """Weight of 1 - SSIM."""


@dataclass(frozen=True)
class FusionWeights:
    """Weights of the phase 2 terms; networks akin to CDDFuse have intensity 1 and gradient 10."""

    intensity: float = 10.0
    """Weight of the distance from the larger source."""
    gradient: float = 1.25
    """Weight of the distance from the larger gradient."""
    structure: float = 0.0
    """Weight of 2 - SSIM(fused, a) - SSIM(fused, b)."""


def squared_distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two (N, 1, H, W)."""
    return (predicted - target).square().mean()


def structural_distance(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - mean SSIM where the window lies inside the picture; both (N, 1, H, W), sides of 11 or more."""
    return 1 - ssim_map(predicted, target, "none").mean()


def gradient_distance(fused: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Mean of |g(fused) - max(g(a), g(b))|, g = |Sobel_x| + |Sobel_y|, border replicated."""
    return (_steepness(fused) - torch.maximum(_steepness(a), _steepness(b))).abs().mean()


def _steepness(x: Tensor) -> Tensor:
    """|Sobel_x| + |Sobel_y| of (N, 1, H, W), not divided by eight."""
    return SOBEL_SCALE * signed_gradient(x).abs().sum(dim=1, keepdim=True)


def reconstruction_terms(
    reconstructed_a: Tensor,
    reconstructed_b: Tensor,
    a: Tensor,
    b: Tensor,
    *,
    weights: ReconstructionWeights | None = None,
) -> dict[str, Tensor]:
    """Weighted terms of phase 1 by name; their sum is minimised.

    Args:
        reconstructed_a: Reconstruction of a, (N, 1, H, W).
        reconstructed_b: Reconstruction of b, same shape.
        a: (N, 1, H, W) in [0, 1].
        b: Same shape.
        weights: Weights of the terms.
    """
    chosen = weights or ReconstructionWeights()
    terms = {}
    for source, reconstructed, target in (("a", reconstructed_a, a), ("b", reconstructed_b, b)):
        terms[f"squares_{source}"] = chosen.squares * squared_distance(reconstructed, target)
        terms[f"structure_{source}"] = chosen.structure * structural_distance(reconstructed, target)
    return terms


def fusion_terms(fused: Tensor, a: Tensor, b: Tensor, *, weights: FusionWeights | None = None) -> dict[str, Tensor]:
    """Weighted content terms of phase 2 by name; their sum is minimised.

    Args:
        fused: (N, 1, H, W).
        a: Same shape, in [0, 1].
        b: Same shape, in [0, 1].
        weights: Weights of the terms; the structural term is left out where its weight is 0.
    """
    chosen = weights or FusionWeights()
    terms = {
        "intensity": chosen.intensity * intensity_distance(fused, a, b),
        "gradient": chosen.gradient * gradient_distance(fused, a, b),
    }
    if chosen.structure:
        distance = structural_distance(fused, a) + structural_distance(fused, b)
        terms["structure"] = chosen.structure * distance
    return terms
