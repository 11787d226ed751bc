"""How much work convolutions are."""

from __future__ import annotations

from torch import nn


def convolution_macs(module: nn.Module) -> int:
    """Multiply-accumulates for one pixel of all convolutions of stride 1 in a module, each once, padding counted."""
    return sum(layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Conv2d))
