"""A 1x1, a depthwise 3x3 and another 1x1 convolution on maps (H, W, C): compiled for bfloat16, else layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.layers.channel_norm import EPSILON, ChannelNorm
from polyfuse.layers.maps import Layer, normed, reflected
from polyfuse.ops import native_separable
from polyfuse.ops.native_separable import Activation, Block, Filters, Norm

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu6": lambda x: functional.relu6(x, inplace=True),
    "gelu": functional.gelu,
}


def filters(conv: nn.Module) -> Filters:
    """Weight and bias of a `nn.Conv2d`."""
    conv = cast(nn.Conv2d, conv)
    return Filters(conv.weight, conv.bias)


class SeparableBlock:
    """[norm] -> expand -> mix -> [reduce], each with its activation, and [+ norm(x) + x].

    Args:
        dtype: Of the maps.
        expand: 1x1, (M, C, 1, 1).
        mix: 3x3, (M, 1, 3, 3) or, as one convolution over all channels, (M, M, 3, 3).
        reduce: 1x1, (O, M, 1, 1), or None.
        activations: After each of the three.
        norm: `ChannelNorm` of the input, or None.
        reflect: Whether `mix` sees its input mirrored around the border, instead of zeros.
        residual: Whether the input and its norm, which there has to be, are added.
    """

    def __init__(
        self,
        dtype: torch.dtype,
        expand: Filters,
        mix: Filters,
        reduce: Filters | None = None,
        activations: tuple[Activation, Activation, Activation] = ("none", "none", "none"),
        *,
        norm: nn.Module | None = None,
        reflect: bool = False,
        residual: bool = False,
    ) -> None:
        assert norm is not None or not residual
        self._norm, self._residual, self._reflect = norm, residual, reflect
        statistics = None
        if norm is not None:
            statistics = Norm(cast(ChannelNorm, norm).weight, cast(ChannelNorm, norm).bias, EPSILON)
        self._block = Block(expand, mix, reduce, statistics, activations, reflect, residual)
        self._compiled = native_separable.Separable(self._block) if native_separable.takes(self._block, dtype) else None
        groups = len(mix.weight) // mix.weight.shape[1]
        self._expand, self._mix = Layer(*expand, dtype), Layer(*mix, dtype, groups=groups)
        self._reduce = None if reduce is None else Layer(*reduce, dtype)
        self._activations = [ACTIVATIONS[name] for name in activations]

    def __call__(self, x: Tensor, rows: slice | None = None, out: Tensor | None = None) -> Tensor:
        """(H, W, C) to those `rows` of the result (default all), (rows, W, O); into a contiguous `out` if given."""
        rows = rows or slice(0, len(x))
        if self._compiled is not None:
            return self._compiled(x, rows, out)
        result = self._layer_by_layer(x, rows)
        return result if out is None else out.copy_(result)

    def _layer_by_layer(self, x: Tensor, rows: slice) -> Tensor:
        """What `__call__` gives, by one operation of PyTorch after another."""
        after_expand, after_mix, after_reduce = self._activations
        core = x if self._norm is None else normed(x, self._norm)
        wide = after_expand(self._expand(core))
        if self._reflect:
            mixed = self._mix(reflected(wide), pad_rows=False, pad_columns=False)[rows]
        else:
            mixed = self._mix(wide)[rows]
        result = after_mix(mixed)
        if self._reduce is not None:
            result = after_reduce(self._reduce(result))
        return result.add_(core[rows]).add_(x[rows]) if self._residual else result
