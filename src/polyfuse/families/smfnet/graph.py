"""Graph reasoning: three nodes per source, gated exchange between the sources, messages within each (spec smfnet 2.13).

The two sources have weights of their own, so swapping them changes the result.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyfuse.families.smfnet.attention import macs_per_pixel
from polyfuse.families.smfnet.config import NUM_NODES, Messages, SMFNetConfig
from polyfuse.families.spec import Observer

GRU_WEIGHT_STD = 0.01
"""Standard deviation of the GRU's initial weights. Source: official code."""


def _convolved(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    """3x3 convolution without bias, batch normalisation, ReLU."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class MessagePassing(nn.Module):
    """Each node gets a gated sum of the other two and lets a convolutional GRU decide what to keep.

    v <- v + gamma * GRU(message, v); gamma starts at 0, so that at first nothing changes.

    Args:
        channels: Width d.
        iterations: Rounds with the same weights; all nodes are updated from the old values.
        messages: Which edge weighs a neighbour, see `SMFNetConfig`.

    Source: official code; the paper has neither gamma nor the residual.
    """

    def __init__(self, channels: int, iterations: int, messages: Messages) -> None:
        super().__init__()
        self.iterations, self.messages = iterations, messages
        others = NUM_NODES - 1
        self.gamma = nn.Parameter(torch.zeros(1))
        self.edges = nn.Conv2d(others * channels, others, 1, groups=others, bias=False)
        self.gates = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.candidate = nn.Conv2d(2 * channels, channels, 1)
        for conv in (self.gates, self.candidate):
            nn.init.normal_(conv.weight, std=GRU_WEIGHT_STD)

    def forward(self, nodes: list[Tensor], observe: Observer | None = None) -> list[Tensor]:
        """Nodes, each (N, d, H, W), to updated ones; `observe` gets "edge" and "update" once per node and round."""
        for _ in range(self.iterations):
            others = [[other for k, other in enumerate(nodes) if k != index] for index in range(len(nodes))]
            nodes = [self._updated(node, rest, observe) for node, rest in zip(nodes, others, strict=True)]
        return nodes

    def _updated(self, node: Tensor, others: list[Tensor], observe: Observer | None) -> Tensor:
        edges = self.edges(torch.cat([node - other for other in others], dim=1)).sigmoid()
        message = self._message(others, edges)
        reset, update = self.gates(torch.cat([message, node], dim=1)).sigmoid().chunk(2, dim=1)
        if observe is not None:
            observe("edge", edges)
            observe("update", update)
        candidate = self.candidate(torch.cat([message, reset * node], dim=1)).tanh()
        renewed = torch.lerp(node, candidate, update)  # (1 - update) * node + update * candidate
        updated: Tensor = node + self.gamma * renewed
        return updated

    def _message(self, others: list[Tensor], edges: Tensor) -> Tensor:
        """Weighted sum of the two other nodes."""
        first, second = others
        if self.messages == "per_neighbour":  # paper
            return first * edges[:, :1] + second * edges[:, 1:]
        # official: edge c mod 2 weighs channel c of either neighbour
        pairs: Tensor = (first + second).unflatten(1, (-1, NUM_NODES - 1))
        return (pairs * edges[:, None]).flatten(1, 2)


class GraphReasoning(nn.Module):
    """From the shallow features of both sources to features of each that draw on the other.

    Args:
        config: Configuration.
    """

    def __init__(self, config: SMFNetConfig) -> None:
        super().__init__()
        width = config.channels
        self.rounds = config.exchange_rounds
        self.nodes_a = nn.ModuleList(_convolved(width, width, dilation) for dilation in config.dilations)
        self.nodes_b = nn.ModuleList(_convolved(width, width, dilation) for dilation in config.dilations)
        self.gate_a = nn.Conv2d(width, 1, 1, bias=False)
        self.gate_b = nn.Conv2d(width, 1, 1, bias=False)
        self.messages_a = MessagePassing(width, config.message_iterations, config.messages)
        self.messages_b = MessagePassing(width, config.message_iterations, config.messages)
        self.merge_a = _convolved(NUM_NODES * width, width)
        self.merge_b = _convolved(NUM_NODES * width, width)
        self.join = nn.Conv2d(2 * width, width, 1)

    def forward(self, shallow_a: Tensor, shallow_b: Tensor, observe: Observer | None = None) -> tuple[Tensor, Tensor]:
        """S of a and of b to G of a and of b, all (N, d, H, W); `join` makes one feature of the two.

        Args:
            shallow_a: (N, d, H, W), infrared: the official program's slot "rgb".
            shallow_b: The same of b: its slot "dep".
            observe: Gets "exchange_a", "exchange_b", per node and round, and "edge_s", "update_s" of source s.
        """
        nodes_a = [make(shallow_a) for make in self.nodes_a]
        nodes_b = [make(shallow_b) for make in self.nodes_b]
        for _ in range(self.rounds):
            exchanged = [self._exchanged(a, b, observe) for a, b in zip(nodes_a, nodes_b, strict=True)]
            nodes_a, nodes_b = [a for a, _ in exchanged], [b for _, b in exchanged]
        nodes_a = self.messages_a(nodes_a, _suffixed(observe, "a"))
        nodes_b = self.messages_b(nodes_b, _suffixed(observe, "b"))
        return self.merge_a(torch.cat(nodes_a, dim=1)), self.merge_b(torch.cat(nodes_b, dim=1))

    def _exchanged(self, a: Tensor, b: Tensor, observe: Observer | None) -> tuple[Tensor, Tensor]:
        """One node of each source after it took from the other what its gate lets through."""
        gate_a, gate_b = self.gate_a(b - a).sigmoid(), self.gate_b(a - b).sigmoid()
        if observe is not None:
            observe("exchange_a", gate_a[:, 0])
            observe("exchange_b", gate_b[:, 0])
        return a + b * gate_a, b + a * gate_b

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates for one pixel without `join`, counted as often as they happen."""
        exchange = macs_per_pixel(self.gate_a) + macs_per_pixel(self.gate_b)
        messages = sum(macs_per_pixel(m) * m.iterations for m in (self.messages_a, self.messages_b))
        once = (self.nodes_a, self.nodes_b, self.merge_a, self.merge_b)
        return sum(map(macs_per_pixel, once)) + NUM_NODES * (self.rounds * exchange + messages)


def _suffixed(observe: Observer | None, source: str) -> Observer | None:
    """`observe` with the source put after each name, e.g. "edge_a"."""
    if observe is None:
        return None
    return lambda name, value: observe(f"{name}_{source}", value)
