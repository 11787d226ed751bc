"""Optimisers and rates as a recipe states them, and the average of the weights over the steps."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from polyfuse.train.recipe import OptimiserConfig

MOMENTS: dict[type[torch.optim.Optimizer], set[str]] = {
    torch.optim.Adam: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.RMSprop: {"step", "square_avg"},
}
"""What each optimiser keeps of every parameter."""
RMSPROP_DECAY = 0.99
"""Decay of the mean of squared gradients in RMSprop; the usual value."""


def build_optimiser(config: OptimiserConfig, groups: Iterable[list[nn.Parameter]]) -> torch.optim.Optimizer:
    """Adam, AdamW where there is weight decay, or RMSprop without momentum; each of `groups` is a group of its own."""
    grouped = [{"params": group} for group in groups]
    if config.kind == "rmsprop":
        return torch.optim.RMSprop(grouped, config.rate, alpha=RMSPROP_DECAY, eps=config.eps, foreach=True)
    kind = torch.optim.AdamW if config.weight_decay else torch.optim.Adam
    return kind(
        grouped, lr=config.rate, betas=config.betas, eps=config.eps, weight_decay=config.weight_decay, foreach=True
    )


def rate_at(config: OptimiserConfig, step: int, steps: int) -> float:
    """Learning rate of `step`, counted from 0, of a stage of `steps`.

    First a linear rise over `warmup` steps. Then, by `schedule`: constant; half a cosine that ends at `final * rate` in
    the last step; or halved `halvings` times, evenly spread over the stage, but not below `final * rate`.
    """
    if step < config.warmup:
        return config.rate * (step + 1) / (config.warmup + 1)
    if config.schedule == "constant":
        return config.rate
    if config.schedule == "halving":
        return config.rate * max(config.final, 0.5 ** (step * (config.halvings + 1) // steps))
    progress = (step - config.warmup) / max(1, steps - 1 - config.warmup)
    return config.rate * (config.final + (1 - config.final) * (1 + math.cos(math.pi * progress)) / 2)


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Euclidean norm of all gradients together."""
    parameters = list(parameters)
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros((), device=parameters[0].device)
    return torch.nn.utils.get_total_norm(gradients, foreach=True)


class Average:
    """average <- decay * average + (1 - decay) * weights, after every step.

    Args:
        network: The network to be averaged; the average starts from its weights.
        decay: Per step, in [0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._mix = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Update the average with the weights of `network`; buffers are copied."""
        self._mix(list(self.network.parameters()), list(network.parameters()), 0)
        for copied, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            copied.copy_(buffer)
