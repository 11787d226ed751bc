"""What two cameras agree on: the direction of edges, whatever their contrast and its sign."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BLUR = 1.0
"""Standard deviation of the blur before the gradient, pixels."""
SURROUND = 10
"""Pixels to each side of the square whose strength a gradient is divided by."""
FLOOR = 0.3
"""Share of the whole picture's strength that is added to that of the surround, so that even areas stay quiet."""
STRONGEST = 2.5
"""Longest vector; a lone edge in an even area would outweigh everything else."""
_TINY = 1e-12


def orientation_field(plane: Tensor, *, blur: float = BLUR, surround: int = SURROUND) -> Tensor:
    """Edges of a picture as vectors of the doubled angle, k cos 2t and k sin 2t.

    t is the direction of the Scharr gradient and k its length over the root mean square of its surround. Turning light
    into dark turns t by half a circle and 2t by a whole one: the field stays as it is.

    Args:
        plane: (1, 1, H, W), any range.
        blur: Standard deviation of the blur before the gradient, pixels; 0 for none.
        surround: Half the side of the surround, pixels.

    Returns:
        (2, H, W), vectors of at most `STRONGEST`; zero where the picture is constant.

    Source: ours; the doubled angle is that of the structure tensor (Granlund, 1978).
    """
    across, down = _scharr(_blurred(plane, blur) if blur else plane)
    square = across * across + down * down
    local = box_mean(square[0, 0], surround)
    strength = torch.sqrt(square + _TINY)
    k = strength / torch.sqrt(local + FLOOR**2 * local.mean() + _TINY)
    unit = k.clamp(max=STRONGEST) / (square + _TINY)
    return torch.cat([(across * across - down * down) * unit, 2 * across * down * unit], dim=1)[0]


def smoothed(field: Tensor, sigma: float) -> Tensor:
    """A field (C, H, W) blurred by `sigma` pixels, the border repeated."""
    return _blurred(field[None], sigma)[0]


def box_mean(plane: Tensor, radius: int) -> Tensor:
    """Mean of the square of `radius` pixels to each side, the border repeated; (H, W) in and out."""
    return box_sum(
        functional.pad(plane[None, None], (radius,) * 4, mode="replicate")[0, 0], 2 * radius + 1
    ) / ((2 * radius + 1) ** 2)  # fmt: skip


def box_sum(plane: Tensor, side: int) -> Tensor:
    """Sum of each square of `side` pixels inside a plane (H, W); (H - side + 1, W - side + 1).

    By running sums: their cost does not grow with the square, as that of a convolution does.
    """
    for axis in (0, 1):
        total = plane.cumsum(axis, dtype=torch.float64)
        size = plane.shape[axis]
        before = functional.pad(total.narrow(axis, 0, size - side), (0, 0, 1, 0) if axis == 0 else (1, 0))
        plane = (total.narrow(axis, side - 1, size - side + 1) - before).to(plane.dtype)
    return plane


def _blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (N, C, H, W), three standard deviations to each side, the border repeated."""
    radius = max(1, round(3 * sigma))
    offset = torch.arange(-radius, radius + 1, dtype=x.dtype)
    window = torch.exp(-(offset**2) / (2 * sigma**2))
    weights: list[float] = (window / window.sum()).tolist()
    for axis in (-2, -1):
        pad = (0, 0, radius, radius) if axis == -2 else (radius, radius)
        padded = functional.pad(x, (*pad, 0, 0) if axis == -1 else pad, mode="replicate")
        size = x.shape[axis]
        total = padded.narrow(axis, radius, size) * weights[radius]
        for tap in range(radius):
            both = padded.narrow(axis, tap, size) + padded.narrow(axis, 2 * radius - tap, size)
            total = total.add_(both, alpha=weights[tap])
        x = total
    return x


def _scharr(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the right and downwards per pixel, (1, 1, H, W), the border repeated."""
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    rows = (padded[..., :-2, :] + padded[..., 2:, :]) * (3 / 32) + padded[..., 1:-1, :] * (10 / 32)
    columns = (padded[..., :-2] + padded[..., 2:]) * (3 / 32) + padded[..., 1:-1] * (10 / 32)
    return rows[..., 2:] - rows[..., :-2], columns[..., 2:, :] - columns[..., :-2, :]
