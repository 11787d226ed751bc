"""Planes and weights in the order in which the compiled kernel reads them (layouts: native/lzsc.c)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.native_kernels import Kernel

GROUP = 8  # code channels whose weights lie side by side
Plane = NDArray[Any]
"""A padded plane, float32 or 32-bit words. NumPy on purpose: the threads that PyTorch keeps spinning for a while after
an operation on such a plane would take the cores from the kernel's own."""


def expansion_weights(weight: Tensor, *, bf16: bool, exact_first: bool) -> tuple[Tensor, tuple[int, ...]]:
    """Pack `weight`, (64, planes, 9, 9), for `operand_words`; returns (packed, taps per kernel row of each operand).

    In bf16 two planes share a 32-bit word; a single plane shares its words with its right neighbours, which takes 5
    taps for a row of 9. With `exact_first` the first plane is the sum of both halves of its words.
    """
    if not bf16:
        return by_group(weight.permute(1, 2, 3, 0).flatten(0, 2)), (weight.shape[-1],) * weight.shape[1]
    rows, taps = [], []
    if exact_first:
        rows.append(pair_words(weight[:, 0], weight[:, 0]))
        taps.append(weight.shape[-1])
        weight = weight[:, 1:]
    if weight.shape[1] % 2:
        alone = functional.pad(weight[:, 0], (0, 1))  # (64, 9, 10)
        rows.append(pair_words(alone[..., 0::2], alone[..., 1::2]))
        taps.append(alone.shape[-1] // 2)
        weight = weight[:, 1:]
    for first in range(0, weight.shape[1], 2):
        rows.append(pair_words(weight[:, first], weight[:, first + 1]))
        taps.append(weight.shape[-1])
    return by_group(torch.cat([words.permute(1, 2, 0).flatten(0, 1) for words in rows])), tuple(taps)


def operand_words(planes: list[Plane], kernel: Kernel, *, bf16: bool, exact_first: bool) -> list[Plane]:
    """Return the buffers to expand: the padded float32 planes themselves, or pairs of them as bfloat16 words.

    With `exact_first` the first plane becomes pairs of rounded value and rest.
    """
    if not bf16:
        return planes
    words = []
    if exact_first:
        words.append(np.empty(planes[0].size, np.uint32))
        kernel.split(planes[0].ctypes.data, words[0].ctypes.data, planes[0].size)
        planes = planes[1:]
    if len(planes) % 2:
        alone = planes[0].reshape(-1)
        words.append(_interleave(alone, alone[1:], kernel))
        planes = planes[1:]
    for first, second in zip(planes[0::2], planes[1::2], strict=True):
        words.append(_interleave(first.reshape(-1), second.reshape(-1), kernel))
    return words


def reduction_weights(weight: Tensor, *, bf16: bool) -> Tensor:
    """Pack `weight`, (outputs, 64, 9, 9), as (outputs, 9 rows, channels or pairs of channels, 9 columns)."""
    rows = weight.permute(0, 2, 1, 3)
    return pair_words(rows[:, :, 0::2], rows[:, :, 1::2]) if bf16 else rows.contiguous()


def pair_words(first: Tensor, second: Tensor) -> Tensor:
    """Two float32 tensors of one shape as int32 words: bfloat16 of `first` in the low half, of `second` in the high."""
    return torch.stack([first, second], dim=-1).bfloat16().view(torch.int32).squeeze(-1)


def by_group(rows: Tensor) -> Tensor:
    """(taps, 64) to contiguous (8 groups, taps, 8)."""
    packed: Tensor = rows.unflatten(1, (-1, GROUP)).permute(1, 0, 2).contiguous()
    return packed


def _interleave(first: Plane, second: Plane, kernel: Kernel) -> Plane:
    """Two float32 buffers, the second possibly one shorter, as words of two bfloat16."""
    words = np.zeros(len(first), np.uint32)
    kernel.interleave(first.ctypes.data, second.ctypes.data, words.ctypes.data, len(second))
    return words
