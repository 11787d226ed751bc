"""Structural similarity as a differentiable map."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.padding import reflect_pad
from polyfuse.ops.windows import gaussian_window

WINDOW = 11
SIGMA = 1.5
C1 = 0.01**2  # for values in [0, 1]
C2 = 0.03**2


def ssim_map(x: Tensor, y: Tensor, border: Literal["zeros", "reflect", "none"] = "zeros") -> Tensor:
    """SSIM of two pictures at every pixel: 11 x 11 Gaussian window, sigma 1.5, biased variances.

    Args:
        x: (N, 1, H, W) in [0, 1]; values outside are not clamped.
        y: Same shape.
        border: What lies outside: zeros as in the official FNet code, the mirrored picture as in SMFNet's, or nothing:
            then only where the window lies inside.

    Returns:
        (N, 1, H, W), at most 1; without border (N, 1, H - 10, W - 10).

    Source: Wang et al. 2004 with the border handling of the official codes.
    """
    window = gaussian_window(WINDOW, SIGMA, dtype=x.dtype, device=x.device)
    outside = WINDOW // 2 if border == "zeros" else 0
    if border == "reflect":
        x, y = reflect_pad(x, WINDOW // 2), reflect_pad(y, WINDOW // 2)
    stack = torch.cat([x, y, x * x, y * y, x * y], dim=1)
    count = stack.shape[1]
    across = window.expand(count, 1, 1, WINDOW)
    down = window[:, None].expand(count, 1, WINDOW, 1)
    local = functional.conv2d(stack, across, padding=(0, outside), groups=count)
    local = functional.conv2d(local, down, padding=(outside, 0), groups=count)
    mean_x, mean_y, square_x, square_y, product = local.split(1, dim=1)
    variance_x, variance_y = square_x - mean_x**2, square_y - mean_y**2
    covariance = product - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    similarity: Tensor = numerator / ((mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2))
    return similarity
