"""Layers on maps (H, W, C) of one picture, on which SMFNet and DAE-Fuse work in strips of rows.

With the channels last a 1x1 convolution is a matrix product and a depthwise one reads memory in order. Only features
are kept in the picture's full size, inner layers with their many channels exist as strips alone.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.layers.channel_norm import EPSILON, ChannelNorm
from polyfuse.ops import native_dense, native_maps
from polyfuse.ops.native_maps_sets import supports_maps


class Pool:
    """Maps of one picture, used again and again: fresh pages cost as much as a layer."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []

    def take(self, like: Tensor, channels: int | None = None) -> Tensor:
        """A map like `like`, or with as many channels as told, whose content is arbitrary."""
        shape = (*like.shape[:2], channels or like.shape[2])
        for index, free in enumerate(self._free):
            if free.shape == shape:
                return self._free.pop(index)
        return like.new_empty(shape)

    def give(self, *maps: Tensor) -> None:
        """Take back maps that nobody reads any more."""
        self._free.extend(maps)


class Layer:
    """A convolution of 1x1 or 3x3 whose output has its input's size, and a leaky rectifier after it where asked for.

    Args:
        weight: As of `nn.Conv2d`.
        bias: Of its outputs, or None.
        dtype: Of the maps; products are added up in float32 at least.
        groups: As of `nn.Conv2d`.
        dilation: As of `nn.Conv2d`.
        leak: What values below zero are multiplied by; 0 is a rectifier, 1 none.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        dtype: torch.dtype,
        *,
        groups: int = 1,
        dilation: int = 1,
        leak: float = 1.0,
    ) -> None:
        self.pointwise = weight.shape[-1] == 1
        self.weight = weight.flatten(1).to(dtype) if self.pointwise else _channels_last(weight.to(dtype))
        self.bias = None if bias is None else bias.to(dtype)
        self.groups, self.dilation, self.leak = groups, dilation, leak
        takes = native_dense.takes(weight, groups, dtype)
        self._compiled = native_dense.Dense(weight, bias, dilation, leak) if takes else None

    @classmethod
    def of(cls, conv: nn.Module, dtype: torch.dtype, *, leak: float = 1.0) -> Layer:
        """The layer that computes what a `nn.Conv2d` computes, in `dtype`, and a rectifier after it."""
        conv = cast(nn.Conv2d, conv)
        return cls(conv.weight, conv.bias, dtype, groups=conv.groups, dilation=conv.dilation[0], leak=leak)

    def __call__(
        self,
        x: Tensor,
        out: Tensor | None = None,
        *,
        add: Tensor | None = None,
        pad_rows: bool = True,
        pad_columns: bool = True,
    ) -> Tensor:
        """(H, W, C) to (H, W, outputs), less the rows or columns of context that are not to be padded with zeros.

        `add`, of the result's shape, is added before the rectifier. The result is put into `out` if given, whose pixels
        may lie apart.
        """
        if self._compiled is not None and pad_columns:
            margin = 0 if pad_rows or self.pointwise else self.dilation
            return self._compiled(x, slice(margin, len(x) - margin), out, add)
        result = self._convolved(x, pad_rows, pad_columns)
        if add is not None:
            result += add
        if self.leak != 1:
            functional.leaky_relu_(result, self.leak)
        return result if out is None else out.copy_(result)

    def _convolved(self, x: Tensor, pad_rows: bool, pad_columns: bool) -> Tensor:
        """The convolution alone, computed by PyTorch."""
        if self.pointwise:
            return functional.linear(x, self.weight, self.bias)
        padding = (pad_rows * self.dilation, pad_columns * self.dilation)
        planes = x[None].permute(0, 3, 1, 2)
        convolved = functional.conv2d(planes, self.weight, self.bias, 1, padding, self.dilation, self.groups)
        return convolved.permute(0, 2, 3, 1)[0].contiguous()


def _channels_last(weight: Tensor) -> Tensor:
    """The memory order that makes the convolution's output come with the channels last."""
    return weight.contiguous(memory_format=torch.channels_last)


def batch_normed(stack: nn.Module, dtype: torch.dtype, *, leak: float = 1.0) -> Layer:
    """One layer for a convolution without bias and the batch normalisation after it, with its running statistics."""
    conv, norm = cast(nn.Conv2d, cast(nn.Sequential, stack)[0]), cast(nn.BatchNorm2d, cast(nn.Sequential, stack)[1])
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    weight = conv.weight * scale[:, None, None, None]
    return Layer(weight, norm.bias - mean * scale, dtype, dilation=conv.dilation[0], leak=leak)


def normed(x: Tensor, norm: nn.Module | None = None) -> Tensor:
    """`ChannelNorm` of a map, by default without weight and bias, in float32 at least.

    As exact as that and, with 24 channels, faster than in bfloat16.
    """
    weight, bias = (None, None) if norm is None else (cast(ChannelNorm, norm).weight, cast(ChannelNorm, norm).bias)
    channels = x.shape[-1]
    if x.dtype == torch.bfloat16 and supports_maps(x.device, x.dtype, channels):
        ones, zeros = torch.ones(channels), torch.zeros(channels)
        return native_maps.normed(x, ones if weight is None else weight, zeros if bias is None else bias, EPSILON)
    exact = x.to(torch.promote_types(x.dtype, torch.float32) if weight is None else weight.dtype)
    return functional.layer_norm(exact, (channels,), weight, bias, EPSILON).to(x.dtype)


def reflected(x: Tensor) -> Tensor:
    """Continue (H, W, C) by one mirrored row and column on each side, (H + 2, W + 2, C); a single one is repeated."""
    height, width, channels = x.shape
    around = x.new_empty(height + 2, width + 2, channels)
    around[1:-1, 1:-1] = x
    around[0, 1:-1], around[-1, 1:-1] = x[min(1, height - 1)], x[max(0, height - 2)]
    around[:, 0], around[:, -1] = around[:, min(2, width)], around[:, max(1, width - 1)]
    return around
