"""The body that the small networks share: an encoder of four levels and a decoder that brings detail back.

A U-Net of our own (the idea: Ronneberger et al. 2015): it begins at half the size, to be trained on a processor, and
has about 0.5 million parameters at the usual width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

MULTIPLE = 16
"""What height and width of an input are padded to a multiple of: the coarsest level has a sixteenth of them."""


def double_conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Two convolutions of 3x3, each with batch norm and ReLU; the first one goes down by `stride`."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Body(nn.Module):
    """Features of a picture at half its size, or a quarter.

    Args:
        width: Channels at half size; each coarser level has twice as many.
        stride: 2 for features at half size, 4 for a quarter.
    """

    def __init__(self, width: int = 16, stride: int = 2) -> None:
        super().__init__()
        channels = [width, 2 * width, 4 * width, 8 * width]
        self.down = nn.ModuleList(
            double_conv(inputs, outputs, 2) for inputs, outputs in zip([3, *channels], channels, strict=False)
        )
        levels = range(2, 0 if stride == 4 else -1, -1)  # of the skips, from coarse to fine
        self.up = nn.ModuleList(double_conv(channels[level + 1] + channels[level], channels[level]) for level in levels)
        self.num_features = channels[levels[-1]]

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, num_features, H / stride, W / stride); sides must be multiples of `MULTIPLE`."""
        skips: list[Tensor] = []
        value = pictures
        for level in self.down:
            value = level(value)
            skips.append(value)
        for level, skip in zip(self.up, reversed(skips[:-1]), strict=False):
            value = level(torch.cat((functional.interpolate(value, scale_factor=2.0, mode="nearest"), skip), dim=1))
        return value


def padded(pictures: Tensor, multiple: int = MULTIPLE) -> Tensor:
    """Pictures with their last row and column repeated until both sides are multiples."""
    height, width = pictures.shape[-2:]
    return functional.pad(pictures, (0, -width % multiple, 0, -height % multiple), mode="replicate")
