"""The blocks of SMFNet as passes over maps (H, W, C) in strips, equal to the plain modules in evaluation mode.

What is cheaper than the plain form, all exact up to rounding: the projection after an attention is multiplied with its
matrix beforehand, and so is the shuffle after the cross attention; batch normalisation is part of the convolution
before it; the convolutions that read the same map are one; inner layers never leave the cache, see `maps`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.smfnet.attention import CrossAttention, SelfAttention
from polyfuse.families.smfnet.decoder import DetailFusion
from polyfuse.families.smfnet.detail import Bottleneck, Coupling, GradientDenseBlock, InvertibleNode
from polyfuse.families.smfnet.encoder import BaseBranch, DetailBranch, ResidualBlock
from polyfuse.families.smfnet.statistics import Matrices
from polyfuse.families.smfnet.transformer import LocalFeedForward, TransformerBlock
from polyfuse.layers.maps import Layer, Pool, normed
from polyfuse.layers.separable import SeparableBlock, filters
from polyfuse.layers.strips import Strip, each_strip
from polyfuse.ops import native_edges
from polyfuse.ops.native_edges import Edges
from polyfuse.ops.native_separable import Filters


@dataclass(frozen=True)
class Window:
    """What all passes over one window share; a window is a tile or a whole picture."""

    matrices: Matrices
    """Attention matrices by place."""
    pool: Pool
    """Gives memory for maps of d channels."""


OnMap = Callable[[Tensor], Tensor]
"""From a map (H, W, C) to another of the same height and width."""
Fill = Callable[[Tensor, slice, Tensor], object]
"""Takes a map, some of its rows, and where to put the result for these rows."""


def convolved(x: Tensor, conv: nn.Module, out: Tensor) -> Tensor:
    """One convolution of a whole map (H, W, C), put into `out`, which is returned."""
    layer = Layer.of(conv, x.dtype)

    def work(strip: Strip) -> None:
        out[strip.inner] = layer(x[strip.outer])[strip.crop]

    each_strip(out, 1, work)
    return out


def transformed(x: Tensor, block: TransformerBlock, place: str, window: Window) -> Tensor:
    """`TransformerBlock` in two passes: one up to the statistics of its attention, one for the rest."""
    values, matrix = _attended(x, block, place, window)
    project = Layer(matrix[..., None, None], None, x.dtype)
    feed = _feed_forward(block, x.dtype)
    out = window.pool.take(x)

    def work(strip: Strip) -> None:
        feed(project(values[strip.outer], add=x[strip.outer]), strip.crop, out[strip.inner])

    each_strip(x, 1, work)
    window.pool.give(values)
    return out


def _attended(x: Tensor, block: TransformerBlock, place: str, window: Window) -> tuple[Tensor, Tensor]:
    """Values v of a block's attention, and what multiplies it: the matrix P and the projection after it."""
    attention: SelfAttention = block.attention
    mixed_of = SeparableBlock(x.dtype, filters(attention.project_in), filters(attention.mix), norm=block.norm1)
    values = window.pool.take(x)
    measured = window.matrices.measure(place, attention.attend, len(x))

    def work(strip: Strip) -> None:
        mixed = mixed_of(x[strip.outer], strip.crop)
        query, key, values[strip.inner] = mixed.chunk(3, dim=-1)
        if measured is not None:
            measured.add(strip.inner.start, *window.matrices.counted(query, key, strip.inner))

    each_strip(x, 1, work)
    (matrix,) = window.matrices.settle({place: measured})
    return values, (attention.project_out.weight.flatten(1) @ matrix).to(x.dtype)


def _feed_forward(block: TransformerBlock, dtype: torch.dtype) -> Fill:
    """Second half of a transformer block of either kind, norm and residual included."""
    feed = block.feed_forward
    if isinstance(feed, LocalFeedForward):
        expand, mix, reduce = (filters(conv) for conv in (feed.expand, feed.mix, feed.reduce))
        return SeparableBlock(dtype, expand, mix, reduce, ("gelu", "gelu", "gelu"), norm=block.norm2, residual=True)
    widen, narrow = (Layer.of(conv, dtype) for conv in feed.children())

    def plain(x: Tensor, rows: slice, out: Tensor) -> None:
        torch.add(narrow(functional.gelu(widen(normed(x[rows], block.norm2)))), x[rows], out=out)

    return plain


def base_feature(shallow: Tensor, branch: BaseBranch, place: str, window: Window) -> Tensor:
    """`BaseBranch`: S to B."""
    x = convolved(shallow, branch.first, window.pool.take(shallow))
    for index, block in enumerate(branch.blocks):
        deeper = _residual_block(x, cast(ResidualBlock, block), f"{place}.{index}", window)
        window.pool.give(x)
        x = deeper
    return x


def _residual_block(x: Tensor, block: ResidualBlock, place: str, window: Window) -> Tensor:
    """`ResidualBlock`: its transformer blocks one after the other, then the refinement in one pass."""
    deep = x
    blocks = [inner for pair in block.pairs for inner in cast(nn.Sequential, pair)]
    for index, transformer in enumerate(blocks):
        deeper = transformed(deep, cast(TransformerBlock, transformer), f"{place}.{index}", window)
        if deep is not x:
            window.pool.give(deep)
        deep = deeper
    if block.refine is None:
        return deep
    refine, out = _chain(block.refine, x.dtype), window.pool.take(x)

    def work(strip: Strip) -> None:
        out[strip.inner] = refine(deep[strip.outer])[strip.crop].add_(x[strip.inner])

    each_strip(x, 2, work)
    window.pool.give(deep)
    return out


def _chain(stack: nn.Sequential, dtype: torch.dtype) -> OnMap:
    """Convolutions with leaky rectifiers between them."""
    convolutions = [module for module in stack if not isinstance(module, nn.LeakyReLU)]
    leaks = [module.negative_slope for module in stack if isinstance(module, nn.LeakyReLU)]
    leaks += [1.0] * (len(convolutions) - len(leaks))
    layers = [Layer.of(conv, dtype, leak=leak) for conv, leak in zip(convolutions, leaks, strict=True)]

    def run(x: Tensor) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    return run


def detail_feature(shallow: Tensor, branch: DetailBranch, place: str, window: Window, total: Tensor) -> None:
    """`DetailBranch` in two passes: one up to the statistics of the cross attention, one that adds D to `total`."""
    dense, cross = dense_block(branch.dense, shallow.dtype), branch.cross
    features = window.pool.take(shallow)
    shuffle = branch.node.shuffle
    weight, bias = shuffle.weight.flatten(1), cast(Tensor, shuffle.bias)
    if cross is None:
        _fill_densely(shallow, dense, features)
    else:
        matrix, offset = _crossed(shallow, dense, cross, place, window, features)
        weight, bias = weight @ matrix, bias + weight @ offset
    node = _node(branch.node, Layer(weight[..., None, None], bias, shallow.dtype), shallow.dtype)

    def work(strip: Strip) -> None:
        total[strip.inner] += node(features[strip.outer])[strip.crop]

    each_strip(shallow, 2, work)
    window.pool.give(features)


def _fill_densely(x: Tensor, dense: OnMap, out: Tensor) -> None:
    """Fill `out` with the dense block of `x`, in one pass."""

    def work(strip: Strip) -> None:
        out[strip.inner] = dense(x[strip.outer])[strip.crop]

    each_strip(x, 3, work)


def _crossed(
    shallow: Tensor, dense: OnMap, cross: CrossAttention, place: str, window: Window, values: Tensor
) -> tuple[Tensor, Tensor]:
    """Fill `values` for both directions of the cross attention; return matrix and offset that turn them into F1 and F2.

    Each half of the features gives the query of one direction and key and value of the other.
    """
    dtype = shallow.dtype
    project, mix = _stacked(cross.project_q, cross.project_kv), _stacked(cross.mix_q, cross.mix_kv)
    mixed_of = SeparableBlock(dtype, project, mix)
    places = (f"{place}.first", f"{place}.second")
    measured = [window.matrices.measure(name, cross.attend, len(shallow)) for name in places]

    def work(strip: Strip) -> None:
        halves = dense(shallow[strip.outer]).chunk(2, dim=-1)
        (query_2, key_1, value_1), (query_1, key_2, value_2) = (
            mixed_of(half, strip.crop).chunk(3, dim=-1) for half in halves
        )
        torch.cat([value_1, value_2], dim=-1, out=values[strip.inner])
        for statistics, query, key in zip(measured, (query_1, query_2), (key_1, key_2), strict=True):
            if statistics is not None:
                statistics.add(strip.inner.start, *window.matrices.counted(query, key, strip.inner))

    each_strip(shallow, 4, work)
    matrices = window.matrices.settle(dict(zip(places, measured, strict=True)))
    out = cross.project_out.weight.flatten(1)
    return torch.block_diag(*(out @ matrix for matrix in matrices)), _bias(cross.project_out).repeat(2)


def _stacked(first: nn.Conv2d, second: nn.Conv2d) -> Filters:
    """Two convolutions with biases as one that gives the channels of both."""
    return Filters(torch.cat([first.weight, second.weight]), torch.cat([_bias(first), _bias(second)]))


def _bias(conv: nn.Conv2d) -> Tensor:
    """Bias of a convolution that has one."""
    return cast(Tensor, conv.bias)


def dense_block(block: GradientDenseBlock, dtype: torch.dtype) -> OnMap:
    """`GradientDenseBlock`, which looks 3 pixels far; both of its 1x1 convolutions as one."""
    first, grow1, grow2 = (Layer.of(conv, dtype, leak=0.2) for conv in (block.first, block.grow1, block.grow2))
    sharpness = _sharpness(block, dtype)
    weight = torch.cat([block.squeeze.weight, block.lift.weight], dim=1)
    squeeze = Layer(weight, _bias(block.squeeze) + _bias(block.lift), dtype, leak=0.1)
    channels = len(block.squeeze.weight)

    def run(x: Tensor) -> Tensor:
        whole = x.new_empty(*x.shape[:2], 4 * channels)
        start, once, twice, edges = whole.split(channels, dim=-1)
        grow1(first(x, start), once)
        grow2(whole[..., : 2 * channels], twice)
        sharpness(start, edges)
        return squeeze(whole)

    return run


def _sharpness(block: GradientDenseBlock, dtype: torch.dtype) -> Callable[[Tensor, Tensor], object]:
    """|sobel_x| + |sobel_y| of its first argument, put into its second."""
    if native_edges.takes(block.sobel_x.weight, dtype):
        return Edges(block.sobel_x.weight, block.sobel_y.weight)
    sobel_x, sobel_y = (Layer.of(conv, dtype) for conv in (block.sobel_x, block.sobel_y))

    def plain(x: Tensor, out: Tensor) -> None:
        torch.add(sobel_x(x).abs_(), sobel_y(x).abs_(), out=out)

    return plain


def _bottleneck(block: Bottleneck, dtype: torch.dtype) -> OnMap:
    """`Bottleneck`, which looks one pixel far."""
    expand, mix, reduce = (filters(conv) for conv in (block.expand, block.mix, block.reduce))
    return SeparableBlock(dtype, expand, mix, reduce, ("relu6", "relu6", "none"), reflect=True)


def _node(node: InvertibleNode, shuffle: Layer, dtype: torch.dtype) -> OnMap:
    """`InvertibleNode` with its `shuffle` as given; looks two pixels far."""
    phi, rho, eta = (_bottleneck(block, dtype) for block in (node.phi, node.rho, node.eta))
    limit = node.scale_limit

    def run(x: Tensor) -> Tensor:
        first, second = shuffle(x).chunk(2, dim=-1)
        first = first.contiguous()
        second = phi(first).add_(second)
        exponent = rho(second)
        if limit is not None:
            exponent.clamp_(-limit, limit)
        return torch.cat([exponent.exp_().mul_(first).add_(eta(second)), second], dim=-1)

    return run


def _coupling(block: Coupling, dtype: torch.dtype) -> OnMap:
    """`Coupling`, which looks two pixels far."""
    shuffle = Layer.of(block.shuffle, dtype)
    scale_b, shift_b, shift_a, scale_a = (
        _bottleneck(inner, dtype) for inner in (block.scale_b, block.shift_b, block.shift_a, block.scale_a)
    )

    def divided(x: Tensor, shift: Tensor, exponent: Tensor) -> Tensor:
        """(x - shift) / e(exponent), with 1 / e(t) = exp(2 - 4 sigmoid(t))."""
        return exponent.sigmoid_().mul_(-4).add_(2).exp_().mul_(x - shift)

    def run(x: Tensor) -> Tensor:
        first, second = shuffle(x).chunk(2, dim=-1)
        first = first.contiguous()
        second = divided(second, shift_b(first), scale_b(first))
        first = divided(first, shift_a(second), scale_a(second))
        return torch.cat([first, second], dim=-1)

    return run


def fuse_detail(x: Tensor, fusion: DetailFusion, window: Window, total: Tensor) -> None:
    """`DetailFusion` of `x`, added to `total`."""
    dense = dense_block(fusion.dense, x.dtype)
    couplings = [_coupling(cast(Coupling, block), x.dtype) for block in fusion.couplings]
    features = window.pool.take(x)
    _fill_densely(x, dense, features)

    def work(strip: Strip) -> None:
        y = features[strip.outer]
        for coupling in couplings:
            y = coupling(y)
        total[strip.inner] += y[strip.crop]

    each_strip(x, 2 * len(couplings), work)
    window.pool.give(features)


def decoded(x: Tensor, read: nn.Sequential) -> Tensor:
    """The convolutions of `Decoder` down to one map (H, W, 1), before the sigmoid."""
    chain = _chain(read, x.dtype)
    out = x.new_empty(*x.shape[:2], 1)

    def work(strip: Strip) -> None:
        out[strip.inner] = chain(x[strip.outer])[strip.crop]

    each_strip(x, 3, work)
    return out
