"""The compiled graph of SMFNet, layer norms and sums for attentions, on maps (H, W, C); see `native/map_layers.c`.

Inference on a CPU; where it is not built or the processor lacks the instructions, callers go the way of PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops import native_kernels
from polyfuse.ops.native_kernels import maps_kernel, supports_maps
from polyfuse.ops.native_packing import GROUP, by_group, pair_words

NODES = 3  # as in native/graph.h
TILE = 48
LARGEST_HEAD = 16


def counts(query: Tensor, heads: int) -> bool:
    """Whether `count` takes maps like `query`."""
    channels = query.shape[-1]
    return (
        query.dtype == torch.bfloat16
        and channels // heads <= LARGEST_HEAD
        and supports_maps(query.device, query.dtype, channels)
    )


@dataclass(frozen=True, eq=False)
class Passing:
    """Messages among three nodes of C channels."""

    gates: Tensor
    """(2C, 2C): reset and update, from message and node."""
    gate_bias: Tensor
    """(2C,)."""
    candidate: Tensor
    """(C, 2C), from message and what reset leaves of the node."""
    candidate_bias: Tensor
    """(C,)."""
    edges: Tensor
    """(2, C): what weighs a node less its first and its second neighbour."""
    gamma: float
    """Share of the renewed node that is added."""
    iterations: int
    """Rounds."""
    by_parity: bool
    """Whether edge c mod 2 weighs channel c of either neighbour, instead of each edge its own."""


class Reasoner:
    """The graph from its nodes to what the convolutions that merge them read.

    Args:
        exchange: (2, C): what weighs b - a for the gate of a and of b.
        rounds: How often the sources exchange.
        passings: Messages of a and of b.
        dtype: Of the maps; `supports_maps` it.
    """

    def __init__(self, exchange: Tensor, rounds: int, passings: tuple[Passing, Passing], dtype: torch.dtype) -> None:
        name, module = native_kernels.maps_instruction_set(dtype), maps_kernel()
        assert name is not None
        self._name, self._module = name, module
        # kept, because the kernel gets bare addresses
        self._exchange, self._packed = exchange.float().contiguous(), [_packed(passing, dtype) for passing in passings]
        self._hows = [
            (tuple(x.data_ptr() for x in tensors), passing.gamma, passing.iterations, int(passing.by_parity))
            for passing, tensors in zip(passings, self._packed, strict=True)
        ]
        self._rounds = rounds

    def __call__(self, nodes_a: Sequence[Tensor], nodes_b: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Three maps (H, W, C) of each source, before their ReLU, to one (H, W, 3C) of each."""
        height, width, channels = nodes_a[0].shape
        nodes = [node.contiguous() for node in (*nodes_a, *nodes_b)]
        found_a, found_b = nodes[0].new_empty(2, height, width, NODES * channels)
        addresses = tuple(node.data_ptr() for node in nodes)
        into, gates = (found_a.data_ptr(), found_b.data_ptr()), (self._exchange.data_ptr(), self._rounds)

        self._module.reason(self._name, (0, height * width), channels, addresses, into, gates, *self._hows)
        return found_a, found_b


def normed(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """Layer normalisation of a bfloat16 map (H, W, C) over its channels, in float32; `supports_maps` it."""
    module = maps_kernel()
    x, weight, bias = x.contiguous(), weight.float().contiguous(), bias.float().contiguous()
    found, channels = torch.empty_like(x), x.shape[-1]
    module.norm(
        x.data_ptr(), x.numel() // channels, channels, weight.data_ptr(), bias.data_ptr(), epsilon, found.data_ptr()
    )
    return found


def count(query: Tensor, key: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Sums over all pixels of two bfloat16 maps (H, W, C), of the same strides: float32 along a row, then float64.

    Returns:
        Products of each channel of the query with those of the key in its head, (C, C / heads), and squared norms of
        both, (2, C).
    """
    module = maps_kernel()
    height, width, channels = query.shape
    size = channels // heads
    row_step, step, inner = query.stride()
    assert query.stride() == key.stride()
    assert inner == 1
    products = torch.zeros(channels, size, dtype=torch.float64)
    squares = torch.zeros(2, channels, dtype=torch.float64)
    into = (products.data_ptr(), squares.data_ptr())
    module.count((query.data_ptr(), key.data_ptr()), (height, width, row_step, step), (channels, size), into)
    return products, squares


def _packed(passing: Passing, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Weights and biases as the kernel reads them."""
    gates, candidate = (_weights(weight.float(), dtype) for weight in (passing.gates, 2 * passing.candidate))
    bias = functional.pad(2 * passing.candidate_bias.float(), (0, -len(passing.candidate_bias) % GROUP))
    return gates, passing.gate_bias.float().contiguous(), candidate, bias, passing.edges.float().contiguous()


def _weights(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """(outputs, inputs) to (outputs / 8 rounded up, inputs or pairs of them, 8)."""
    columns = functional.pad(weight, (0, 0, 0, -len(weight) % GROUP)).T
    return by_group(pair_words(columns[0::2], columns[1::2]) if dtype == torch.bfloat16 else columns)
