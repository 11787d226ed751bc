"""The pyramid of Burt and Adelson: shrink, expand, and the blur that both are made of.

The kernel is (1, 4, 6, 4, 1) / 16 in both directions. Pixel (i, j) of a smaller level lies on pixel (2 i, 2 j) of the
larger one, and borders repeat the edge pixel. The kernel is the sum of two neighbours taken four times, and sums of
whole pictures are an order of magnitude faster on a CPU than convolutions with one channel. Where nothing needs a
gradient the compiled form (`polyfuse.ops.native_pyramid`) makes the same sums to the bit in one go;
while an export records operators, convolutions stand for them (`polyfuse.ops.recorded_pyramid`).

Source: Burt and Adelson 1983; the treatment of the border is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops import native_pyramid, recorded_pyramid
from polyfuse.ops.recording import is_recording

SUMS = 4
"""How often two neighbours are added in either direction; the sum of the kernel's values is 2 to that power."""
SCALE = 1 / 4**SUMS
"""Of all weights of the two directions together: a power of 2, so that a constant stays what it is."""


def blur(x: Tensor) -> Tensor:
    """Low-pass: (N, C, H, W) to the same shape, each channel by itself."""
    if native_pyramid.takes(x):
        return native_pyramid.blur(x)
    if is_recording():
        return recorded_pyramid.blur(x)
    x = functional.pad(x, (2, 2, 2, 2), mode="replicate")
    for _ in range(SUMS):
        x = x[..., :-1, :] + x[..., 1:, :]
    for _ in range(SUMS):
        x = x[..., :-1] + x[..., 1:]
    blurred: Tensor = x * SCALE
    return blurred


def shrink(x: Tensor) -> Tensor:
    """Low-pass and keep every second pixel: (N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2))."""
    if native_pyramid.takes(x):
        return native_pyramid.shrink(x)
    if is_recording():
        return recorded_pyramid.shrink(x)
    x = functional.pad(x, (2, 2, 2, 2), mode="replicate")
    for _ in range(SUMS - 1):
        x = x[..., :-1, :] + x[..., 1:, :]
    x = x[..., :-1:2, :] + x[..., 1::2, :]
    for _ in range(SUMS - 1):
        x = x[..., :-1] + x[..., 1:]
    shrunk: Tensor = (x[..., :-1:2] + x[..., 1::2]) * SCALE
    return shrunk


def expand(x: Tensor, shape: torch.Size) -> Tensor:
    """Double the size by bilinear-like interpolation and cut to the last two sides of `shape`.

    What twice the kernel per direction makes of pixels with zeros between them: (1, 6, 1) / 8 where a pixel is,
    (1, 1) / 2 between two. One pixel of replicated border is expanded along, so that a constant stays one to the edge.

    Args:
        x: (N, C, h, w).
        shape: Ends in (H, W), with h = ceil(H / 2) and w = ceil(W / 2).

    Returns:
        (N, C, H, W).
    """
    if native_pyramid.takes(x):
        return native_pyramid.expand(x, shape)
    if is_recording():
        return recorded_pyramid.expand(x, shape)
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    between = x[..., :-1, :] + x[..., 1:, :]
    on = between[..., :-1, :] + between[..., 1:, :] + 4 * x[..., 1:-1, :]
    x = torch.stack((on, 4 * between[..., 1:, :]), dim=-2).flatten(-3, -2)[..., : shape[-2], :]
    between = x[..., :-1] + x[..., 1:]
    on = between[..., :-1] + between[..., 1:] + 4 * x[..., 1:-1]
    return torch.stack((on, 4 * between[..., 1:]), dim=-1).flatten(-2)[..., : shape[-1]] / 64
