"""An exponentially averaged copy of a network, which fuses better than the weights of any one step."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    """average <- decay * average + (1 - decay) * weights, after every step.

    Args:
        network: Whose weights are averaged; the average starts from them.
        decay: Per step, in [0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the weights of `network` in; buffers are copied as they are."""
        for average, weight in zip(self.network.parameters(), network.parameters(), strict=True):
            average.lerp_(weight, 1 - self._decay)
        for copied, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            copied.copy_(buffer)
