"""PyrFuse-T as a `FusionModel`: its declared facts, and what a result is made of."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from polyfuse.families.pyrfuse_t.network import PyrFuseTConfig, PyrFuseTNetwork
from polyfuse.families.spec import FusionModel, ModelSpec, check_pair
from polyfuse.ops.black import keep_black


class PyrFuseT(PyrFuseTNetwork, FusionModel):
    """The network.

    Args:
        config: Configuration; default is the one that weights are trained for.
    """

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> PyrFuseT:
        """A fresh network of a configuration as weights files hold it."""
        return cls(PyrFuseTConfig.from_json(values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        radius, step = self.config.reach, 2**self.config.levels
        return ModelSpec(
            family="pyrfuse-t",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=self._macs_per_pixel(),
            receptive_radius=radius,
            halo=-(-radius // step) * step,
            multiple_of=step,
            bytes_per_pixel=160,
            fixed_bytes=16 << 20,
        )

    def _macs_per_pixel(self) -> int:
        """Multiply-accumulates of one output pixel: of the convolutions, the pyramid is made of sums alone."""
        detail, base = (sum(p.numel() for p in net.parameters() if p.ndim > 1) for net in (self.detail, self.base))
        levels = self.config.levels
        # the finest level has no convolutions; grids have a quarter of the pixels of the next finer one
        return round(sum(0.25 ** (level + 1) * detail for level in range(1, levels)) + 0.25**levels * base)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1].

        Returns:
            (N, 1, H, W), not clamped.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        fused = self.fuse(a, b).fused
        return keep_black(fused, a, b) if self.config.keep_black else fused
