"""Cross attention from one embedding to another, at a cost linear in the number of pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.daefuse.blocks import zeroed
from polyfuse.families.daefuse.config import DAEFuseConfig
from polyfuse.layers.channel_norm import ChannelNorm
from polyfuse.ops.entropy import normalised_entropy
from polyfuse.ops.means import adaptive_weights, means
from polyfuse.ops.recording import is_recording, recorded_sizes

SHARPNESS = 10.0
"""First value of the learned factor of queries and keys of unit length."""
NORM_FLOOR = 1e-12
"""Smallest length by which a query or key is divided."""
PIXELS_PER_CELL = 8
"""Side of the smallest square that a key stands for, pixels."""
QUERIES_AT_ONCE = 4096
"""Queries whose probabilities are held in memory together for `CrossAttention.evidence`."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Where a cross attention looked, means over its heads."""

    received: Tensor
    """Mean probability of each key over all queries, (N, 1, rows, columns), summing to one."""
    entropy: Tensor
    """Entropy of each query's probabilities over that of uniform ones, (N, 1, H, W) in [0, 1]."""


class CrossAttention(nn.Module):
    """Attention of x to y: every pixel of x has a query; keys and values come from y, pooled to a small grid.

        CA(x, y) = out(softmax(tau q k^T) v + local(value(norm(y)))),   q and k of unit length per head

    The local path brings the detail that pooling loses. `out` starts at zero.

    Args:
        config: Configuration.

    Source: paper for query, key and value of two modalities; everything else is ours. With products over
    sqrt(C / heads), the usual form (`qk_norm=False`), probabilities start uniform and stay nearly so.
    """

    def __init__(self, config: DAEFuseConfig) -> None:
        super().__init__()
        width = config.channels
        self.heads, self.grid = config.cross_heads, config.cross_grid
        self.norm_query = ChannelNorm(width)
        self.norm_key = ChannelNorm(width)
        self.query = nn.Conv2d(width, width, 1)
        self.key = nn.Conv2d(width, width, 1)
        self.value = nn.Conv2d(width, width, 1)
        self.local = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.project_out = zeroed(nn.Conv2d(width, width, 1))
        self.sharpness = nn.Parameter(torch.full((self.heads, 1, 1), SHARPNESS)) if config.qk_norm else None

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """What x gets from y, all (N, C, H, W); no residual."""
        normed = self._normed(y)
        query, key = self._query(x), self.key_of(self._pooled(normed))
        value = self.value(normed)
        pooled = self.split(self._pooled(value))
        # the factor is already in the keys
        attended = functional.scaled_dot_product_attention(query, key, pooled.to(query.dtype), scale=1.0)
        attended = attended.transpose(-2, -1).reshape(x.shape)
        projected: Tensor = self.project_out(attended + self.local(value))
        return projected

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of keys for a work size."""
        rows, columns = (min(max(side // PIXELS_PER_CELL, 1), self.grid) for side in (height, width))
        return rows, columns

    def key_of(self, pooled: Tensor) -> Tensor:
        """Keys (N, heads, keys, C / heads) of the pooled normalised embedding, times the factor of the products."""
        key = self.split(self.key(pooled))
        if self.sharpness is None:
            return key / math.sqrt(key.shape[-1])
        key = functional.normalize(key, dim=-1, eps=NORM_FLOOR)
        return key * self.sharpness.to(key.dtype)

    def split(self, x: Tensor) -> Tensor:
        """(N, C, rows, columns) as (N, heads, rows columns, C / heads), contiguous as fast attention needs it."""
        heads: Tensor = x.flatten(2).unflatten(1, (self.heads, -1))
        return heads.transpose(-2, -1).contiguous()

    @torch.no_grad()
    def evidence(self, x: Tensor, y: Tensor) -> Evidence:
        """Where x looks in y, both (N, C, H, W), computed for parts of the queries so that memory stays small."""
        query, key = self._query(x), self.key_of(self._pooled(self._normed(y)))
        received, entropies = torch.zeros_like(key[..., 0]), []
        for part in query.split(QUERIES_AT_ONCE, dim=-2):
            probabilities = (part @ key.transpose(-2, -1)).softmax(dim=-1)
            received += probabilities.sum(dim=-2)
            entropies.append(normalised_entropy(probabilities).mean(dim=1))
        received = received.mean(dim=1, keepdim=True) / query.shape[-2]
        return Evidence(
            received.unflatten(-1, self.cells(*y.shape[-2:])),
            torch.cat(entropies, dim=-1)[:, None].unflatten(-1, x.shape[-2:]),
        )

    def _normed(self, y: Tensor) -> Tensor:
        normed: Tensor = self.norm_key(y.to(self.norm_key.weight.dtype))
        return normed

    def _query(self, x: Tensor) -> Tensor:
        """Queries of x, (N, heads, H W, C / heads)."""
        query = self.split(self.query(self.norm_query(x.to(self.norm_query.weight.dtype))))
        return query if self.sharpness is None else functional.normalize(query, dim=-1, eps=NORM_FLOOR)

    def _pooled(self, x: Tensor) -> Tensor:
        """Means of (N, C, H, W) over the cells of the keys, (N, C, rows, columns)."""
        if is_recording():
            rows, columns = recorded_sizes(*x.shape[-2:])
            cells = [(side // PIXELS_PER_CELL).clamp(1, self.grid) for side in (rows, columns)]
            return means(x, adaptive_weights(rows, cells[0]), adaptive_weights(columns, cells[1]))
        return functional.adaptive_avg_pool2d(x, self.cells(*x.shape[-2:]))
