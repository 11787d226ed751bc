"""Ratio of low-pass pyramid, ROLP (Toet 1989, "Image fusion by a ratio of low-pass pyramid").

A level is the quotient of a Gaussian picture and the expanded next one; that farther from 1 is taken. The contrast
pyramid (Toet, van Ruyven and Valeton 1989, "Merging thermal and visual images by a contrast pyramid") is the same
less 1, so that its details are the same ones.

The two differ here by the coarsest picture. ROLP applies its rule there too: on grey levels of 1 and more the one
farther from 1 is the brighter one. The contrast pyramid takes the mean. ours: 4 levels, as the other pyramids here
have.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec
from polyfuse.ops.pyramid import expand, shrink

LEVELS = 4
BLACK = 1 / 255
"""ours: added to both sources, so that nothing is divided by 0: one grey level."""


class Ratio(FusionModel):
    """Quotients farther from 1 on the brighter base."""

    family = "ratio"

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: those of the Laplacian pyramid."""
        radius = sum(2 * 2**level for level in range(LEVELS)) * 2
        return ModelSpec(
            family=self.family,
            receptive_radius=radius,
            halo=-(-radius // 2**LEVELS) * 2**LEVELS,
            multiple_of=2**LEVELS,
            bytes_per_pixel=64,
            fixed_bytes=4 << 20,
        )

    def base(self, a: Tensor, b: Tensor) -> Tensor:
        """The coarsest picture of the result."""
        return torch.maximum(a, b)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape and may leave [0, 1]."""
        a, b = a.clamp(min=0) + BLACK, b.clamp(min=0) + BLACK  # sources are in [0, 1]; quotients need positive numbers
        ratios = []
        for _ in range(LEVELS):
            smaller_a, smaller_b = shrink(a), shrink(b)
            ratio_a, ratio_b = a / expand(smaller_a, a.shape), b / expand(smaller_b, b.shape)
            ratios.append(torch.where((ratio_a - 1).abs() > (ratio_b - 1).abs(), ratio_a, ratio_b))
            a, b = smaller_a, smaller_b
        fused = self.base(a, b)
        for ratio in reversed(ratios):
            fused = ratio * expand(fused, ratio.shape)
        return fused - BLACK
