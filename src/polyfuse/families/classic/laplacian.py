"""The Laplacian pyramid (Burt and Adelson 1983): details by larger magnitude, the mean of the base.

It has 4 levels; each is low-passed by the binomial kernel (1, 4, 6, 4, 1) / 16 in both directions and every second
pixel is kept; the detail is what the expanded lower level lacks. Borders repeat the edge pixel. Identical inputs come
back exactly up to rounding, and any size from 1 x 1 works.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec
from polyfuse.ops.pyramid import expand, shrink

LEVELS = 4


class Laplacian(FusionModel):
    """Laplacian-pyramid fusion; selection by magnitude on the details, mean of the coarsest level."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: the reach of all levels; tiles start at pixels that the coarsest level keeps."""
        radius = sum(2 * 2**level for level in range(LEVELS)) * 2
        return ModelSpec(
            family="laplacian",
            receptive_radius=radius,
            halo=-(-radius // 2**LEVELS) * 2**LEVELS,
            multiple_of=2**LEVELS,
            # measured on a CPU, 300 to 2,500 pixels a side: 29 to 35 bytes
            bytes_per_pixel=48,
            fixed_bytes=4 << 20,
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        details = []
        for _ in range(LEVELS):
            smaller_a, smaller_b = shrink(a), shrink(b)
            detail_a, detail_b = a - expand(smaller_a, a.shape), b - expand(smaller_b, b.shape)
            larger, smaller = torch.maximum(detail_a, detail_b), torch.minimum(detail_a, detail_b)
            details.append(torch.where(detail_a + detail_b > 0, larger, smaller))  # by magnitude, ties symmetric
            a, b = smaller_a, smaller_b
        fused = (a + b) * 0.5
        for detail in reversed(details):
            fused = detail + expand(fused, detail.shape)
        return fused
