"""An exponentially averaged copy of a network, which fuses better than the weights of any one step."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """average <- decay * average + (1 - decay) * weights, after every step.

    Args:
        network: Whose weights are averaged; the average starts from them.
        decay: Per step, in [0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._mix = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the weights of `network` in; buffers are copied as they are."""
        self._mix(list(self.network.parameters()), list(network.parameters()), 0)
        for copied, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            copied.copy_(buffer)
