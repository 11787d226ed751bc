"""The decoder, the same for reconstructions and fused pictures."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.daefuse.blocks import ResidualBlock
from polyfuse.families.daefuse.config import DAEFuseConfig


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
