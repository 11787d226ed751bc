"""The compiled 3x3 or 1x1 convolution of bfloat16 maps, channels last, to 8, 16, .. 48 channels; see `native/dense.h`.

PyTorch takes as long for 24 channels as for 32, which fill whole vectors, and rectifies and adds in passes
of their own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.ops.native_kernels import check_map, check_rows
from polyfuse.ops.native_maps_sets import maps_kernel, supports_maps
from polyfuse.ops.native_packing import pair_words

OUTPUTS = range(8, 49, 8)


def takes(weight: Tensor, groups: int, dtype: torch.dtype) -> bool:
    """Whether the kernel computes a convolution with `weight`, (outputs, inputs / groups, H, W), on maps of `dtype`."""
    outputs, inputs, *sides = weight.shape
    shaped = groups == 1 and sides in ([3, 3], [1, 1]) and outputs in OUTPUTS and inputs % 2 == 0
    return shaped and dtype == torch.bfloat16 and supports_maps(weight.device, dtype, outputs)


class Dense:
    """The kernel with one set of weights.

    Args:
        weight: (outputs, inputs, 3, 3) or (outputs, inputs, 1, 1), one that `takes` accepts.
        bias: (outputs,), or None.
        dilation: Pixels between taps.
        leak: What values below zero are multiplied by.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dilation: int, leak: float) -> None:
        module = maps_kernel()
        self._module, self._leak, side = module, leak, weight.shape[-1]
        self._shape = (weight.shape[1], len(weight), side, dilation if side > 1 else 0)
        taps = _in_vectors(weight.permute(2, 3, 1, 0).float())  # (3, 3, inputs, lanes)
        # kept, because the kernel gets bare addresses
        self._weight = pair_words(taps[..., 0::2, :], taps[..., 1::2, :]).contiguous()
        self._bias = _in_vectors(weight.new_zeros(len(weight)).float() if bias is None else bias.float())

    def __call__(self, x: Tensor, rows: slice, out: Tensor | None = None, add: Tensor | None = None) -> Tensor:
        """(H, W, inputs) to those `rows` of the result, (rows, W, outputs), put into `out` if given.

        `add`, of the result's shape, is added before the rectifier.

        Raises:
            ValueError: If a map is not bfloat16 of that shape on the CPU, or the rows are not those of x.
        """
        x = x if x.stride(-1) == 1 else x.contiguous()
        height, width = x.shape[:2]
        check_map("x", x, (height, width, self._shape[0]), torch.bfloat16)
        check_rows(rows, height)
        shape = (rows.stop - rows.start, width, self._shape[1])
        result = x.new_empty(shape) if out is None else out
        check_map("out", result, shape, torch.bfloat16)
        added = (0, (0, 0))
        if add is not None:
            add = add if add.stride(-1) == 1 else add.contiguous()
            check_map("add", add, shape, torch.bfloat16)
            added = (add.data_ptr(), (add.stride(0), add.stride(1)))
        self._module.dense(
            x.data_ptr(), (height, width, x.stride(0), x.stride(1)), (rows.start, len(result)),
            self._shape, (self._weight.data_ptr(), self._bias.data_ptr()),
            self._leak, *added, result.data_ptr(), (result.stride(0), result.stride(1)),
        )  # fmt: skip
        return result


def _in_vectors(x: Tensor) -> Tensor:
    """(..., outputs) in whole vectors of 16: where 8 are left, they come twice."""
    return (torch.cat([x, x[..., -8:]], dim=-1) if x.shape[-1] % 16 else x).contiguous()
