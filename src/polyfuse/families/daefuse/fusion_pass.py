"""Cross attention, merge gate and the decoder's first convolution as one pass over strips of both embeddings."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.daefuse.config import of_source
from polyfuse.families.daefuse.cross_attention import NORM_FLOOR, CrossAttention
from polyfuse.families.daefuse.network import DAEFuseNetwork
from polyfuse.layers.channel_norm import ChannelNorm
from polyfuse.layers.maps import Layer, normed
from polyfuse.layers.separable import SeparableBlock, filters
from polyfuse.layers.strips import Strip, each_strip
from polyfuse.ops import native_attention
from polyfuse.ops.native_attention import Attention
from polyfuse.ops.native_separable import Filters

REACH = 3
"""Rows of context: one each for the attention's local path, the gate and the decoder's convolution."""
PROBABILITY_BYTES = 1 << 20
"""Probabilities of one head that are computed at once, so that they stay in the cache."""


def merged_feature(model: DAEFuseNetwork, a: Tensor, b: Tensor, out: Tensor) -> None:
    """Fill `out` (H, W, decoder channels) with what the decoder reads of two embeddings (H, W, C)."""
    fusion, dtype = model.fusion, a.dtype
    gate, read = _Gate(model, dtype), Layer.of(model.decoder.read, dtype, leak=0)
    attentions: list[_DirectedAttention] = []
    if fusion.cross is not None:
        for source, other in (("a", b), ("b", a)):
            cross = cast(CrossAttention, of_source(fusion.cross, source))
            attentions.append(_DirectedAttention(cross, _pooled(other, cross), dtype))

    def work(strip: Strip) -> None:
        parts = a[strip.outer], b[strip.outer]
        if attentions:
            cores = [normed(part) for part in parts]
            shifts = attentions[0](*cores), attentions[1](*cores[::-1])
            parts = shifts[0].add_(parts[0]), shifts[1].add_(parts[1])
        out[strip.inner] = read(gate(*parts))[strip.crop]

    each_strip(a, REACH, work)


class _DirectedAttention:
    """`CrossAttention` of one direction, whose keys and values are known.

    Args:
        cross: The plain module.
        pooled: Normalised embedding of the other source, pooled, (1, C, rows, columns).
        dtype: Of the maps.
    """

    def __init__(self, cross: CrossAttention, pooled: Tensor, dtype: torch.dtype) -> None:
        self.unit_length = cross.sharpness is not None
        self.query = Layer(*_scaled(cross.query, cross.norm_query), dtype)
        value = _scaled(cross.value, cross.norm_key)
        self.detail = SeparableBlock(dtype, value, filters(cross.local), filters(cross.project_out))
        self.keys = cross.key_of(pooled)[0].mT.to(dtype)  # (heads, C / heads, keys)
        values = cross.split(cross.value(pooled))[0]  # (heads, keys, C / heads)
        out = cross.project_out.weight.flatten(1).mT.unflatten(0, (cross.heads, -1))
        self.projected_values = (values @ out).to(dtype)  # (heads, keys, C)
        takes = native_attention.takes(dtype, out.device, out.shape[1], out.shape[2])
        self._compiled: Attention | None = None
        if takes:
            self._compiled = Attention(self.keys.mT, self.projected_values, unit_length=self.unit_length)

    def __call__(self, core_x: Tensor, core_y: Tensor) -> Tensor:
        """What x gets from y, (H, W, C); both come normalised but without the scale of the norm."""
        out = self.detail(core_y)
        heads, width, keys = self.keys.shape
        query = self.query(core_x)
        if self._compiled is not None:
            self._compiled(query.flatten(0, 1), out.flatten(0, 1))
            return out
        query = query.view(-1, heads, width)
        if self.unit_length:
            exact = query.to(torch.promote_types(query.dtype, torch.float32))
            query = functional.normalize(exact, dim=-1, eps=NORM_FLOOR).to(query.dtype)
        at_once = max(1, PROBABILITY_BYTES // (keys * query.element_size()))
        for queries, sums in zip(query.split(at_once), out.view(-1, heads * width).split(at_once), strict=True):
            for head in range(heads):
                sums.addmm_((queries[:, head] @ self.keys[head]).softmax(dim=-1), self.projected_values[head])
        return out


class _Gate:
    """Mean of A and B plus `MergeGate`."""

    def __init__(self, model: DAEFuseNetwork, dtype: torch.dtype) -> None:
        gate, self.symmetric = model.fusion.gate, model.fusion.symmetric
        expand, mix, reduce = (filters(conv) for conv in (gate.expand, gate.mix, gate.reduce))
        self.added = SeparableBlock(dtype, expand, mix, reduce, ("none", "gelu", "none"), norm=gate.norm)

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Embedding of the fused picture, (H, W, C)."""
        mean = (a + b).div_(2)
        both = torch.cat([mean, torch.maximum(a, b)] if self.symmetric else [a, b], dim=-1)
        return self.added(both).add_(mean)


def _scaled(conv: nn.Conv2d, norm: ChannelNorm) -> Filters:
    """A 1x1 convolution with the weight and the bias of the norm before it."""
    weight, bias = conv.weight.flatten(1), cast(Tensor, conv.bias)
    return Filters((weight * norm.weight)[..., None, None], bias + weight @ norm.bias)


def _pooled(y: Tensor, cross: CrossAttention) -> Tensor:
    """Means of normalised y over the cells of keys, (1, C, rows, columns): first along rows, strip by strip."""
    height, width = y.shape[:2]
    rows, columns = cross.cells(height, width)
    exact = cross.norm_key.weight
    over_columns, over_rows = _means(width, columns, exact), _means(height, rows, exact)

    def work(strip: Strip) -> Tensor:
        return over_columns @ normed(y[strip.inner], cross.norm_key).to(exact.dtype)

    narrow = torch.cat(each_strip(y, 0, work))
    means: Tensor = (over_rows @ narrow.flatten(1)).unflatten(1, (columns, -1)).permute(2, 0, 1)
    return means[None]


def _means(size: int, cells: int, like: Tensor) -> Tensor:
    """Matrix (cells, size) that averages over the cells of `nn.AdaptiveAvgPool1d`."""
    places, cell = torch.arange(size, device=like.device), torch.arange(cells, device=like.device)[:, None]
    inside = (places >= cell * size // cells) & (places < -(-(cell + 1) * size // cells))
    return inside.to(like.dtype) / inside.sum(dim=1, keepdim=True)
