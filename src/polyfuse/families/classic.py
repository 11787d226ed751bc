"""Fusion without learning: baselines for every table, called like any other model.

The average is the weakest sensible one: it halves every contrast that only one picture has. The maximum scores high on
MI, VIF and Qabf by copying.

The Laplacian pyramid (Burt and Adelson 1983) takes details by larger magnitude and averages the base. It has 4 levels;
each is low-passed by the binomial kernel (1, 4, 6, 4, 1) / 16 in both directions and every second pixel is kept; the
detail is what the expanded lower level lacks. Borders repeat the edge pixel. Identical inputs come back exactly up to
rounding, and any size from 1 x 1 works.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.spec import FusionModel, ModelSpec

LEVELS = 4
KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


class Average(FusionModel):
    """fused = (a + b) / 2, pixel by pixel."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: an output pixel depends on the same pixel of a and b alone."""
        return ModelSpec(family="average", bytes_per_pixel=16)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        return (a + b) * 0.5


class Maximum(FusionModel):
    """fused = max(a, b), pixel by pixel."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: an output pixel depends on the same pixel of a and b alone."""
        return ModelSpec(family="maximum", bytes_per_pixel=16)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        return torch.maximum(a, b)


class Laplacian(FusionModel):
    """Laplacian-pyramid fusion; selection by magnitude on the details, mean of the coarsest level."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: the reach of all levels; tiles start at pixels that the coarsest level keeps."""
        radius = sum(2 * 2**level for level in range(LEVELS)) * 2
        return ModelSpec(
            family="laplacian",
            receptive_radius=radius,
            halo=-(-radius // 2**LEVELS) * 2**LEVELS,
            multiple_of=2**LEVELS,
            # measured on a CPU: 86 to 183 bytes, as the heap happens to be cut up, beside 10 MB that kernels keep
            bytes_per_pixel=192,
            fixed_bytes=10 << 20,
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        details = []
        for _ in range(LEVELS):
            smaller_a, smaller_b = _shrink(a), _shrink(b)
            detail_a, detail_b = a - _expand(smaller_a, a.shape), b - _expand(smaller_b, b.shape)
            larger, smaller = torch.maximum(detail_a, detail_b), torch.minimum(detail_a, detail_b)
            details.append(torch.where(detail_a + detail_b > 0, larger, smaller))  # by magnitude, ties symmetric
            a, b = smaller_a, smaller_b
        fused = (a + b) * 0.5
        for detail in reversed(details):
            fused = detail + _expand(fused, detail.shape)
        return fused


def _shrink(x: Tensor) -> Tensor:
    """Low-pass and keep every second pixel: (N, 1, H, W) to (N, 1, ceil(H / 2), ceil(W / 2))."""
    kernel = torch.tensor(KERNEL, dtype=x.dtype, device=x.device)
    x = functional.conv2d(functional.pad(x, (2, 2, 0, 0), mode="replicate"), kernel[None, None, None], stride=(1, 2))
    return functional.conv2d(
        functional.pad(x, (0, 0, 2, 2), mode="replicate"), kernel[None, None, :, None], stride=(2, 1)
    )


def _expand(x: Tensor, shape: torch.Size) -> Tensor:
    """Double the size by bilinear-like interpolation and cut to `shape`.

    Zeros are put between the pixels and blurred with twice the kernel per direction; one pixel of replicated border is
    expanded along, so that a constant stays constant up to the edge.
    """
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    spread = x.new_zeros(x.shape[0], 1, 2 * x.shape[-2], 2 * x.shape[-1])
    spread[..., ::2, ::2] = x
    kernel = torch.tensor(KERNEL, dtype=x.dtype, device=x.device) * 2
    spread = functional.conv2d(spread, kernel[None, None, None], padding=(0, 2))
    spread = functional.conv2d(spread, kernel[None, None, :, None], padding=(2, 0))
    return spread[..., 2 : 2 + shape[-2], 2 : 2 + shape[-1]]
