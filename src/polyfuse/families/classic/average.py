"""The mean: the weakest sensible baseline, which halves every contrast that only one picture has."""

from __future__ import annotations

from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec


class Average(FusionModel):
    """fused = (a + b) / 2, pixel by pixel."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: an output pixel depends on the same pixel of a and b alone."""
        return ModelSpec(family="average", bytes_per_pixel=16)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        return (a + b) * 0.5
