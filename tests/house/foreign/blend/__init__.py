"""Blend, a family that does not come with polyfuse: each pixel is a weighted mean of both sources.

    weight = sigmoid(W * [a, b])            fused = weight a + (1 - weight) b

This folder is what a new family takes; `docs/developing/adding.md` walks through it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from polyfuse.families.spec import FusionModel, ModelSpec, Observer, check_pair


@dataclass(frozen=True)
class BlendConfig:
    """Configuration of Blend."""

    kernel: int = 3
    """Side of the convolution, pixels, odd."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary, as weights files hold it."""
        return asdict(self)


class Blend(FusionModel):
    """The network.

    Args:
        config: Configuration.
    """

    def __init__(self, config: BlendConfig | None = None) -> None:
        super().__init__()
        self.config = config or BlendConfig()
        self.conv = nn.Conv2d(2, 1, self.config.kernel, padding=self.config.kernel // 2)

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> Blend:
        """A fresh network of a configuration as weights files hold it."""
        return cls(BlendConfig(**values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        reach = self.config.kernel // 2
        return ModelSpec(
            family="blend",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=self.conv.weight.numel(),
            receptive_radius=reach,
            halo=reach,
        )

    def weights(self, a: Tensor, b: Tensor) -> Tensor:
        """Share of `a` at each pixel, (N, 1, H, W) in (0, 1)."""
        shares: Tensor = self.conv(torch.cat([a, b], dim=1)).sigmoid()
        return shares

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1]."""
        check_pair(a, b)
        weights = self.weights(a, b)
        return weights * a + (1 - weights) * b

    @torch.no_grad()
    def explain(self, a: Tensor, b: Tensor, observe: Observer | None = None) -> dict[str, Tensor]:
        """What is found: "fused" and "weights", the share of `a` at each pixel, both (N, 1, H, W)."""
        return {"fused": self(a, b), "weights": self.weights(a, b)}
