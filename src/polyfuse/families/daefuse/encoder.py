"""The autoencoder: shallow and high-frequency encoder, and the decoder; the low-frequency encoder is in `tokens`."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.daefuse.blocks import ResidualBlock
from polyfuse.families.daefuse.config import DAEFuseConfig
from polyfuse.ops.blur import gaussian_blur

HIGHPASS_SIGMA = 4.0
"""Blur that `dhe_highpass` takes off, pixels."""


class Shallow(nn.Sequential):
    """A convolution and residual blocks, on which both deep encoders build: (N, 1, H, W) to (N, cs, H, W).

    Args:
        config: Configuration.

    Source: paper for its place; layers ours.
    """

    def __init__(self, config: DAEFuseConfig) -> None:
        width = config.shallow_channels
        blocks = (ResidualBlock(width, width) for _ in range(config.shallow_blocks))
        super().__init__(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), *blocks)


class HighBranch(nn.Module):
    """ResNet18's four stages at full resolution, then a 1x1 convolution.

    Args:
        config: Configuration.

    Source: paper, "based on ResNet18".  # ours: no stem, no pooling, stride 1, because fusion needs pixel detail
    """

    def __init__(self, config: DAEFuseConfig) -> None:
        super().__init__()
        self.highpass = config.dhe_highpass
        stages = pairwise((config.shallow_channels, *config.high_channels))
        self.stages = nn.Sequential(*(_stage(*widths, config.high_blocks) for widths in stages))
        self.project_out = nn.Conv2d(config.high_channels[-1], config.high_width, 1)

    def forward(self, shallow: Tensor) -> Tensor:
        """(N, cs, H, W) to (N, high_width, H, W)."""
        if self.highpass:
            shallow = shallow - gaussian_blur(shallow, HIGHPASS_SIGMA)
        details: Tensor = self.project_out(self.stages(shallow))
        return details


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    """One stage, whose first block changes the width."""
    return nn.Sequential(ResidualBlock(inputs, outputs), *(ResidualBlock(outputs, outputs) for _ in range(blocks - 1)))


class Decoder(nn.Module):
    """Residual blocks between two convolutions, then a sigmoid; it never sees the pictures.

    Args:
        config: Configuration.

    Source: paper for its place; layers ours.
    """

    def __init__(self, config: DAEFuseConfig) -> None:
        super().__init__()
        width = config.decoder_channels
        self.read = nn.Conv2d(config.channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width, width) for _ in range(config.decoder_blocks)))
        self.write = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, embedding: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 1, H, W) in (0, 1), in the type of the weights."""
        raw: Tensor = self.write(self.blocks(functional.relu(self.read(embedding))))
        return raw.to(self.write.weight.dtype).sigmoid()
