"""PyrFuse as a `FusionModel`: its declared facts, and what a result is made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polyfuse.families.pyrfuse.network import PyrFuseConfig, PyrFuseNetwork
from polyfuse.families.spec import FusionModel, ModelSpec, Observer, check_pair
from polyfuse.ops.black import keep_black

LOOKS_HALO = 256
"""Context of a tile where there are further looks, pixels; tiles are then blended."""


class PyrFuse(PyrFuseNetwork, FusionModel):
    """The network.

    Args:
        config: Configuration; default is the one that weights are trained for.
    """

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> PyrFuse:
        """A fresh network of a configuration as weights files hold it."""
        return cls(PyrFuseConfig.from_json(values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        config, step = self.config, 2**self.config.levels
        exact = -(-config.reach // step) * step
        return ModelSpec(
            family="pyrfuse",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=self._macs_per_pixel(),
            receptive_radius=config.reach,
            # what a look carries from far away is faint: tiles that cover it all would be as large as most pictures
            halo=min(exact, LOOKS_HALO) if config.looks else exact,
            blended=config.looks > 0,
            multiple_of=step,
            # measured on a CPU, 600 to 2,500 pixels a side: 156 to 161 bytes a pixel, 303 to 338 with looks
            bytes_per_pixel=320 if config.looks else 160,
            fixed_bytes=16 << 20,
        )

    def _macs_per_pixel(self) -> int:
        """Multiply-accumulates of one output pixel: of the convolutions, the pyramid is made of sums alone."""
        detail, base = (
            sum(p.numel() for name, p in self.named_parameters() if net in name.split(".") and p.ndim > 1)
            for net in ("detail", "base")
        )
        levels = self.config.levels
        # a level has a quarter of the pixels of the next finer one, and its convolutions a quarter of those
        return round(sum(0.25 ** (level + 1) * detail for level in range(levels)) + 0.25**levels * base)

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
            "fused"; "base_weight", share of a's base at the coarsest level; and of each level, at its own size,
            "weight_0", share of a's detail, "kept_0", share of the other one's kept too, "from_a_0" and "from_b_0",
            what either gave; all (N, 1, h, w).
        """
        check_pair(a, b)
        made = self.fuse(a, b)
        fused = keep_black(made.fused, a, b) if self.config.keep_black else made.fused
        found = {"fused": fused, "base_weight": made.base_weight}
        for index, (level, choice) in enumerate(zip(made.levels, made.choices, strict=True)):
            found[f"weight_{index}"], found[f"kept_{index}"] = choice.weight, choice.kept
            found[f"from_a_{index}"] = choice.factor_a * level.detail_a
            found[f"from_b_{index}"] = choice.factor_b * level.detail_b
        return found
