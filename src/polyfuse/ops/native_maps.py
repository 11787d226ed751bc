"""The compiled graph of SMFNet, layer norms and sums for attentions, on maps (H, W, C); see `native/map_layers.c`.

Inference on a CPU; where it is not built or the processor lacks the instructions, callers go the way of PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops import native_maps_sets
from polyfuse.ops.native_kernels import check_map
from polyfuse.ops.native_maps_sets import maps_kernel, supports_maps
from polyfuse.ops.native_packing import GROUP, by_group, pair_words

NODES = 3  # as in native/graph.h
TILE = 48
LARGEST_HEAD = 16


def counts(query: Tensor, heads: int) -> bool:
    """Whether the kernel can `count` maps like `query`: bfloat16, with heads of 16 channels at most."""
    channels = query.shape[-1]
    return (
        query.dtype == torch.bfloat16
        and channels // heads <= LARGEST_HEAD
        and supports_maps(query.device, query.dtype, channels)
    )


@dataclass(frozen=True, eq=False)
class Passing:
    """How three nodes of C channels each are renewed by messages from each other, with the weights of a gated unit."""

    gates: Tensor
    """Weights of the gates reset and update, (2C, 2C); they read message and node."""
    gate_bias: Tensor
    """Biases of both gates, (2C,)."""
    candidate: Tensor
    """Weights of the candidate, (C, 2C), which reads the message and what reset leaves of the node."""
    candidate_bias: Tensor
    """Its biases, (C,)."""
    edges: Tensor
    """(2, C): what weighs a node less its first and its second neighbour."""
    gamma: float
    """Share of the renewed node that is added."""
    iterations: int
    """How many times messages are passed."""
    by_parity: bool
    """Whether edge c mod 2 weighs channel c of either neighbour, instead of each edge its own."""


class Reasoner:
    """The graph from its nodes to what the convolutions that merge them read.

    Args:
        exchange: (2, C): what weighs b - a for the gate of a and of b.
        rounds: How often the sources exchange.
        passings: Messages among the nodes of a, and among those of b.
        dtype: Of the maps, one that `supports_maps` accepts.
    """

    def __init__(self, exchange: Tensor, rounds: int, passings: tuple[Passing, Passing], dtype: torch.dtype) -> None:
        name, module = native_maps_sets.maps_instruction_set(dtype), maps_kernel(dtype)
        assert name is not None
        self._name, self._module = name, module
        # kept, because the kernel gets bare addresses
        self._exchange, self._packed = exchange.float().contiguous(), [_packed(passing, dtype) for passing in passings]
        self._hows = [
            (tuple(x.data_ptr() for x in tensors), passing.gamma, passing.iterations, int(passing.by_parity))
            for passing, tensors in zip(passings, self._packed, strict=True)
        ]
        self._rounds, self._dtype = rounds, dtype

    def __call__(self, nodes_a: Sequence[Tensor], nodes_b: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Three maps (H, W, C) of each source, before their ReLU, to one (H, W, 3C) of each.

        Raises:
            ValueError: If there are not three each of one shape, in the type of the graph.
        """
        height, width, channels = *nodes_a[0].shape[:2], self._exchange.shape[1]
        nodes = [node.contiguous() for node in (*nodes_a, *nodes_b)]
        if not len(nodes_a) == len(nodes_b) == NODES:
            raise ValueError(f"there are {len(nodes_a)} and {len(nodes_b)} nodes: the kernel needs {NODES} of each")
        for node in nodes:
            check_map("a node", node, (height, width, channels), self._dtype)
        renewed_a, renewed_b = nodes[0].new_empty(2, height, width, NODES * channels)
        addresses = tuple(node.data_ptr() for node in nodes)
        into, gates = (renewed_a.data_ptr(), renewed_b.data_ptr()), (self._exchange.data_ptr(), self._rounds)

        self._module.reason(self._name, (0, height * width), channels, addresses, into, gates, *self._hows)
        return renewed_a, renewed_b


def normed(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """Layer normalisation of a bfloat16 map (H, W, C) over its channels, in float32; where `supports_maps` says yes."""
    module = maps_kernel()
    x, weight, bias = x.contiguous(), weight.float().contiguous(), bias.float().contiguous()
    normalised, channels = torch.empty_like(x), x.shape[-1]
    check_map("x", x, tuple(x.shape), torch.bfloat16)
    for name, values in (("weight", weight), ("bias", bias)):
        check_map(name, values, (channels,), torch.float32)
    pixels, scale = x.numel() // channels, (weight.data_ptr(), bias.data_ptr())
    module.norm(x.data_ptr(), pixels, channels, *scale, epsilon, normalised.data_ptr())
    return normalised


def count(query: Tensor, key: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Sums over all pixels of two bfloat16 maps (H, W, C), of the same strides: float32 along a row, then float64.

    Returns:
        Products of each channel of the query with those of the key in its head, (C, C / heads), and squared norms of
        both, (2, C).
    """
    module = maps_kernel()
    height, width, channels = query.shape
    size = channels // heads
    row_step, step, _ = query.stride()
    for name, x in (("query", query), ("key", key)):
        check_map(name, x, (height, width, size * heads), torch.bfloat16)
    if query.stride() != key.stride():
        raise ValueError(f"strides {query.stride()} and {key.stride()} differ: the kernel needs maps laid out alike")
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
