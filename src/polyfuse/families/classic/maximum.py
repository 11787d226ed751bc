"""The maximum: a baseline that scores high on MI, VIF and Qabf by copying."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec


class Maximum(FusionModel):
    """fused = max(a, b), pixel by pixel."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: an output pixel depends on the same pixel of a and b alone."""
        return ModelSpec(family="maximum", bytes_per_pixel=16)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        return torch.maximum(a, b)
