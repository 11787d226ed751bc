"""Guided-filter fusion, GFF (Li, Kang and Hu 2013, "Image fusion with guided filtering").

Two scales: a box mean of 31 x 31 and the rest. A map says which source has the larger saliency, the blurred magnitude
of its Laplacian; a guided filter draws the map along the edges of each source, coarsely for the base, finely for the
detail.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.spec import FusionModel, ModelSpec
from polyfuse.ops.boxes import box_mean
from polyfuse.ops.guided import guided_filter
from polyfuse.ops.smooth import gaussian

BASE_RADIUS = 15
"""Of the box that makes the base: 31 x 31 pixels."""
SALIENCY_SIGMA, SALIENCY_RADIUS = 5.0, 5
"""Of the Gaussian that blurs the magnitude of the Laplacian (r_g and sigma_g)."""
BASE_WEIGHTS = (45, 0.3)
"""Radius and epsilon of the guided filter for weights of the base (r_1, epsilon_1)."""
DETAIL_WEIGHTS = (7, 1e-6)
"""The same for weights of the detail (r_2, epsilon_2)."""
TINY = 1e-12


class GFF(FusionModel):
    """Base and detail, each weighed by a map that follows the edges of the sources."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: Laplacian, blur and twice the larger guided filter."""
        reach = 1 + SALIENCY_RADIUS + 2 * BASE_WEIGHTS[0]
        return ModelSpec(family="gff", receptive_radius=reach, halo=reach, bytes_per_pixel=112, fixed_bytes=4 << 20)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        base_a, base_b = box_mean(a, BASE_RADIUS), box_mean(b, BASE_RADIUS)
        saliency_a, saliency_b = _saliency(a), _saliency(b)
        # paper: leaves ties open; ours: half and half
        of_a = ((saliency_a > saliency_b).to(a.dtype) + (saliency_a >= saliency_b).to(a.dtype)) * 0.5
        fused = _weighed(of_a, (a, b), (base_a, base_b), *BASE_WEIGHTS)
        return fused + _weighed(of_a, (a, b), (a - base_a, b - base_b), *DETAIL_WEIGHTS)


def _saliency(x: Tensor) -> Tensor:
    """Blurred magnitude of the 4-neighbour Laplacian; borders repeat the edge pixel."""
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    around = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    return gaussian((around - 4 * x).abs_(), SALIENCY_SIGMA, SALIENCY_RADIUS)


def _weighed(
    of_a: Tensor, sources: tuple[Tensor, Tensor], layers: tuple[Tensor, Tensor], radius: int, steady: float
) -> Tensor:
    """Mean of two layers with the map's smoothed weights, which are made to add up to one."""
    # ours: a guided filter overshoots; weights are cut to [0, 1], as their sum could else be near 0
    weight_a = guided_filter(sources[0], of_a, radius, steady).clamp(0, 1)
    weight_b = guided_filter(sources[1], 1 - of_a, radius, steady).clamp(0, 1)
    total = weight_a + weight_b
    return torch.where(
        total > TINY, (weight_a * layers[0] + weight_b * layers[1]) / total.clamp(min=TINY), (layers[0] + layers[1]) / 2
    )
