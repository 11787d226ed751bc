"""Gaussian blur of pictures and feature maps, differentiable."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from polyfuse.ops.padding import reflect_pad
from polyfuse.ops.windows import gaussian_window


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Blur every channel, window of 3 sigma to each side, mirrored border.

    Args:
        x: (N, C, H, W), any size from 1 x 1.
        sigma: Pixels, positive.

    Returns:
        The same shape; constants stay what they are up to rounding.

    >>> gaussian_blur(Tensor([[[[0.5, 0.5, 0.5]]]]), 2.0).round(decimals=4)
    tensor([[[[0.5000, 0.5000, 0.5000]]]])
    """
    radius = math.ceil(3 * sigma)
    channels = x.shape[1]
    window = gaussian_window(2 * radius + 1, sigma, dtype=x.dtype, device=x.device).expand(channels, 1, 1, -1)
    across = functional.conv2d(reflect_pad(x, radius), window, groups=channels)
    blurred: Tensor = functional.conv2d(across, window.mT, groups=channels)
    return blurred
