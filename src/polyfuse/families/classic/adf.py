"""Anisotropic diffusion and Karhunen-Loeve transform, ADF (Bavirisetti and Dhuli 2016).

"Fusion of infrared and visible sensor images based on anisotropic diffusion and Karhunen-Loeve transform". Base: the
source after ten steps of the diffusion of Perona and Malik; both are averaged. Details: what is taken off; their
weights are the entries of the first eigenvector of the two details' covariance over the picture, made to add up to
one.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.spec import FusionModel, ModelSpec, Windows

STEPS = 10
RATE = 0.15
"""Step in time (lambda)."""
EDGE = 30 / 255
"""Difference of neighbours at which the diffusion slows down, white is 1 (kappa, 30 grey levels)."""


class ADF(FusionModel):
    """Mean of the diffused sources, details with the weights of their first principal axis."""

    moments: Tensor | None = None
    """Number of pixels, sums and products of the details of the whole picture, (6,) float64; None: of each picture."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: one pixel per step; the covariance is that of the whole picture."""
        return ModelSpec(
            family="adf", receptive_radius=None, halo=STEPS, surveys=1, bytes_per_pixel=64, fixed_bytes=4 << 20
        )

    def surveyed(self, windows: Windows) -> FusionModel:
        """Measure the details' covariance over all tiles."""
        model = copy.copy(self)
        model.moments = torch.stack(
            [_moments((a - diffused(a))[..., crop[0], crop[1]], (b - diffused(b))[..., crop[0], crop[1]])[0]
             for a, b, crop in windows()]
        ).sum(dim=0)  # fmt: skip
        return model

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        base_a, base_b = diffused(a), diffused(b)
        moments = _moments(a - base_a, b - base_b) if self.moments is None else self.moments[None]
        weight = _weight_of_a(moments).to(a.dtype).reshape(-1, 1, 1, 1)
        return (base_a + base_b) * 0.5 + weight * (a - base_a) + (1 - weight) * (b - base_b)


def diffused(x: Tensor) -> Tensor:
    """The picture after all steps, (N, 1, H, W); nothing flows over the border."""
    for _ in range(STEPS):
        down, right = x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]
        # paper: either conductance of Perona and Malik; ours: 1 / (1 + (d / kappa)^2), which favours wide regions
        down, right = (RATE * step / (1 + (step / EDGE).square()) for step in (down, right))
        flow = functional.pad(down, (0, 0, 0, 1)) - functional.pad(down, (0, 0, 1, 0))
        x = x + flow + functional.pad(right, (0, 1)) - functional.pad(right, (1, 0))
    return x


def _moments(a: Tensor, b: Tensor) -> Tensor:
    """Count, sums, squares and product of two details, (N, 6) float64."""
    a, b = a.double().flatten(1), b.double().flatten(1)
    count = torch.full_like(a[:, 0], a.shape[1])
    return torch.stack([count, a.sum(1), b.sum(1), (a * a).sum(1), (b * b).sum(1), (a * b).sum(1)], dim=1)


def _weight_of_a(moments: Tensor) -> Tensor:
    """Share of the first eigenvector's entry of a, (N,) in [0, 1]; a half where there are no details."""
    count, sum_a, sum_b, squares_a, squares_b, products = moments.unbind(dim=1)
    variance_a, variance_b = squares_a - sum_a * sum_a / count, squares_b - sum_b * sum_b / count
    covariance = products - sum_a * sum_b / count
    half = (variance_a - variance_b) / 2
    # the eigenvector is (half + radius, covariance); ours: absolute entries, so that opposed details add up to one too
    radius = (half.square() + covariance.square()).sqrt()
    first = torch.where(half >= 0, half + radius, covariance.abs())
    second = torch.where(half >= 0, covariance.abs(), radius - half)
    total = first + second
    return torch.where(total > 0, first / total.clamp(min=torch.finfo(total.dtype).tiny), torch.full_like(total, 0.5))
