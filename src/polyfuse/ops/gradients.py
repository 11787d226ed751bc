"""Sobel gradients in the two conventions that the published FNet training mixes."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.padding import Border, extend

SOBEL_X = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def _sobel(x: Tensor) -> tuple[Tensor, Tensor]:
    """Kernels for horizontal and vertical differences, (1, 1, 3, 3), the second pointing down."""
    return _sobel_on(x.dtype, x.device)


@cache
@torch.inference_mode(False)
def _sobel_on(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The kernels on a device, sent there once."""
    kernel = torch.tensor(SOBEL_X, dtype=dtype, device=device)
    return kernel[None, None], kernel.T.contiguous()[None, None]


def signed_gradient(x: Tensor) -> Tensor:
    """Signed Sobel gradient, one eighth of the kernel, replicated border.

    Args:
        x: (N, 1, H, W).

    Returns:
        (N, 2, H, W): derivative to the right, derivative downwards, per pixel.

    Source: FNet stage I (the official code uses kornia's SpatialGradient defaults, spec fnet 6).
    """
    horizontal, vertical = _sobel(x)
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, torch.cat([horizontal, vertical]) / 8)


def gradient_magnitude(x: Tensor) -> Tensor:
    """|Sobel_x| + |Sobel_y|, not divided by eight, zero border, so the picture's rim counts as an edge.

    Args:
        x: (N, 1, H, W).

    Returns:
        (N, 1, H, W), not negative.

    Source: FNet stage II, official code (spec fnet 7).
    """
    both = functional.conv2d(x, torch.cat(_sobel(x)), padding=1)
    return both.abs().sum(dim=1, keepdim=True)


def sobel_responses(x: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    """Sobel responses by correlation, not divided by eight; exact for whole levels.

    Args:
        x: (N, H, W).
        border: What lies outside, see `polyfuse.ops.padding.extend`.

    Returns:
        Two of (N, H, W): difference to the right, difference downwards.
    """
    padded = extend(x, 1, border)
    height, width = x.shape[-2:]
    smooth_down = padded[..., :-2, :] + padded[..., 2:, :] + 2 * padded[..., 1:-1, :]
    smooth_right = padded[..., :-2] + padded[..., 2:] + 2 * padded[..., 1:-1]
    across = smooth_down[..., 2:] - smooth_down[..., :width]
    down = smooth_right[..., 2:, :] - smooth_right[..., :height, :]
    return across, down
