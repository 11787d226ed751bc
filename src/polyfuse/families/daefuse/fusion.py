"""How two embeddings become one: cross attention in both directions, then the merge gate."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.daefuse.blocks import zeroed
from polyfuse.families.daefuse.config import SOURCES, DAEFuseConfig, of_source, per_source
from polyfuse.families.daefuse.cross_attention import CrossAttention, Evidence
from polyfuse.layers.channel_norm import ChannelNorm


class MergeGate(nn.Module):
    """What is added to the mean of both embeddings; attention alone cannot form a maximum of them. Starts at zero.

    Args:
        channels: Channels C of one embedding.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(2 * channels)
        self.expand = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.mix = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.reduce = zeroed(nn.Conv2d(2 * channels, channels, 1))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """What is added to the mean of two embeddings; all are (N, C, H, W)."""
        both = torch.cat([first, second], dim=1).to(self.norm.weight.dtype)
        added: Tensor = self.reduce(functional.gelu(self.mix(self.expand(self.norm(both)))))
        return added


class Fusion(nn.Module):
    """m = (A + B) / 2 + gate(A, B), A and B the embeddings with what cross attention adds to each.

    A fresh one gives exactly (e_a + e_b) / 2, which the decoder already knows how to decode.

    Args:
        config: Configuration.

    Source: paper, "query, key and value for each other"; both directions, their mean and the gate are ours.
    """

    def __init__(self, config: DAEFuseConfig) -> None:
        super().__init__()
        self.symmetric = config.share_directions
        self.cross = (
            per_source(lambda: CrossAttention(config), shared=config.share_directions)
            if config.cross_attention
            else None
        )
        self.gate = MergeGate(config.channels)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Embeddings of a and of b to that of the fused picture, all (N, C, H, W)."""
        shift_a, shift_b = self.shifts(a, b)
        return self.merge(a + shift_a, b + shift_b)

    def shifts(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """What cross attention adds to a, from b, and to b, from a; zeros without cross attention."""
        if self.cross is None:
            zero = torch.zeros_like(a)
            return zero, zero
        return of_source(self.cross, "a")(a, b), of_source(self.cross, "b")(b, a)

    def evidence(self, a: Tensor, b: Tensor) -> dict[str, Evidence]:
        """Where a looks in b under "a", where b looks in a under "b"; empty without cross attention."""
        if self.cross is None:
            return {}
        cross_a, cross_b = (cast(CrossAttention, of_source(self.cross, source)) for source in SOURCES)
        return {"a": cross_a.evidence(a, b), "b": cross_b.evidence(b, a)}

    def merge(self, a: Tensor, b: Tensor) -> Tensor:
        """The embedding of the fused picture from A and B: their mean plus the gate's output."""
        mean = (a + b) / 2
        pair = (mean, torch.maximum(a, b)) if self.symmetric else (a, b)
        merged: Tensor = mean + self.gate(*pair)
        return merged
