"""Graph reasoning of SMFNet as one pass over strips: none of its six nodes is ever kept in full size."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.smfnet.graph import GraphReasoning, MessagePassing
from polyfuse.layers.maps import Layer, batch_normed
from polyfuse.layers.strips import Strip, each_strip
from polyfuse.ops import native_maps
from polyfuse.ops.native_maps_sets import supports_maps

Nodes = list[Tensor]
Communicate = Callable[[Nodes, Nodes], tuple[Tensor, Tensor]]


def reason(shallow_a: Tensor, shallow_b: Tensor, graph: GraphReasoning, total: Tensor) -> None:
    """Add `join` of what `GraphReasoning` makes of S of a and of b to `total`, all (H, W, d)."""
    dtype = total.dtype
    makers = [[batch_normed(stack, dtype) for stack in nodes] for nodes in (graph.nodes_a, graph.nodes_b)]
    compiled = supports_maps(total.device, dtype, total.shape[-1])
    communicate = (_native if compiled else _communicate)(graph, dtype)
    merges = [batch_normed(merge, dtype, leak=0.0) for merge in (graph.merge_a, graph.merge_b)]
    join = Layer.of(graph.join, dtype)

    def work(strip: Strip) -> None:
        nodes_a, nodes_b = (
            [layer(_with_context(x, strip.outer, layer.dilation), pad_rows=False) for layer in layers]
            for x, layers in zip((shallow_a, shallow_b), makers, strict=True)
        )
        merged = [merge(nodes)[strip.crop] for nodes, merge in zip(communicate(nodes_a, nodes_b), merges, strict=True)]
        total[strip.inner] += join(torch.cat(merged, dim=-1))

    each_strip(total, 1, work)


def _with_context(x: Tensor, rows: slice, margin: int) -> Tensor:
    """`rows` of x and `margin` more on either side, zeros where the map ends."""
    above, below = min(margin, rows.start), min(margin, len(x) - rows.stop)
    inside = x[rows.start - above : rows.stop + below]
    if above == below == margin:
        return inside  # padding by nothing would copy
    return functional.pad(inside, (0, 0, 0, 0, margin - above, margin - below))


def _native(graph: GraphReasoning, dtype: torch.dtype) -> Communicate:
    """The same as `_communicate`, compiled."""
    gates = torch.cat([graph.gate_a.weight, -graph.gate_b.weight]).flatten(1)  # both read b - a
    passing_a, passing_b = (
        native_maps.Passing(
            gates=messages.gates.weight.flatten(1),
            gate_bias=cast(Tensor, messages.gates.bias),
            candidate=messages.candidate.weight.flatten(1),
            candidate_bias=cast(Tensor, messages.candidate.bias),
            edges=messages.edges.weight.flatten(1),
            gamma=float(messages.gamma),
            iterations=messages.iterations,
            by_parity=messages.messages == "interleaved",
        )
        for messages in (graph.messages_a, graph.messages_b)
    )
    return native_maps.Reasoner(gates, graph.rounds, (passing_a, passing_b), dtype)


def _communicate(graph: GraphReasoning, dtype: torch.dtype) -> Communicate:
    """A function from the nodes of each source, before their ReLU, to their final values stacked along the channels."""
    exchange = _exchange(graph, dtype)
    passing = [_messages(messages, dtype) for messages in (graph.messages_a, graph.messages_b)]

    def run(nodes_a: Nodes, nodes_b: Nodes) -> tuple[Tensor, Tensor]:
        nodes_a, nodes_b = ([functional.relu_(node) for node in nodes] for nodes in (nodes_a, nodes_b))
        for _ in range(graph.rounds):
            nodes_a, nodes_b = exchange(nodes_a, nodes_b)
        stacked_a, stacked_b = (
            torch.cat(send(nodes), dim=-1) for nodes, send in zip((nodes_a, nodes_b), passing, strict=True)
        )
        return stacked_a, stacked_b

    return run


def _exchange(graph: GraphReasoning, dtype: torch.dtype) -> Callable[[Nodes, Nodes], tuple[Nodes, Nodes]]:
    """One round between the sources, all nodes with the same two gates."""
    gates = torch.cat([graph.gate_a.weight, -graph.gate_b.weight]).flatten(1).to(dtype)  # both read b - a
    spread = _spread(gates.shape[1], gates)

    def exchanged(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        gate_a, gate_b = functional.linear(b - a, gates).sigmoid_().split(1, dim=-1)
        return torch.addcmul(a, b, functional.linear(gate_a, spread)), torch.addcmul(
            b, a, functional.linear(gate_b, spread)
        )

    def run(nodes_a: Nodes, nodes_b: Nodes) -> tuple[Nodes, Nodes]:
        pairs = [exchanged(a, b) for a, b in zip(nodes_a, nodes_b, strict=True)]
        return [a for a, _ in pairs], [b for _, b in pairs]

    return run


def _spread(channels: int, like: Tensor) -> Tensor:
    """Weight of the layer that repeats one value in all channels: a small product is faster than broadcasting."""
    return torch.ones(channels, 1, dtype=like.dtype, device=like.device)


def _messages(passing: MessagePassing, dtype: torch.dtype) -> Callable[[Nodes], Nodes]:
    """`MessagePassing` among the nodes of one source."""
    message = _message(passing, dtype)
    edges = passing.edges.weight.flatten(1).to(dtype)
    reset, update = (_of_two(w, b, dtype) for w, b in zip(*_halves(passing.gates), strict=True))
    candidate = _tanh_of_two(passing.candidate, dtype)
    gamma = passing.gamma.to(dtype)

    def updated(node: Tensor, received: Tensor) -> Tensor:
        kept = reset(received, node).sigmoid_().mul_(node)
        renewed = torch.lerp(node, candidate(received, kept), update(received, node).sigmoid_())
        return torch.addcmul(node, renewed, gamma)

    def run(nodes: Nodes) -> Nodes:
        for _ in range(passing.iterations):
            scores = [functional.linear(node, edges) for node in nodes]
            others = [[k for k in range(len(nodes)) if k != index] for index in range(len(nodes))]
            nodes = [
                updated(nodes[index], message(nodes[i], nodes[j], scores[index] - _own_edges(scores[i], scores[j])))
                for index, (i, j) in enumerate(others)
            ]
        return nodes

    return run


def _own_edges(first: Tensor, second: Tensor) -> Tensor:
    """What each of two neighbours contributes to the score of its own edge, (H, W, 2)."""
    return torch.stack([first[..., 0], second[..., 1]], dim=-1)


def _message(passing: MessagePassing, dtype: torch.dtype) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """What a node gets from the other two, given the scores of their edges."""
    weight = passing.candidate.weight
    channels = weight.shape[0]
    spread = _spread(channels, weight).to(dtype)
    by_parity = functional.one_hot(torch.arange(channels, device=weight.device) % 2, 2).to(dtype)

    def run(first: Tensor, second: Tensor, scores: Tensor) -> Tensor:
        edges = scores.sigmoid_()
        if passing.messages == "per_neighbour":  # paper
            weights = [functional.linear(edge, spread) for edge in edges.split(1, dim=-1)]
            return weights[0].mul_(first).addcmul_(weights[1], second)
        # official: edge c mod 2 weighs channel c of either neighbour
        return functional.linear(edges, by_parity).mul_(first + second)

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
        out = functional.linear(first, left, offset)
        out.flatten(0, 1).addmm_(second.flatten(0, 1), right.T)
        return out

    return run


def _tanh_of_two(conv: nn.Conv2d, dtype: torch.dtype) -> Callable[[Tensor, Tensor], Tensor]:
    """Hyperbolic tangent of a 1x1 convolution as 2 sigmoid(2 x) - 1, which torch has a fast form of."""
    doubled = _of_two(2 * conv.weight, None if conv.bias is None else 2 * conv.bias, dtype)
    return lambda first, second: doubled(first, second).sigmoid_().mul_(2).sub_(1)
