"""The low-frequency encoder: a small vision transformer on patches, of any size of picture."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.daefuse.blocks import zeroed
from polyfuse.families.daefuse.config import DAEFuseConfig
from polyfuse.ops.means import block_weights, means
from polyfuse.ops.recording import is_recording, recorded_sizes

MAX_KEYS = 4096
"""Tokens from which on keys and values are pooled; queries never are."""
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Attention as `functional.scaled_dot_product_attention` computes it."""
Grid = tuple[int, int]


def pooling_factor(grid: Grid) -> int:
    """Side of the squares of tokens over which keys and values of a `grid` of tokens are averaged."""
    return max(1, math.ceil(math.sqrt(math.prod(grid) / MAX_KEYS)))


class TokenBlock(nn.Module):
    """Position, attention and feed-forward layer, each added to the tokens; the last two see normalised ones.

    The position is a depthwise convolution that starts at zero, because learned absolute positions would fix the size.

    Args:
        config: Configuration.
    """

    def __init__(self, config: DAEFuseConfig) -> None:
        super().__init__()
        width, hidden = config.token_channels, config.mlp_ratio * config.token_channels
        self.heads = config.token_heads
        self.position = zeroed(nn.Conv2d(width, width, 3, padding=1, groups=width))
        self.norm1 = nn.LayerNorm(width)
        self.project_in = nn.Linear(width, 3 * width)
        self.project_out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, tokens: Tensor, grid: Grid, attend: Attend = functional.scaled_dot_product_attention) -> Tensor:
        """(N, T, d) to the same, T = rows times columns of `grid`."""
        tokens = tokens + self.position(_map(tokens, grid)).flatten(2).transpose(-2, -1)
        tokens = tokens + self.project_out(self._attention(self.norm1(tokens), grid, attend))
        fed: Tensor = tokens + self.feed_forward(self.norm2(tokens))
        return fed

    def _attention(
        self, tokens: Tensor, grid: Grid, attend: Attend = functional.scaled_dot_product_attention
    ) -> Tensor:
        """What each token gets from all, (N, T, d)."""
        query, key, value = self.project_in(tokens).chunk(3, dim=-1)
        if is_recording():
            key, value = (_pooled_by_formula(x, grid) for x in (key, value))
        elif (factor := pooling_factor(grid)) > 1:
            key, value = (_pooled(x, grid, factor) for x in (key, value))
        query, key, value = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (query, key, value))
        return attend(query, key, value).transpose(1, 2).flatten(2)


class LowBranch(nn.Module):
    """Patches to tokens, transformer blocks, and back to the size of the picture.

    The grid of patches and the bilinear interpolation let nothing above 1/16 cycle per pixel through: this branch
    carries low frequencies by construction. Without the other branch it has to carry everything, and writes the pixels
    of a patch from its token instead.

    Args:
        config: Configuration.
    """

    def __init__(self, config: DAEFuseConfig) -> None:
        super().__init__()
        width, patch = config.token_channels, config.patch
        pixels = patch**2 if config.branches == "vit" else 1
        self.patch, self.interpolated = patch, pixels == 1
        self.embed = nn.Conv2d(config.shallow_channels, width, patch, stride=patch)
        self.blocks = nn.ModuleList(TokenBlock(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width)
        self.project_out = nn.Conv2d(width, config.low_width * pixels, 1)

    def forward(self, shallow: Tensor) -> Tensor:
        """(N, cs, H, W) to (N, low_width, H, W); sides must be multiples of the patch."""
        small = self.small(self._embedded(shallow))
        if self.interpolated:
            return functional.interpolate(small, scale_factor=self.patch, mode="bilinear", align_corners=False)
        return functional.pixel_shuffle(small, self.patch)

    def _embedded(self, shallow: Tensor) -> Tensor:
        """(N, cs, H, W) to the embedded patches (N, d, H / patch, W / patch).

        In bfloat16 on a CPU by a product of patches: on processors with AMX the convolution of PyTorch 2.13, of 16
        channels with stride 4 or 8, is off by as much as its own values.
        """
        if shallow.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            embedded: Tensor = self.embed(shallow)
            return embedded
        patches = functional.pixel_unshuffle(shallow, self.patch)
        weight = self.embed.weight.flatten(1)[..., None, None]
        return functional.conv2d(patches, weight, self.embed.bias)

    def small(self, embedded: Tensor, attend: Attend = functional.scaled_dot_product_attention) -> Tensor:
        """Embedded patches (N, d, h, w) to (N, low_width, h, w), or to the channels of all pixels of each patch."""
        grid = (embedded.shape[-2], embedded.shape[-1])
        tokens = (
            embedded.flatten(2).transpose(-2, -1).to(self.norm.weight.dtype)
        )  # sums and norms stay float32 under bf16
        for block in self.blocks:
            tokens = block(tokens, grid, attend)
        projected: Tensor = self.project_out(_map(self.norm(tokens), grid))
        return projected


def _map(tokens: Tensor, grid: Grid) -> Tensor:
    """(N, T, d) as (N, d, rows, columns)."""
    return tokens.transpose(-2, -1).reshape(tokens.shape[0], tokens.shape[2], *grid)


def _pooled(tokens: Tensor, grid: Grid, factor: int) -> Tensor:
    """Means over squares of `factor` by `factor` tokens, cut off at the border; contiguous for fast attention."""
    pooled = functional.avg_pool2d(_map(tokens, grid), factor, ceil_mode=True, count_include_pad=False)
    return pooled.flatten(2).transpose(-2, -1).contiguous()


def _pooled_by_formula(tokens: Tensor, grid: Grid) -> Tensor:
    """`_pooled` by the factor for this grid, in a graph that knows neither: by 1 where there are few tokens."""
    rows, columns = recorded_sizes(*grid)
    factor = ((rows * columns) / MAX_KEYS).sqrt().ceil().long().clamp(min=1)
    pooled = means(_map(tokens, grid), block_weights(rows, factor), block_weights(columns, factor))
    return pooled.flatten(2).transpose(-2, -1)
