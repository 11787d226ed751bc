"""FNet-T as a `FusionModel`: its declared facts, the fast form, and the parts of a result."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polyfuse.families.fnet_t import fast
from polyfuse.families.fnet_t.network import LEAK, NUM_PLANES, FNetTConfig, FNetTNetwork
from polyfuse.families.spec import FusionModel, ModelSpec, Observer, check_pair
from polyfuse.ops.black import keep_black
from polyfuse.ops.precision import Precision, needs_plain_form


class FNetT(FNetTNetwork, FusionModel):
    """The student network.

    Args:
        config: Configuration; default is the one that weights are trained for.
    """

    precision: Precision = "float32"
    """See `FNetTNetwork.precision`."""

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> FNetT:
        """A fresh network of a configuration as weights files hold it."""
        return cls(FNetTConfig.from_json(values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        unshuffle = self.config.unshuffle
        blocks = unshuffle**2
        parameters = sum(p.numel() for p in self.parameters())
        radius = self.config.reach * unshuffle + unshuffle - 1
        return ModelSpec(
            family="fnet-t",
            parameters=parameters,
            macs_per_pixel=-(-parameters // blocks),  # every weight is used once per block
            receptive_radius=radius,
            halo=-(-radius // unshuffle) * unshuffle,
            multiple_of=unshuffle,
            bytes_per_pixel=4 * (-(-2 * self.config.channels // blocks) + 5 * NUM_PLANES),
        )

    @property
    def works_in_parts(self) -> bool:
        """In bfloat16 on a CPU, where the compiled form works in strips; else the convolutions are PyTorch's."""
        return fast.takes(self, self.read.weight)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1].

        Returns:
            (N, 1, H, W), neither clamped nor bounded.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        if fast.takes(self, a) and not needs_plain_form(self, a, b):
            fused = torch.empty_like(a, memory_format=torch.contiguous_format)
            for planes in zip(a[:, 0], b[:, 0], fused[:, 0], strict=True):
                fast.fuse_planes(self, *planes, leak=LEAK)
            return keep_black(fused, a, b) if self.config.keep_black else fused
        base = torch.maximum(a, b)
        return base + self.residual(a, b, base)

    @torch.no_grad()
    def explain(self, a: Tensor, b: Tensor, observe: Observer | None = None) -> dict[str, Tensor]:
        """What the fused picture is made of.

        Args:
            a: (N, 1, H, W) in [0, 1].
            b: Same shape.
            observe: Unused, nothing is too large to keep.

        Returns:
            "base", the larger of both pictures; "residual", what the convolutions add; "fused", their sum; all
            (N, 1, H, W).
        """
        check_pair(a, b)
        base = torch.maximum(a, b)
        residual = self.residual(a, b, base)
        return {"base": base, "residual": residual, "fused": base + residual}
