"""The compiled attention of many bfloat16 queries to few keys; see `native/attention.h`.

A query's products with all keys stay in registers and the nearest cache until its values are gathered, where PyTorch
writes them to memory, reads them for the softmax, and reads them again.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.native_kernels import check_map
from polyfuse.ops.native_maps_sets import maps_kernel, supports_maps
from polyfuse.ops.native_packing import pair_words

KEYS_TOGETHER = 32  # as in native/attention.h
VECTOR = 16


def takes(dtype: torch.dtype, device: torch.device, width: int, outputs: int) -> bool:
    """Whether the kernel computes attention with queries of `width` and `outputs` channels in each head."""
    fits = width % VECTOR == 0 and outputs % VECTOR == 0 and dtype == torch.bfloat16
    return fits and supports_maps(device, dtype, VECTOR)


class Attention:
    """The kernel with one set of keys and values.

    Args:
        key: (heads, keys, width), times the factor of the products.
        value: (heads, keys, outputs); `takes` says whether widths and outputs fit.
        unit_length: Whether each query is divided by its length in each head.
    """

    def __init__(self, key: Tensor, value: Tensor, *, unit_length: bool = False) -> None:
        module = maps_kernel()
        self._module, self._unit_length = module, unit_length
        self._heads, self._keys, self._width = key.shape
        self._outputs = value.shape[-1]
        missing = (0, 0, 0, -self._keys % KEYS_TOGETHER)
        key, value = (functional.pad(x.float(), missing) for x in (key, value))
        # kept, because the kernel gets bare addresses
        self._key = pair_words(key[..., 0::2], key[..., 1::2]).mT.contiguous()
        self._value = pair_words(value[:, 0::2], value[:, 1::2]).contiguous()

    def __call__(self, query: Tensor, total: Tensor, *, apart: bool = False) -> None:
        """Add to `total` what each query gets: the values, weighed by the softmax of its products with their keys.

        Args:
            query: (N, heads times width), bfloat16.
            total: (N, outputs), the sum over the heads; or, with `apart`, (N, heads times outputs), head by head.
            apart: Whether each head has its own channels in `total`.

        Raises:
            ValueError: If one is no bfloat16 tensor of that shape on the CPU.
        """
        check_map("query", query, (len(query), self._heads * self._width), torch.bfloat16)
        channels = self._outputs * (self._heads if apart else 1)
        check_map("total", total, (len(query), channels), torch.bfloat16)
        self._module.attention(
            query.data_ptr(), (len(query), query.stride(0)), (self._heads, self._width, self._keys, self._outputs),
            (self._key.data_ptr(), self._value.data_ptr()), int(self._unit_length),
            total.data_ptr(), (total.stride(0), self._outputs * apart),
        )  # fmt: skip
