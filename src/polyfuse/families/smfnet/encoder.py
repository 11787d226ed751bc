"""The encoder, the same for both sources: shallow feature, base branch, detail branch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from polyfuse.families.smfnet.attention import CrossAttention
from polyfuse.families.smfnet.config import SMFNetConfig
from polyfuse.families.smfnet.detail import GradientDenseBlock, InvertibleNode
from polyfuse.families.smfnet.transformer import first_block, second_block
from polyfuse.families.spec import Observer


@dataclass(frozen=True, eq=False)
class Encoded:
    """The encoder's three features of one source, each (N, d, H, W)."""

    shallow: Tensor
    """S, on which both branches and the graph build."""
    base: Tensor
    """B, meant for what the sources share."""
    detail: Tensor
    """D, meant for what only this source has."""


class ResidualBlock(nn.Module):
    """Pairs of transformer blocks and three convolutions around a residual (spec smfnet 2.8).

    Args:
        config: Configuration; without `base_residual` the pairs alone.
    """

    def __init__(self, config: SMFNetConfig) -> None:
        super().__init__()
        pairs = (nn.Sequential(first_block(config), second_block(config)) for _ in range(config.depth))
        self.pairs = nn.Sequential(*pairs)
        self.refine = _refine(config.channels) if config.base_residual else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, d, H, W) to the same."""
        deep: Tensor = self.pairs(x)
        return deep if self.refine is None else x + self.refine(deep)


def _refine(channels: int) -> nn.Sequential:
    """A 3x3 convolution to a quarter of the width, a 1x1, and a 3x3 back."""
    narrow = channels // 4
    return nn.Sequential(
        nn.Conv2d(channels, narrow, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(narrow, narrow, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(narrow, channels, 3, padding=1),
    )


class BaseBranch(nn.Module):
    """A convolution, then the residual blocks; nothing after the last one.

    Args:
        config: Configuration.
    """

    def __init__(self, config: SMFNetConfig) -> None:
        super().__init__()
        self.first = nn.Conv2d(config.channels, config.channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(config) for _ in range(config.base_blocks)))

    def forward(self, shallow: Tensor) -> Tensor:
        """S to B, both (N, d, H, W)."""
        base: Tensor = self.blocks(self.first(shallow))
        return base


class DetailBranch(nn.Module):
    """Gradient dense block, cross attention between its two halves, invertible node ("CAI", spec smfnet 2.9 to 2.12).

    Args:
        config: Configuration.
    """

    def __init__(self, config: SMFNetConfig) -> None:
        super().__init__()
        self.dense = GradientDenseBlock(config.channels, config.train_gradients)
        self.cross = CrossAttention(config.channels // 2, config.heads) if config.cross_attention else None
        self.node = InvertibleNode(config.channels, config.scale_limit)

    def forward(self, shallow: Tensor, observe: Observer | None = None) -> Tensor:
        """S to D, both (N, d, H, W); `observe` gets "scale"."""
        features = self.dense(shallow)
        if self.cross is not None:
            first, second = features.chunk(2, dim=1)
            features = torch.cat([self.cross(second, first), self.cross(first, second)], dim=1)
        detail: Tensor = self.node(features, observe)
        return detail


class Encoder(nn.Module):
    """From a picture to its three features.

    Args:
        config: Configuration.
    """

    def __init__(self, config: SMFNetConfig) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, config.channels, 3, padding=1, bias=False)
        self.shallow = first_block(config)
        self.base = BaseBranch(config)
        self.detail = DetailBranch(config)

    def forward(self, picture: Tensor, observe: Observer | None = None) -> Encoded:
        """Encode (N, 1, H, W) in [0, 1]; the pictures of a batch do not influence each other."""
        shallow = self.shallow(self.embed(picture))
        return Encoded(shallow, self.base(shallow), self.detail(shallow, observe))
