"""The detail fusion layer and the decoder; the base fusion layer is one transformer block."""

from __future__ import annotations

from torch import Tensor, nn

from polyfuse.families.smfnet.config import SMFNetConfig
from polyfuse.families.smfnet.detail import Coupling, GradientDenseBlock
from polyfuse.families.smfnet.transformer import first_block
from polyfuse.families.spec import Observer

NUM_COUPLINGS = 2


class DetailFusion(nn.Module):
    """Gradient dense block and two couplings on the sum of both detail features (spec smfnet 2.15).

    Args:
        config: Configuration.
    """

    def __init__(self, config: SMFNetConfig) -> None:
        super().__init__()
        self.dense = GradientDenseBlock(config.channels, config.train_gradients)
        self.couplings = nn.ModuleList(Coupling(config.channels) for _ in range(NUM_COUPLINGS))

    def forward(self, x: Tensor, observe: Observer | None = None) -> Tensor:
        """(N, d, H, W) to the same; `observe` gets "scale" of each coupling."""
        x = self.dense(x)
        for coupling in self.couplings:
            x = coupling(x, observe)
        return x


class Decoder(nn.Module):
    """A transformer block and three convolutions down to one map in (0, 1) (spec smfnet 2.16); it sees no pictures.

    Args:
        config: Configuration.
    """

    def __init__(self, config: SMFNetConfig) -> None:
        super().__init__()
        wide, half, quarter = config.channels, config.channels // 2, config.channels // 4
        self.transform = first_block(config)
        self.read = nn.Sequential(
            nn.Conv2d(wide, half, 3, padding=1, bias=False),
            nn.LeakyReLU(0.01),
            nn.Conv2d(half, quarter, 3, padding=1, bias=False),
            nn.LeakyReLU(0.01),
            nn.Conv2d(quarter, 1, 3, padding=1, bias=False),
        )

    def forward(self, feature: Tensor) -> Tensor:
        """(N, d, H, W) to (N, 1, H, W)."""
        raw: Tensor = self.read(self.transform(feature))
        return raw.sigmoid()
