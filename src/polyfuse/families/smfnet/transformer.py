"""The two kinds of transformer blocks that SMFNet alternates; both attend over channels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.smfnet.attention import SelfAttention
from polyfuse.families.smfnet.config import Mixing, SMFNetConfig
from polyfuse.layers.channel_norm import ChannelNorm


class LocalFeedForward(nn.Module):
    """LeFF(x) = x + GELU(reduce(GELU(mix(GELU(expand(x)))))), 1x1, depthwise 3x3 and 1x1 (spec smfnet 2.5).

    Args:
        channels: Width d.
        hidden: Width between the convolutions.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, hidden, 1)
        self.mix = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.reduce = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, d, H, W) to the same."""
        inner = functional.gelu(self.mix(functional.gelu(self.expand(x))))
        return x + functional.gelu(self.reduce(inner))  # official: the last GELU and this residual; paper: neither


class FeedForward(nn.Module):
    """1x1 to twice the width, GELU, 1x1 back, without bias (spec smfnet 2.7).

    Args:
        channels: Width d.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.reduce = nn.Conv2d(2 * channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, d, H, W) to the same; no residual."""
        reduced: Tensor = self.reduce(functional.gelu(self.expand(x)))
        return reduced


class TransformerBlock(nn.Module):
    """x <- x + attention(norm1(x)), then x <- x + feed_forward(norm2(x)) (spec smfnet 2.6 and 2.7).

    Args:
        channels: Width d.
        heads: Heads of the attention.
        mixing: 3x3 convolution of its attention, see `SelfAttention`.
        feed_forward: Layers of its second half.
    """

    def __init__(self, channels: int, heads: int, mixing: Mixing, feed_forward: nn.Module) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.attention = SelfAttention(channels, heads, mixing)
        self.norm2 = ChannelNorm(channels)
        self.feed_forward = feed_forward

    def forward(self, x: Tensor) -> Tensor:
        """(N, d, H, W) to the same."""
        x = x + self.attention(self.norm1(x))
        fed: Tensor = x + self.feed_forward(self.norm2(x))
        return fed


def first_block(config: SMFNetConfig) -> TransformerBlock:
    """A block of the first kind: depthwise mixing and a locally enhanced feed-forward layer."""
    local = LocalFeedForward(config.channels, config.hidden)
    return TransformerBlock(config.channels, config.heads, "depthwise", local)


def second_block(config: SMFNetConfig) -> TransformerBlock:
    """A block of the second kind, which the base branch alternates with the first."""
    return TransformerBlock(config.channels, config.heads, config.mixing, FeedForward(config.channels))
