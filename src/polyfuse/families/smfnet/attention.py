"""Attention over channels, which every transformer block of SMFNet and its cross attention are made of.

Its matrices are c/H x c/H per head whatever the picture's size, so the cost grows with the number of pixels alone; but
they depend on all pixels, and so does every output of the network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyfuse.families.smfnet.config import Mixing

NORM_FLOOR = 1e-12
"""Smallest norm that a query or key is divided by. Source: official code."""


class ChannelAttention(nn.Module):
    """A(q, k, v): each channel becomes a mixture of the channels of its head (spec smfnet 2.3).

    Rows of q and k are scaled to unit length over all pixels, P = softmax(q k^T * temperature), result P v.

    Args:
        channels: Width c of q, k and v.
        heads: Number of heads H, each of c / H consecutive channels.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.channels, self.heads = channels, heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates of both products for one pixel."""
        return 2 * self.channels**2 // self.heads

    def matrices(self, query: Tensor, key: Tensor) -> Tensor:
        """P, (N, H, c/H, c/H), each row summing to one.

        The products are divided by the norms, not the maps: the same value without two more maps in memory.
        """
        query, key = self._split(query), self._split(key)
        norms_query, norms_key = (torch.linalg.vector_norm(x, dim=-1).clamp_min(NORM_FLOOR) for x in (query, key))
        cosines = query @ key.transpose(-2, -1) / (norms_query[..., :, None] * norms_key[..., None, :])
        # paper: divided by the temperature
        matrices: Tensor = (cosines * self.temperature).softmax(dim=-1)
        return matrices

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The channels of `value`, mixed by P; all tensors are (N, c, H, W)."""
        mixed = self.matrices(query, key) @ self._split(value)
        return mixed.view_as(value)

    def _split(self, x: Tensor) -> Tensor:
        """(N, c, H, W) as (N, heads, c / heads, pixels)."""
        return x.reshape(x.shape[0], self.heads, -1, x.shape[-2] * x.shape[-1])


class SelfAttention(nn.Module):
    """[q; k; v] = conv3x3(conv1x1(x)), then A and a 1x1 convolution, all without bias (spec smfnet 2.4 and 2.7).

    Args:
        channels: Width d of the features.
        heads: Heads of the attention.
        mixing: The 3x3 convolution: "depthwise" in first transformer blocks, "dense" in second ones.
    """

    def __init__(self, channels: int, heads: int, mixing: Mixing) -> None:
        super().__init__()
        wide = 3 * channels
        groups = wide if mixing == "depthwise" else 1
        self.project_in = nn.Conv2d(channels, wide, 1, bias=False)
        self.mix = nn.Conv2d(wide, wide, 3, padding=1, groups=groups, bias=False)
        self.attend = ChannelAttention(channels, heads)
        self.project_out = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, d, H, W) to the same; no residual."""
        query, key, value = self.mix(self.project_in(x)).chunk(3, dim=1)
        attended: Tensor = self.project_out(self.attend(query, key, value))
        return attended


class CrossAttention(nn.Module):
    """Attention of one half of the channels to the other (spec smfnet 2.10); the same weights serve both directions.

    Args:
        channels: Width of one half, d / 2.
        heads: Heads of the attention.

    Source: official code; the paper's formulas 1 to 4 contradict each other, and its layer norms do not exist.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.project_q = nn.Conv2d(channels, channels, 1)
        self.mix_q = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.project_kv = nn.Conv2d(channels, 2 * channels, 1)
        self.mix_kv = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.attend = ChannelAttention(channels, heads)
        self.project_out = nn.Conv2d(channels, channels, 1)

    def forward(self, guide: Tensor, operand: Tensor) -> Tensor:
        """Queries from `guide`, keys and values from `operand`, both (N, d/2, H, W); no residual."""
        query = self.mix_q(self.project_q(guide))
        key, value = self.mix_kv(self.project_kv(operand)).chunk(2, dim=1)
        attended: Tensor = self.project_out(self.attend(query, key, value))
        return attended


def macs_per_pixel(block: nn.Module) -> int:
    """Multiply-accumulates for one pixel of `block`, each of its layers counted once, padding included."""
    convs = sum(module.weight.numel() for module in block.modules() if isinstance(module, nn.Conv2d))
    return convs + sum(module.macs_per_pixel for module in block.modules() if isinstance(module, ChannelAttention))
