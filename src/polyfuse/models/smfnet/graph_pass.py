"""Graph reasoning of SMFNet as one pass over strips: none of its six nodes is ever kept in full size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.models.smfnet.graph import GraphReasoning, MessagePassing
from polyfuse.models.smfnet.maps import Layer, batch_normed, strips

Nodes = list[Tensor]


def reason(shallow_a: Tensor, shallow_b: Tensor, graph: GraphReasoning, total: Tensor) -> None:
    """Add `join` of what `GraphReasoning` finds in S of a and of b to `total`."""
    dtype = total.dtype
    makers = [[batch_normed(stack, dtype) for stack in nodes] for nodes in (graph.nodes_a, graph.nodes_b)]
    exchange = _exchange(graph, dtype)
    passing = [_messages(messages, dtype) for messages in (graph.messages_a, graph.messages_b)]
    merges = [batch_normed(merge, dtype) for merge in (graph.merge_a, graph.merge_b)]
    join = Layer.of(graph.join, dtype)
    for strip in strips(total, halo=1):
        nodes_a, nodes_b = (
            [functional.relu_(layer(_with_context(x, strip.outer, layer.dilation), pad_rows=False)) for layer in layers]
            for x, layers in zip((shallow_a, shallow_b), makers, strict=True)
        )
        for _ in range(graph.rounds):
            nodes_a, nodes_b = exchange(nodes_a, nodes_b)
        merged = [
            functional.relu_(merge(torch.cat(send(nodes), dim=-1))[strip.crop])
            for nodes, send, merge in zip((nodes_a, nodes_b), passing, merges, strict=True)
        ]
        total[strip.inner] += join(torch.cat(merged, dim=-1))


def _with_context(x: Tensor, rows: slice, margin: int) -> Tensor:
    """`rows` of x and `margin` more on either side, zeros where the map ends."""
    above, below = min(margin, rows.start), min(margin, len(x) - rows.stop)
    inside = x[rows.start - above : rows.stop + below]
    return functional.pad(inside, (0, 0, 0, 0, margin - above, margin - below))


def _exchange(graph: GraphReasoning, dtype: torch.dtype) -> Callable[[Nodes, Nodes], tuple[Nodes, Nodes]]:
    """One round between the sources, all nodes with the same two gates."""
    gates = [_spread(graph.gate_a, dtype), _spread(graph.gate_b, dtype)]

    def run(nodes_a: Nodes, nodes_b: Nodes) -> tuple[Nodes, Nodes]:
        pairs = list(zip(nodes_a, nodes_b, strict=True))
        differences = [b - a for a, b in pairs]
        return (
            [torch.addcmul(a, b, gates[0](d)) for (a, b), d in zip(pairs, differences, strict=True)],
            [torch.addcmul(b, a, gates[1](d.neg_())) for (a, b), d in zip(pairs, differences, strict=True)],
        )

    return run


def _spread(gate: nn.Conv2d, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """Sigmoid of a one-channel convolution, the same in all channels: products of whole maps need no broadcasting."""
    weight = gate.weight.flatten(1).to(dtype)
    ones = torch.ones(weight.shape[1], 1, dtype=dtype, device=weight.device)
    return lambda x: functional.linear(functional.linear(x, weight).sigmoid_(), ones)


def _messages(passing: MessagePassing, dtype: torch.dtype) -> Callable[[Nodes], Nodes]:
    """`MessagePassing` among the nodes of one source."""
    message = _message(passing, dtype)
    reset, update = (_of_two(w, b, dtype) for w, b in zip(*_halves(passing.gates), strict=True))
    candidate = _of_two(passing.candidate.weight, passing.candidate.bias, dtype)
    gamma = passing.gamma.to(dtype)

    def updated(node: Tensor, first: Tensor, second: Tensor) -> Tensor:
        received = message(node, first, second)
        kept = reset(received, node).sigmoid_().mul_(node)
        renewed = torch.lerp(node, candidate(received, kept).tanh_(), update(received, node).sigmoid_())
        return torch.addcmul(node, renewed, gamma)

    def run(nodes: Nodes) -> Nodes:
        for _ in range(passing.iterations):
            others = [[other for k, other in enumerate(nodes) if k != index] for index in range(len(nodes))]
            nodes = [updated(node, *rest) for node, rest in zip(nodes, others, strict=True)]
        return nodes

    return run


def _message(passing: MessagePassing, dtype: torch.dtype) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """What the node (first argument) gets from the other two."""
    edges = [weight.flatten(1).to(dtype) for weight in passing.edges.weight.split(1)]
    channels = edges[0].shape[1]
    parity = torch.arange(channels, device=edges[0].device) % 2
    spread = functional.one_hot(parity, 2).to(dtype)
    ones = torch.ones(channels, 1, dtype=dtype, device=parity.device)

    def run(node: Tensor, first: Tensor, second: Tensor) -> Tensor:
        scores = [functional.linear(node - other, edge) for other, edge in zip((first, second), edges, strict=True)]
        if passing.messages == "per_neighbour":  # paper
            weights = [functional.linear(score.sigmoid_(), ones) for score in scores]
            return (first * weights[0]).addcmul_(second, weights[1])
        weights_by_parity = functional.linear(torch.cat(scores, dim=-1).sigmoid_(), spread)
        return weights_by_parity.mul_(first + second)  # official: edge c mod 2 weighs channel c of either neighbour

    return run


def _halves(gates: nn.Conv2d) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Weights and biases of reset and update."""
    assert gates.bias is not None
    return gates.weight.chunk(2), gates.bias.chunk(2)


def _of_two(weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Callable[[Tensor, Tensor], Tensor]:
    """A 1x1 convolution of two maps stacked, without stacking them."""
    left, right = weight.flatten(1).to(dtype).chunk(2, dim=1)
    offset = None if bias is None else bias.to(dtype)

    def run(first: Tensor, second: Tensor) -> Tensor:
        found = functional.linear(first, left, offset)
        found.flatten(0, 1).addmm_(second.flatten(0, 1), right.T)
        return found

    return run
