"""The pyramid of Burt and Adelson: shrink, expand, and the blur that both are made of.

The kernel is (1, 4, 6, 4, 1) / 16 in both directions. Pixel (i, j) of a smaller level lies on pixel (2 i, 2 j) of the
larger one, and borders repeat the edge pixel.

Source: Burt and Adelson 1983; the treatment of the border is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def blur(x: Tensor) -> Tensor:
    """Low-pass: (N, C, H, W) to the same shape, each channel by itself."""
    return _low_pass(x, 1)


def shrink(x: Tensor) -> Tensor:
    """Low-pass and keep every second pixel: (N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2))."""
    return _low_pass(x, 2)


def expand(x: Tensor, shape: torch.Size) -> Tensor:
    """Double the size by bilinear-like interpolation and cut to the last two sides of `shape`.

    Zeros are put between the pixels and blurred with twice the kernel per direction; one pixel of replicated border is
    expanded along, so that a constant stays constant up to the edge.

    Args:
        x: (N, C, h, w).
        shape: Ends in (H, W), with h = ceil(H / 2) and w = ceil(W / 2).

    Returns:
        (N, C, H, W).
    """
    num, channels = x.shape[:2]
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    spread = x.new_zeros(num * channels, 1, 2 * x.shape[-2], 2 * x.shape[-1])
    spread[..., ::2, ::2] = x.flatten(0, 1)[:, None]
    kernel = torch.tensor(KERNEL, dtype=x.dtype, device=x.device) * 2
    spread = functional.conv2d(spread, kernel[None, None, None], padding=(0, 2))
    spread = functional.conv2d(spread, kernel[None, None, :, None], padding=(2, 0))
    cut = spread[..., 2 : 2 + shape[-2], 2 : 2 + shape[-1]]
    return cut.reshape(num, channels, *cut.shape[-2:])


def _low_pass(x: Tensor, step: int) -> Tensor:
    """Blur (N, C, H, W) and keep every `step`-th row and column."""
    num, channels = x.shape[:2]
    kernel = torch.tensor(KERNEL, dtype=x.dtype, device=x.device)
    x = x.reshape(num * channels, 1, *x.shape[-2:])
    x = functional.conv2d(functional.pad(x, (2, 2, 0, 0), mode="replicate"), kernel[None, None, None], stride=(1, step))
    x = functional.conv2d(
        functional.pad(x, (0, 0, 2, 2), mode="replicate"), kernel[None, None, :, None], stride=(step, 1)
    )
    return x.reshape(num, channels, *x.shape[-2:])
