"""Structural similarity as a differentiable map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.windows import gaussian_window

WINDOW = 11
SIGMA = 1.5
C1 = 0.01**2  # for values in [0, 1]
C2 = 0.03**2


def ssim_map(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of two pictures at every pixel: 11 x 11 Gaussian window, sigma 1.5, zero padding, biased variances.

    Args:
        x: (N, 1, H, W) in [0, 1]; values outside are not clamped.
        y: Same shape.

    Returns:
        (N, 1, H, W), at most 1.

    Source: Wang et al. 2004 with the border handling of the official FNet code (spec section 7).
    """
    window = gaussian_window(WINDOW, SIGMA, dtype=x.dtype, device=x.device)
    stack = torch.cat([x, y, x * x, y * y, x * y], dim=1)
    count = stack.shape[1]
    across = window.expand(count, 1, 1, WINDOW)
    down = window[:, None].expand(count, 1, WINDOW, 1)
    local = functional.conv2d(stack, across, padding=(0, WINDOW // 2), groups=count)
    local = functional.conv2d(local, down, padding=(WINDOW // 2, 0), groups=count)
    mean_x, mean_y, square_x, square_y, product = local.split(1, dim=1)
    variance_x, variance_y = square_x - mean_x**2, square_y - mean_y**2
    covariance = product - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    similarity: Tensor = numerator / ((mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2))
    return similarity
