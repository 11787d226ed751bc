"""Means over square windows that are cut at the border, from sums of 1, 2, 4, ... neighbours.

A running sum would be quicker for large windows, but in float32 its error grows along the picture, and a tile would
differ from the same place in the whole. Here every pixel adds the same numbers in the same order, wherever it lies.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def window_sums(x: Tensor, size: int, axis: int) -> Tensor:
    """Sums of `size` neighbours along an axis, where they lie inside; the axis is shorter by `size - 1`.

    Args:
        x: Any shape, at least `size` long along `axis`.
        size: Positive.
        axis: Which axis.

    >>> window_sums(Tensor([1.0, 2.0, 3.0, 4.0]), 3, 0)
    tensor([6., 9.])
    """
    length = x.shape[axis] - size + 1
    total: Tensor | None = None
    start, width = 0, 1
    while True:
        if size & width:
            part = x.narrow(axis, start, length)
            total = part if total is None else total + part
            start += width
        if 2 * width > size:
            break
        x = x.narrow(axis, 0, x.shape[axis] - width) + x.narrow(axis, width, x.shape[axis] - width)
        width *= 2
    assert total is not None  # size has a highest bit
    return total


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Mean over the (2 radius + 1)^2 pixels around each that lie inside the picture.

    Args:
        x: (N, C, H, W), any size from 1 x 1.
        radius: Pixels, not negative; may exceed the picture.

    Returns:
        The same shape; a constant stays what it is up to rounding.

    >>> box_mean(Tensor([[[[1.0, 2.0, 6.0]]]]), 1)
    tensor([[[[1.5000, 3.0000, 4.0000]]]])
    """
    size = 2 * radius + 1
    x = window_sums(functional.pad(x, (radius,) * 4), size, -2)
    rows, columns = (_counts(length, radius, x) for length in (x.shape[-2], x.shape[-1] - size + 1))
    return window_sums(x / rows[:, None], size, -1) / columns


def most_of_nine(choice: Tensor) -> Tensor:
    """Whether most of the nine places around each are chosen; borders repeat the edge place, so that there is no tie.

    Args:
        choice: (N, C, H, W) bool.

    Returns:
        The same shape, bool.
    """
    chosen = functional.pad(choice.float(), (1, 1, 1, 1), mode="replicate")
    return window_sums(window_sums(chosen, 3, -2), 3, -1) > 4.5


def _counts(length: int, radius: int, like: Tensor) -> Tensor:
    """How many pixels of an axis the window around each holds, (length,)."""
    place = torch.arange(length, device=like.device)
    return ((place + radius).clamp(max=length - 1) - (place - radius).clamp(min=0) + 1).to(like.dtype)
