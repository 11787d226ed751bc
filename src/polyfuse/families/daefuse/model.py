"""DAE-Fuse as a `FusionModel`: its declared facts, the fast form, and its explanations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from polyfuse.families.daefuse.config import DAEFuseConfig
from polyfuse.families.daefuse.contributions import block_contributions
from polyfuse.families.daefuse.explanation import attention_statistics, explain_pair
from polyfuse.families.daefuse.fast import fuse_planes
from polyfuse.families.daefuse.network import DAEFuseNetwork
from polyfuse.families.spec import FusionModel, ModelSpec, Observer, check_pair
from polyfuse.layers.strips import STRIP_BYTES
from polyfuse.ops.precision import Precision, needs_plain_form

HALO = 32
"""Half of the pixels over which tiles fade into each other. Source: spec daefuse 2.2."""
MAPS = 6
"""Maps of C channels at once in full size, in evaluation mode: 3.5 to 6 were measured, by size and precision."""
STRIPS = 50
"""Memory needed beside these maps, in strips, with some to spare."""
PASSES = 2
"""Both sources are encoded, and each attends to the other."""


class DAEFuse(DAEFuseNetwork, FusionModel):
    """The fusion network; discriminators are separate, see `Discriminator`.

    Args:
        config: Configuration; default is the size "base".

    Source: DAE-Fuse paper (arXiv 2409.10080) for the parts and their order.
    """

    precision: Precision = "float32"
    """See `DAEFuseNetwork.precision`."""

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> DAEFuse:
        """A fresh network of a configuration as weights files hold it."""
        return cls(DAEFuseConfig.from_json(values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        value = 2 if self.precision == "bf16" else 4  # bytes
        return ModelSpec(
            family="daefuse",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=sum(self.costs().values()),
            receptive_radius=None,
            halo=HALO,
            blended=True,
            multiple_of=self.config.patch,
            bytes_per_pixel=MAPS * self.config.channels * value,
            fixed_bytes=STRIPS * STRIP_BYTES,
            roles=("infrared or MRI", "visible, CT, PET or SPECT"),
        )

    @property
    def works_in_parts(self) -> bool:
        """On a CPU, where the fast form works in strips."""
        return self.device.type == "cpu" and not self.training

    def costs(self) -> dict[str, int]:
        """Multiply-accumulates per pixel of a pair, by part.

        Left out are the keys of the cross attention, which are few, and the attention among tokens, whose cost depends
        on the size of the picture.
        """
        costs = {"shallow": PASSES * _weights(_one(self.shallow))}
        if self.high is not None:
            costs["high"] = PASSES * _weights(_one(self.high))
        if self.low is not None:
            costs["low"] = PASSES * _weights(_one(self.low)) // self.config.patch**2  # a weight is used once per patch
        costs["fusion"] = _weights(self.fusion.gate)
        if self.fusion.cross is not None:
            cross = _one(self.fusion.cross)
            keys = _weights(cross.get_submodule("key"))
            costs["fusion"] += PASSES * (_weights(cross) - keys)
            costs["attention"] = PASSES * 2 * self.config.cross_grid**2 * self.config.channels
        return costs | {"decoder": _weights(self.decoder)}

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size from 1 x 1.

        On a CPU, in evaluation mode without gradients, by the fast form, else by the plain modules.

        Returns:
            (N, 1, H, W) in (0, 1), or [0, 1) with `keep_black`.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        if self._wants_plain(a, b):
            return self.fuse(a, b)
        frame = self.frame(a)
        dtype = torch.bfloat16 if self.precision == "bf16" else a.dtype
        with torch.no_grad():
            pairs = zip(frame.pad(a)[:, 0], frame.pad(b)[:, 0], strict=True)
            fused = torch.stack([fuse_planes(self, *pair, dtype) for pair in pairs])
        return self.finish(frame.crop(fused[:, None]), a, b)

    def _wants_plain(self, a: Tensor, b: Tensor) -> bool:
        """Whether this is what the fast form cannot do: training, gradients, autocast, other devices than the CPU."""
        device = a.device.type
        return self.training or device != "cpu" or torch.is_autocast_enabled(device) or needs_plain_form(self, a, b)

    @torch.no_grad()
    def attention_statistics(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """How the cross attention works on a pair, as scalars; an empty dictionary without cross attention.

        Returns:
            For each source s of "a" and "b", which attends to the other: "entropy_s", mean entropy of its attention, 1
            where all is uniform; "contribution_s", the norm of what it gets over the norm of its own embedding.
        """
        check_pair(a, b)
        return attention_statistics(self, a, b)

    @torch.no_grad()
    def explain(self, a: Tensor, b: Tensor, observe: Observer | None = None) -> dict[str, Tensor]:
        """All intermediate results, from one pass of the plain modules.

        Args:
            a: (N, 1, H, W) in [0, 1].
            b: Same shape.
            observe: Not called: nothing here is too large to keep, all but numbers are (N, 1, H, W).

        Returns:
            For each source s of "a" and "b": "reconstructed_s", decoded from its embedding, and "error_s", that less
            the source; "detail_s" and "base_s", what the decoder makes of the high and of the low frequencies alone,
            less what it makes of zeros, and "remainder_s", what this sum lacks, for the decoder is not linear;
            "band_high_s" and "band_low_s" (N,), shares of energy above 1/16 cycle per pixel in the channels of either
            branch; "received_s", how much s looks at each place of the other source, 1 everywhere if it looks evenly;
            "entropy_s", entropy of the attention of each pixel of s, 1 where uniform.
            For the pair: "fused"; "shift_cross" and "shift_merge", by how much at each pixel cross attention and merge
            gate move the embedding away from the mean of both.
            What a branch or the cross attention would give is missing where the network has none.

        Source: spec daefuse 10.
        """
        check_pair(a, b)
        return explain_pair(self, a, b)

    @torch.no_grad()
    def block_contributions(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Which source each place of the fused picture depends on, in blocks of 16x16 pixels; up to 32 passes.

        Args:
            a: (N, 1, H, W) in [0, 1].
            b: Same shape.

        Returns:
            "weight_s" for each source s of "a" and "b", by how much the fused picture changes around each block where
            s loses the structure of that block, root mean square; "share_a", the weight of a over that of both, 0.5
            where neither counts. All (N, 1, rows, columns), a value for each block.

        Source: spec daefuse 10, see `polyfuse.families.daefuse.contributions`.
        """
        check_pair(a, b)
        return block_contributions(self, a, b)


def _one(parts: nn.ModuleDict) -> nn.Module:
    """The part of one modality; all have the same layers."""
    return next(iter(parts.values()))


def _weights(part: nn.Module) -> int:
    """Weights of all convolutions and linear layers of `part`."""
    return sum(layer.weight.numel() for layer in part.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
