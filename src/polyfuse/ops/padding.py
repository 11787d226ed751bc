"""Padding that works for every size, down to one pixel."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Border = Literal["zeros", "replicate", "reflect", "symmetric"]


def reflect_indices(size: int, margin: int, device: torch.device | None = None) -> Tensor:
    """Source index of each of `size + 2 * margin` positions, mirrored repeatedly without repeating the edge pixel.

    ... 2 1 | 0 1 2 3 | 2 1 ...; a side of one pixel is replicated.
    """
    position = torch.arange(-margin, size + margin, device=device)
    if size == 1:
        return torch.zeros_like(position)
    period = 2 * (size - 1)
    position = position.remainder(period)
    return torch.where(position < size, position, period - position)


def reflect_pad(x: Tensor, margin: int) -> Tensor:
    """Pad the last two axes by `margin` on each side with (repeated) reflection.

    Args:
        x: (..., H, W), any size from 1 x 1.
        margin: Pixels, not negative; may exceed the picture.

    Returns:
        (..., H + 2 margin, W + 2 margin).
    """
    rows = reflect_indices(x.shape[-2], margin, x.device)
    columns = reflect_indices(x.shape[-1], margin, x.device)
    return x.index_select(-2, rows).index_select(-1, columns)


def extend(x: Tensor, margin: int, border: Border) -> Tensor:
    """Pad the last two axes by `margin` on each side.

    Args:
        x: (..., H, W), any size from 1 x 1.
        margin: Pixels, not negative; may exceed the picture.
        border: What lies outside: "zeros"; "replicate", the edge pixel; "reflect", mirrored without repeating the edge
            pixel; "symmetric", mirrored with the edge pixel repeated.

    Returns:
        (..., H + 2 margin, W + 2 margin).
    """
    if border == "zeros":
        return functional.pad(x, (margin,) * 4)
    if border == "reflect":
        return reflect_pad(x, margin)
    for axis in (-2, -1):
        size = x.shape[axis]
        position = torch.arange(-margin, size + margin, device=x.device)
        if border == "symmetric":
            position = position.remainder(2 * size)
            position = torch.where(position < size, position, 2 * size - 1 - position)
        x = x.index_select(axis, position.clamp(0, size - 1))
    return x
