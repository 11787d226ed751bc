"""Filters of `polyfuse.ops.pyramid` as convolutions, for graphs that other programs run; equal to them up to rounding.

Sums of whole pictures are fast in PyTorch and make hundreds of operators for each level of a pyramid. A graph has one
convolution for each filter instead, and one for the four kinds of pixels that doubling a size makes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
ON, BETWEEN = (1 / 8, 6 / 8, 1 / 8), (0.0, 1 / 2, 1 / 2)
"""Weights of a pixel and its neighbours for the new pixel that lies on it, and for the one behind it."""


def blur(x: Tensor) -> Tensor:
    """(N, C, H, W) to the same shape."""
    kernel = torch.tensor(KERNEL)
    x = functional.pad(x, (2, 2, 2, 2), mode="replicate")
    return _each(_each(x, kernel[:, None]), kernel[None, :])


def shrink(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2))."""
    kernel = torch.tensor(KERNEL)
    x = functional.pad(x, (2, 2, 2, 2), mode="replicate")
    return _each(x, torch.outer(kernel, kernel), stride=2)


def expand(x: Tensor, shape: torch.Size) -> Tensor:
    """(N, C, h, w) to (N, C, H, W); `shape` ends in (H, W)."""
    kinds = torch.tensor((ON, BETWEEN))
    kernels = torch.einsum("ik,jl->ijkl", kinds, kinds).flatten(0, 1)
    channels = int(x.shape[1])
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    four = functional.conv2d(x, kernels[:, None].repeat(channels, 1, 1, 1), groups=channels)
    return functional.pixel_shuffle(four, 2)[..., : shape[-2], : shape[-1]]


def _each(x: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
    """Every channel through the same kernel, (h, w)."""
    channels = int(x.shape[1])
    return functional.conv2d(x, kernel.expand(channels, 1, -1, -1), stride=stride, groups=channels)
