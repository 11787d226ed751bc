"""Planes as a bfloat16 map of blocks of 2 x 2 pixels and back, compiled; see `native/blocks.h`."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.ops.native_kernels import check_map, check_rows
from polyfuse.ops.native_maps_sets import maps_kernel, supports_maps

SIDE = 2
PLANES = 3  # a, b and the larger of both
READ = 8
"""Channels of a residual in blocks; the first `SIDE`^2 are the pixels of a block, the others are not looked at."""


def takes(planes: Tensor, dtype: torch.dtype) -> bool:
    """Whether the kernel makes maps of `dtype` of such planes."""
    exact = planes.dtype == torch.float32 and dtype == torch.bfloat16
    return exact and supports_maps(planes.device, dtype, PLANES * SIDE**2)


class Blocks:
    """Two planes between which and their blocks the kernel goes both ways.

    Args:
        a: (H, W), float32, one that `takes` accepts.
        b: Likewise, of the same shape.
        reach: Blocks of context on each side; beyond the border the edge pixels go on.
    """

    def __init__(self, a: Tensor, b: Tensor, reach: int) -> None:
        module = maps_kernel()
        a, b = a.contiguous(), b.contiguous()
        for name, plane in (("a", a), ("b", b)):
            check_map(name, plane, tuple(a.shape[:2]), torch.float32)
        self._module, self._planes, self._reach = module, (a, b), reach
        height, width = a.shape
        self._facts = (a.data_ptr(), b.data_ptr()), (height, width, width), reach
        self.shape = (-(-height // SIDE), -(-width // SIDE))
        """Rows and columns of blocks, without context."""

    def pack(self, rows: slice) -> Tensor:
        """Rows of blocks with their context: (rows + 2 reach, columns + 2 reach, 12), bfloat16."""
        count, columns = rows.stop - rows.start + 2 * self._reach, self.shape[1] + 2 * self._reach
        blocks = torch.empty(count, columns, PLANES * SIDE**2, dtype=torch.bfloat16)
        self._module.pack(*self._facts, (rows.start - self._reach, count), blocks.data_ptr())
        return blocks

    def unpack(self, rows: slice, residual: Tensor, fused: Tensor) -> None:
        """Fill rows of `fused` (H, W), float32, with the larger plane plus a residual in blocks.

        Args:
            rows: Rows of blocks that are filled.
            residual: (rows, columns + 2 reach, 8), bfloat16: context at the sides only.
            fused: Its rows may lie apart.
        """
        count, (height, width) = rows.stop - rows.start, self._planes[0].shape
        check_rows(rows, self.shape[0])
        check_map("residual", residual, (count, self.shape[1] + 2 * self._reach, READ), torch.bfloat16)
        check_map("fused", fused, (height, width), torch.float32)
        if not residual.is_contiguous():
            raise ValueError(f"residual has strides {residual.stride()}: the kernel needs contiguous blocks")
        self._module.unpack(*self._facts, (rows.start, count), residual.data_ptr(), fused.data_ptr(), fused.stride(0))
