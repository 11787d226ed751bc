"""PyrFuse-T's convolutions in bfloat16: maps with the channels last, and on a CPU bands of rows side by side."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.ops.threads import share_out, threads

CONTEXT = 2
"""Rows on each side that two 3 x 3 convolutions see."""
LEAST_ROWS = 16
"""Rows of a band: with fewer, its context is much of the work."""


def convolved(network: nn.Sequential, features: Tensor) -> Tensor:
    """What a network of `convolutions` gives in bfloat16: (N, C, h, w) to (N, outputs, h, w), both float32."""
    height = features.shape[-2]
    splits = features.is_cpu and not torch.is_grad_enabled()
    count = max(1, min(threads(), height // LEAST_ROWS)) if splits else 1
    edges = [height * i // count for i in range(count + 1)]

    def work(band: tuple[int, int]) -> Tensor:
        first, last = max(0, band[0] - CONTEXT), min(height, band[1] + CONTEXT)
        x = _run(network, features[..., first:last, :])
        return x[..., band[0] - first : band[1] - first, :]  # the edge of a band is wrong in its context alone

    return torch.cat(share_out(work, list(pairwise(edges))), dim=-2)


def _run(network: nn.Sequential, features: Tensor) -> Tensor:
    """All layers on one band."""
    x = features.to(torch.bfloat16, memory_format=torch.channels_last)
    for layer in network:
        if not isinstance(layer, nn.Conv2d):
            x = functional.relu_(x)
            continue
        margin = layer.kernel_size[0] // 2
        if margin:
            x = functional.pad(x, (margin,) * 4, mode="replicate")
        weight = layer.weight.to(x.dtype, memory_format=torch.channels_last)
        x = functional.conv2d(x, weight, cast(Tensor, layer.bias).to(x.dtype))
    return x.to(torch.float32, memory_format=torch.contiguous_format)
