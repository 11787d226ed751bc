"""PyrFuse-T as a `FusionModel`: its declared facts, and what a result is made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polyfuse.families.pyrfuse.real_time_network import PyrFuseTConfig, PyrFuseTNetwork
from polyfuse.families.spec import FusionModel, ModelSpec, Observer, check_pair
from polyfuse.ops.black import keep_black
from polyfuse.ops.precision import Precision
from polyfuse.ops.pyramid import expand


class PyrFuseT(PyrFuseTNetwork, FusionModel):
    """The network.

    Args:
        config: Configuration; default is the one that weights are trained for.
    """

    precision: Precision = "float32"
    """See `PyrFuseTNetwork.precision`."""

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
            # measured on a CPU, 600 and 2,500 pixels a side: 18 to 51 bytes a pixel, without the compiled pyramid
            # 48 to 81
            bytes_per_pixel=112,
            fixed_bytes=16 << 20,
        )

    @property
    def works_in_parts(self) -> bool:
        """In bfloat16, where the convolutions work in bands of rows as the compiled pyramid does."""
        return self.precision == "bf16"

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

    @torch.no_grad()
    def explain(self, a: Tensor, b: Tensor, observe: Observer | None = None) -> dict[str, Tensor]:
        """What was chosen, level by level; level 0 is the finest.

        Args:
            a: (N, 1, H, W) in [0, 1].
            b: Same shape.
            observe: Unused, nothing is too large to keep.

        Returns:
            "fused"; "base_weight", share of a's base at the coarsest level; and of each level, on the grid of the next
            coarser one, "weight_0", share of a's detail, "kept_0", share of the other one's kept too, and at its own
            size "from_a_0" and "from_b_0", what either gave; all (N, 1, h, w).
        """
        check_pair(a, b)
        made = self.fuse(a, b)
        fused = keep_black(made.fused, a, b) if self.config.keep_black else made.fused
        found = {"fused": fused, "base_weight": made.base_weight}
        for index, (sources, coarse, choice) in enumerate(zip(made.sources, made.coarse, made.choices, strict=True)):
            x, y = sources
            found[f"weight_{index}"], found[f"kept_{index}"] = choice.weight, choice.kept
            found[f"from_a_{index}"] = expand(choice.factor_a, x.shape) * (x - expand(coarse.a, x.shape))
            found[f"from_b_{index}"] = expand(choice.factor_b, y.shape) * (y - expand(coarse.b, y.shape))
        return found
