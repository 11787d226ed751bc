"""Distances that losses are made of, and the losses of FNet, which FNet-T has too (spec fnet 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from polyfuse.ops.blur import gaussian_blur
from polyfuse.ops.gradients import gradient_magnitude, signed_gradient
from polyfuse.ops.ssim import ssim_map

BRIGHTNESS_SIGMA = 4.0
"""Blur, in pixels, that leaves brightness and takes texture off."""


def intensity_distance(fused: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Mean of |fused - max(a, b)|, all (N, 1, H, W)."""
    return (fused - torch.maximum(a, b)).abs().mean()


def strongest_gradient_distance(fused: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of the Sobel magnitude of fused from the larger one of a and b, all (N, 1, H, W)."""
    strongest = torch.maximum(gradient_magnitude(a), gradient_magnitude(b))
    return (gradient_magnitude(fused) - strongest).abs().mean()


def brightness_distance(fused: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Mean of the squared difference of fused and max(a, b), both blurred by `BRIGHTNESS_SIGMA`: ours.

    It holds the brightness of large areas and leaves texture free. All (N, 1, H, W), any size.
    """
    return gaussian_blur(fused - torch.maximum(a, b), BRIGHTNESS_SIGMA).square().mean()


def reconstruction_terms(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Stage I terms for one source: (mean absolute difference, mean absolute difference of signed gradients).

    Args:
        predicted: (N, 1, H, W).
        target: Same shape, in [0, 1].

    Source: FNet paper, equation 25; gradient convention from the official code.
    """
    intensity = (predicted - target).abs().mean()
    gradient = (signed_gradient(predicted) - signed_gradient(target)).abs().mean()
    return intensity, gradient


def reconstruction_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Stage I loss of one source; the stage adds it up over both."""
    intensity, gradient = reconstruction_terms(predicted, target)
    return intensity + gradient


@dataclass(frozen=True)
class FusionLossWeights:
    """Weights of the stage II terms. Source: official code (lost in the paper's text)."""

    intensity: float = 20.0
    """Weight of the intensity term."""
    gradient: float = 20.0
    """Weight of the gradient term."""
    ssim: float = 15.0
    """Weight of the structural term."""


@dataclass(frozen=True, eq=False)
class FusionTerms:
    """Unweighted stage II terms, scalars."""

    intensity: Tensor
    """mean |fused - max(a, b)|."""
    gradient: Tensor
    """mean |g(fused) - max(g(a), g(b))|."""
    structure: Tensor
    """1 - (w_a SSIM(a, fused) + w_b SSIM(b, fused))."""

    def total(self, weights: FusionLossWeights) -> Tensor:
        """The weighted sum of the terms, a scalar."""
        return weights.intensity * self.intensity + weights.gradient * self.gradient + weights.ssim * self.structure


def fusion_terms(
    fused: Tensor,
    a: Tensor,
    b: Tensor,
    *,
    per_sample: bool = False,
    batch_mean: Callable[[Tensor], Tensor] = lambda mean: mean,
) -> FusionTerms:
    """Stage II terms of FNet.

    Args:
        fused: (N, 1, H, W), not clamped.
        a: Same shape, in [0, 1].
        b: Same shape, in [0, 1].
        per_sample: Weigh the two similarities by each sample's own gradients instead of the batch's.  # ours
        batch_mean: Turns a mean over this part of the batch into the mean over all processes that share it.

    Source: FNet paper, stage II; conventions from the official code (spec fnet 7).
    """
    gradient_a, gradient_b = gradient_magnitude(a), gradient_magnitude(b)
    intensity = intensity_distance(fused, a, b)
    gradient = (gradient_magnitude(fused) - torch.maximum(gradient_a, gradient_b)).abs().mean()
    dims = (1, 2, 3) if per_sample else (0, 1, 2, 3)
    strength_a, strength_b = gradient_a.mean(dim=dims), gradient_b.mean(dim=dims)
    if not per_sample:
        strength_a, strength_b = batch_mean(strength_a), batch_mean(strength_b)
    total = strength_a + strength_b
    # ours: two flat pictures count equally, where the official code divides by zero
    share_a = torch.where(total > 0, strength_a / total.clamp_min(torch.finfo(a.dtype).tiny), 0.5)
    similar_a = ssim_map(a, fused).mean(dim=dims)
    similar_b = ssim_map(b, fused).mean(dim=dims)
    structure = 1 - (share_a * similar_a + (1 - share_a) * similar_b).mean()
    return FusionTerms(intensity, gradient, structure)


def fusion_loss(fused: Tensor, a: Tensor, b: Tensor, weights: FusionLossWeights | None = None) -> Tensor:
    """Stage II loss: 20 intensity + 20 gradient + 15 structure by default."""
    return fusion_terms(fused, a, b).total(weights or FusionLossWeights())
