"""The larger of both pictures: it scores high on MI, VIF and Qabf by copying, so it belongs in every table."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec


class Maximum(FusionModel):
    """fused = max(a, b), pixel by pixel."""

    @property
    def spec(self) -> ModelSpec:
        """Local to the pixel."""
        return ModelSpec(family="maximum", bytes_per_pixel=16)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W)."""
        return torch.maximum(a, b)
