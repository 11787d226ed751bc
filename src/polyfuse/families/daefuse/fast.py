"""DAE-Fuse in evaluation mode without gradients: maps (H, W, C) in strips that stay in the cache, float32 or bfloat16.

Equal to the plain modules up to rounding. What is cheaper, beside the strips: the normalisation of an embedding serves
its queries and its keys, whose scales are in the weights after it; keys and values are projected after pooling; the
projection after the attention is multiplied with the values beforehand. Tokens are few: the plain modules compute them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.daefuse.blocks import ResidualBlock
from polyfuse.families.daefuse.config import of_source
from polyfuse.families.daefuse.encoder import HIGHPASS_SIGMA, HighBranch
from polyfuse.families.daefuse.fusion_pass import merged_feature
from polyfuse.families.daefuse.network import DAEFuseNetwork
from polyfuse.families.daefuse.tokens import LowBranch
from polyfuse.layers.maps import Layer, Pool
from polyfuse.layers.strips import Strip, each_strip, side_by_side
from polyfuse.ops import native_attention
from polyfuse.ops.blur import gaussian_blur
from polyfuse.ops.native_attention import Attention

MAX_REACH = 3
"""Most rows of context of one pass: two strips compute each of them, but a further pass reads and writes whole maps."""


@dataclass(frozen=True)
class Step:
    """One layer or block, as a pass applies it to a strip."""

    apply: Callable[[Tensor], Tensor]
    """(H, W, C) to (H, W, channels)."""
    reach: int
    """Rows of context above and below that an output depends on."""
    channels: int
    """Channels of the output."""


def fuse_planes(model: DAEFuseNetwork, a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """Fuse one pair of planes at a work size.

    Args:
        model: In evaluation mode.
        a: (H, W) in [0, 1].
        b: Same shape.
        dtype: Type of the maps; normalisations are in the weights' type.

    Returns:
        (H, W) in (0, 1), of the type of `a`.
    """
    pool, sources = Pool(), {"a": a.to(dtype), "b": b.to(dtype)}
    shallow = {name: _shallow(model, x, name, pool) for name, x in sources.items()}
    embedding = {name: pool.take(x, model.config.channels) for name, x in shallow.items()}
    if model.low is not None:
        low, first = model.low, model.config.high_width
        side_by_side(
            [partial(_low, of_source(low, name), shallow[name], embedding[name][..., first:]) for name in sources]
        )
    for name in sources:
        _high(model, shallow[name], name, embedding[name], pool)
    read = pool.take(embedding["a"], model.config.decoder_channels)
    merged_feature(model, embedding["a"], embedding["b"], read)
    steps = [*(_residual(block, dtype) for block in model.decoder.blocks), _convolution(model.decoder.write, dtype)]
    return _run(read, steps, pool)[..., 0].to(a.dtype).sigmoid()


def _shallow(model: DAEFuseNetwork, picture: Tensor, source: str, pool: Pool) -> Tensor:
    """Shallow feature (H, W, cs) of one plane (H, W)."""
    dtype = picture.dtype
    stem, _, *blocks = cast(nn.Sequential, of_source(model.shallow, source))
    steps = [_convolution(stem, dtype, rectified=True), *(_residual(block, dtype) for block in blocks)]
    return _run(picture[..., None], steps, pool)


def _high(model: DAEFuseNetwork, shallow: Tensor, source: str, embedding: Tensor, pool: Pool) -> None:
    """Fill the first channels of `embedding` (H, W, C) from the shallow feature, whose memory the pool gets back."""
    dtype, first = shallow.dtype, model.config.high_width
    if model.high is not None:
        high = cast(HighBranch, of_source(model.high, source))
        seen = _highpassed(shallow) if high.highpass else shallow
        deep = [_residual(block, dtype) for stage in high.stages for block in cast(nn.Sequential, stage)]
        _run(seen, [*deep, _convolution(high.project_out, dtype)], pool, embedding[..., :first])
    pool.give(shallow)


def _highpassed(shallow: Tensor) -> Tensor:
    """Shallow feature less its blur."""
    planes = shallow.permute(2, 0, 1)[None]
    return shallow - gaussian_blur(planes, HIGHPASS_SIGMA)[0].permute(1, 2, 0)


def _low(module: nn.Module, shallow: Tensor, out: Tensor) -> None:
    """`LowBranch`: fill `out` (H, W, low_width); tokens are of the weights' type, which is faster than bfloat16."""
    branch = cast(LowBranch, module)
    patch, weight, bias = branch.patch, branch.embed.weight, cast(Tensor, branch.embed.bias)
    patches = shallow.unflatten(1, (-1, patch)).unflatten(0, (-1, patch)).transpose(1, 2)  # (h, w, rows, columns, cs)
    embedded = functional.linear(patches.flatten(2), weight.permute(0, 2, 3, 1).flatten(1).to(shallow.dtype))
    attend = _attended if embedded.dtype == torch.bfloat16 else functional.scaled_dot_product_attention
    small = branch.small((embedded.to(weight.dtype) + bias).permute(2, 0, 1)[None], attend)
    if branch.interpolated:
        _enlarged(small, patch, out)
    else:
        out.copy_(functional.pixel_shuffle(small, patch)[0].permute(1, 2, 0))


def _attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled attention among tokens, (1, heads, T, width), by the compiled kernel in bfloat16 where it can."""
    heads, width = key.shape[1], key.shape[3]
    if not native_attention.takes(torch.bfloat16, key.device, width, width):
        return functional.scaled_dot_product_attention(query, key, value)
    queries = query[0].transpose(0, 1).flatten(1).bfloat16()
    out = torch.zeros_like(queries)
    Attention(key[0] / math.sqrt(width), value[0])(queries, out, apart=True)
    attended: Tensor = out.unflatten(1, (heads, width)).transpose(0, 1)[None].to(query.dtype)
    return attended


def _enlarged(small: Tensor, factor: int, out: Tensor) -> None:
    """Fill `out` (H, W, C) with (1, C, h, w) interpolated: first along each of the few rows, then between rows."""
    wide = functional.interpolate(small, scale_factor=(1.0, float(factor)), mode="bilinear", align_corners=False)
    wide = wide[0].permute(1, 2, 0).contiguous()  # (h, W, C)
    lead, between = factor // 2, factor * (len(wide) - 1)
    places = (torch.arange(lead, lead + factor, dtype=wide.dtype)[:, None, None] + 0.5) / factor - 0.5
    rows = out[lead : lead + between].unflatten(0, (len(wide) - 1, factor))
    rows.copy_(torch.lerp(wide[:-1, None], wide[1:, None], places))
    out[:lead], out[lead + between :] = wide[0], wide[-1]


def _convolution(conv: nn.Module, dtype: torch.dtype, *, rectified: bool = False) -> Step:
    """A 3x3 or 1x1 convolution as a step, followed by a ReLU where `rectified`."""
    conv = cast(nn.Conv2d, conv)
    return Step(Layer.of(conv, dtype, leak=float(not rectified)), conv.kernel_size[0] // 2, conv.out_channels)


def _residual(block: nn.Module, dtype: torch.dtype) -> Step:
    """`ResidualBlock` as a step."""
    block = cast(ResidualBlock, block)
    first, second = Layer.of(block.first, dtype, leak=0), Layer.of(block.second, dtype, leak=0)
    skip = None if isinstance(block.skip, nn.Identity) else Layer.of(block.skip, dtype)

    def apply(x: Tensor) -> Tensor:
        return second(first(x), add=x if skip is None else skip(x))

    return Step(apply, 2, block.second.out_channels)


def _run(x: Tensor, steps: Sequence[Step], pool: Pool, out: Tensor | None = None) -> Tensor:
    """All steps on a whole map, as many in one pass as `MAX_REACH` allows; the result is `out` or a map of the pool."""
    passes = list(_passes(steps))
    current = x
    for group in passes:
        last = group is passes[-1]
        target = out if last and out is not None else pool.take(x, group[-1].channels)
        _one_pass(current, group, target)
        if current is not x:
            pool.give(current)
        current = target
    return current


def _passes(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Groups of consecutive steps, each of which one pass computes."""
    group: list[Step] = []
    for step in steps:
        if group and sum(other.reach for other in group) + step.reach > MAX_REACH:
            yield group
            group = []
        group.append(step)
    yield group


def _one_pass(x: Tensor, steps: Sequence[Step], out: Tensor) -> None:
    """Fill `out` with all steps applied to `x`, strip by strip."""
    widest = max(x, out, key=lambda part: part.shape[-1])

    def work(strip: Strip) -> None:
        part = x[strip.outer]
        for step in steps:
            part = step.apply(part)
        out[strip.inner] = part[strip.crop]

    each_strip(widest, sum(step.reach for step in steps), work)
