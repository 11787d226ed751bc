"""The compiled kernels get addresses only of what they expect to find there."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from polyfuse.ops import native_maps
from polyfuse.ops.native_attention import Attention
from polyfuse.ops.native_blocks import Blocks
from polyfuse.ops.native_dense import Dense
from polyfuse.ops.native_edges import Edges
from polyfuse.ops.native_maps_sets import maps_instruction_set
from polyfuse.ops.native_separable import Block, Filters, Separable

pytestmark = pytest.mark.skipif(
    maps_instruction_set(torch.bfloat16) is None, reason="no compiled kernel, or a processor without bfloat16"
)
BF16 = torch.bfloat16
ALL = slice(0, 5)


def bf16(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=BF16)


def dense() -> Dense:
    return Dense(torch.zeros(8, 6, 3, 3), None, 1, 1.0)


def separable() -> Separable:
    wide, mix, narrow = (Filters(torch.zeros(shape), None) for shape in ((8, 4, 1, 1), (8, 1, 3, 3), (4, 8, 1, 1)))
    return Separable(Block(wide, mix, narrow, None, ("none", "none", "none"), reflect=False, residual=False))


def edges() -> Edges:
    return Edges(torch.zeros(6, 1, 3, 3), torch.zeros(6, 1, 3, 3))


def attention() -> Attention:
    return Attention(torch.zeros(2, 9, 16), torch.zeros(2, 9, 16))


def unpacked(rows: slice, residual: Tensor, fused: Tensor) -> None:
    Blocks(torch.zeros(6, 8), torch.zeros(6, 8), 2).unpack(rows, residual, fused)


WRONG: dict[str, Callable[[], object]] = {
    "dense: inputs": lambda: dense()(bf16(5, 7, 4), ALL),
    "dense: type": lambda: dense()(torch.zeros(5, 7, 6), ALL),
    "dense: rows beyond": lambda: dense()(bf16(5, 7, 6), slice(0, 6)),
    "dense: rows before": lambda: dense()(bf16(5, 7, 6), slice(-1, 5)),
    "dense: no rows left": lambda: dense()(bf16(5, 7, 6), slice(3, 2)),
    "dense: out too low": lambda: dense()(bf16(5, 7, 6), ALL, bf16(4, 7, 8)),
    "dense: out too narrow": lambda: dense()(bf16(5, 7, 6), ALL, bf16(5, 6, 8)),
    "dense: channels of out": lambda: dense()(bf16(5, 7, 6), ALL, bf16(5, 7, 6)),
    "dense: type of out": lambda: dense()(bf16(5, 7, 6), ALL, torch.zeros(5, 7, 8, dtype=torch.float16)),
    "dense: out elsewhere": lambda: dense()(bf16(5, 7, 6), ALL, bf16(5, 7, 8).to("meta")),
    "dense: channels of out apart": lambda: dense()(bf16(5, 7, 6), ALL, bf16(5, 7, 16)[..., ::2]),
    "dense: add": lambda: dense()(bf16(5, 7, 6), ALL, add=bf16(5, 7, 4)),
    "dense: type of add": lambda: dense()(bf16(5, 7, 6), ALL, add=torch.zeros(5, 7, 8)),
    "separable: inputs": lambda: separable()(bf16(5, 7, 6), ALL),
    "separable: type": lambda: separable()(torch.zeros(5, 7, 4), ALL),
    "separable: rows": lambda: separable()(bf16(5, 7, 4), slice(0, 6)),
    "separable: out": lambda: separable()(bf16(5, 7, 4), ALL, bf16(5, 7, 2)),
    "separable: out in parts": lambda: separable()(bf16(5, 7, 4), ALL, bf16(5, 7, 8)[..., :4]),
    "edges: channels": lambda: edges()(bf16(5, 7, 8), bf16(5, 7, 8)),
    "edges: out": lambda: edges()(bf16(5, 7, 6), bf16(5, 6, 6)),
    "edges: type": lambda: edges()(bf16(5, 7, 6), torch.zeros(5, 7, 6)),
    "attention: query": lambda: attention()(bf16(10, 16), bf16(10, 16)),
    "attention: total": lambda: attention()(bf16(10, 32), bf16(9, 16)),
    "attention: total of heads": lambda: attention()(bf16(10, 32), bf16(10, 16), apart=True),
    "attention: type": lambda: attention()(bf16(10, 32), torch.zeros(10, 16)),
    "blocks: planes": lambda: Blocks(torch.zeros(6, 8), torch.zeros(6, 7), 2),
    "blocks: type of planes": lambda: Blocks(torch.zeros(6, 8), torch.zeros(6, 8).double(), 2),
    "blocks: rows": lambda: unpacked(slice(0, 4), bf16(4, 8, 8), torch.zeros(6, 8)),
    "blocks: residual": lambda: unpacked(slice(0, 3), bf16(3, 7, 8), torch.zeros(6, 8)),
    "blocks: residual in parts": lambda: unpacked(slice(0, 3), bf16(3, 8, 16)[..., :8], torch.zeros(6, 8)),
    "blocks: fused": lambda: unpacked(slice(0, 3), bf16(3, 8, 8), torch.zeros(5, 8)),
    "blocks: type of fused": lambda: unpacked(slice(0, 3), bf16(3, 8, 8), bf16(6, 8)),
    "norm: scale": lambda: native_maps.normed(bf16(5, 7, 8), torch.ones(6), torch.zeros(8), 1e-5),
    "norm: type": lambda: native_maps.normed(torch.zeros(5, 7, 8), torch.ones(8), torch.zeros(8), 1e-5),
    "count: heads": lambda: native_maps.count(bf16(5, 7, 8), bf16(5, 7, 8), 3),
    "count: key": lambda: native_maps.count(bf16(5, 7, 8), bf16(5, 7, 6), 2),
    "count: layout": lambda: native_maps.count(bf16(5, 7, 8), bf16(5, 7, 16)[..., :8], 2),
}


@pytest.mark.parametrize("what", WRONG)
def test_kernel_is_not_called_with_what_it_does_not_expect(what: str) -> None:
    with pytest.raises(ValueError, match=r": (the kernel needs|give rows)"):
        WRONG[what]()
