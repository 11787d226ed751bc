"""SeAFusion, written from the facts of spec peers 1.

Tang, Yuan, Ma, "Image fusion in the loop of high-level vision tasks: a semantic-aware real-time infrared and visible
image fusion network", Information Fusion 82 (2022), 28-42. A branch for each source, one decoder. The published program
stretches every result from its darkest to its brightest pixel; `spec.output` declares that.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.spec import FusionModel, ModelSpec, check_pair
from polyfuse.layers.macs import convolution_macs

LEAK, BLOCK_LEAK = 0.2, 0.1
"""Slope of the leaky rectifiers for negative values: everywhere, and at the end of a block."""
RADIUS = 9
"""One of the stem, two of each block, four of the decoder."""


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3, zeros around the picture."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, LEAK)


class GradientBlock(nn.Module):
    """Dense convolutions beside learned edge filters, joined by a sum.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.grow1 = _conv(inputs, inputs)
        self.grow2 = _conv(2 * inputs, inputs)
        self.squeeze = nn.Conv2d(3 * inputs, outputs, 1)
        # official: these began as Sobel's and were trained on, channel by channel
        self.edge_x = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.edge_y = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.lift = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        once = _leaky(self.grow1(x))
        twice = _leaky(self.grow2(torch.cat([x, once], dim=1)))
        edges = self.lift(self.edge_x(x).abs() + self.edge_y(x).abs())
        return functional.leaky_relu(self.squeeze(torch.cat([x, once, twice], dim=1)) + edges, BLOCK_LEAK)


def _branch() -> nn.Sequential:
    """From one source to 48 features."""
    return nn.Sequential(_conv(1, 16), nn.LeakyReLU(LEAK), GradientBlock(16, 32), GradientBlock(32, 48))


class SeAFusion(FusionModel):
    """The network as published, without the batch normalisations of its decoder, which no forward pass applies."""

    def __init__(self) -> None:
        super().__init__()
        self.visible, self.infrared = _branch(), _branch()
        self.decoder = nn.ModuleList([_conv(96, 64), _conv(64, 32), _conv(32, 16), _conv(16, 1)])

    @property
    def spec(self) -> ModelSpec:
        """Declared facts."""
        return ModelSpec(
            family="seafusion",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=convolution_macs(self),
            receptive_radius=RADIUS,
            halo=RADIUS,
            output="minmax",
            bytes_per_pixel=1800,  # measured on a CPU, 300 x 400 pixels: 1590
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size from 1 x 1.

        Returns:
            (N, 1, H, W) in (0, 1), not yet stretched.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        x = torch.cat([self.visible(b), self.infrared(a)], dim=1)
        *steps, last = self.decoder
        for step in steps:
            x = _leaky(step(x))
        return last(x).tanh() / 2 + 0.5  # type: ignore[no-any-return]
