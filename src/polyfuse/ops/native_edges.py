"""Sizes of two depthwise 3x3 filters' answers added up, compiled for bfloat16 maps; see `native/edges.h`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.native_kernels import check_map
from polyfuse.ops.native_maps_sets import maps_kernel, supports_maps

LANES = 16


def takes(weight: Tensor, dtype: torch.dtype) -> bool:
    """Whether the kernel filters maps of `dtype` with a `weight` of that shape, (C, 1, H, W)."""
    fits = weight.shape[1:] == (1, 3, 3) and dtype == torch.bfloat16
    return fits and supports_maps(weight.device, dtype, len(weight))


class Edges:
    """|x * g| + |x * h| with zeros beyond the map.

    Args:
        first: g, (C, 1, 3, 3), one that `takes` accepts.
        second: h, likewise.
    """

    def __init__(self, first: Tensor, second: Tensor) -> None:
        module = maps_kernel()
        self._module, self._channels = module, len(first)
        taps = torch.stack([first, second]).flatten(2).transpose(1, 2).float()  # (2, 9, C)
        # kept, because the kernel gets a bare address
        self._weights = functional.pad(taps, (0, -self._channels % LANES)).contiguous()

    def __call__(self, x: Tensor, out: Tensor) -> None:
        """Fill `out` from x, both (H, W, C), bfloat16, whose pixels may lie apart.

        Raises:
            ValueError: If one is no such map.
        """
        height, width, channels = *x.shape[:2], self._channels
        check_map("x", x, (height, width, channels), torch.bfloat16)
        check_map("out", out, (height, width, channels), torch.bfloat16)
        self._module.edges(
            x.data_ptr(), (height, width, x.stride(0), x.stride(1)), channels, self._weights.data_ptr(),
            out.data_ptr(), (out.stride(0), out.stride(1)),
        )  # fmt: skip
