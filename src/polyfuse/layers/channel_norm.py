"""Layer normalisation over the channels of each pixel, which SMFNet and DAE-Fuse use in their transformer blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-5


class ChannelNorm(nn.Module):
    """y = (x - mean) / sqrt(variance + 1e-5) * weight + bias, mean and biased variance over the channels of a pixel.

    Args:
        channels: C of the (N, C, H, W) features it is called with.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W); pixels do not touch each other."""
        variance, mean = torch.var_mean(x, dim=1, keepdim=True, correction=0)
        scale = torch.rsqrt(variance + EPSILON)
        return (x - mean) * scale * self.weight[:, None, None] + self.bias[:, None, None]
