"""FNet-T: a small student of FNet that fuses in real time on a CPU. Ours; no paper describes it.

The best picture by FNet's losses is near the larger of both sources, so a few plain convolutions need only learn the
rest. They work on blocks of u x u pixels as channels (pixel-unshuffle), which keeps every edge and makes maps small:

    base  = max(a, b)
    x_0   = blocks of [a, b, base]                  (3 u^2, H / u, W / u)
    x_k   = leaky(W_k * x_{k-1}), k = 1 .. depth    (channels, H / u, W / u)
    fused = base + pixels of (R * x_depth)          (1, H, W)

There are no biases and the picture is continued beyond its border by its edge pixels, once, before the first
convolution. From this follow exact properties, all tested: zero for zero; f(s a, s b) = s f(a, b) for s > 0, to the bit
where s is a power of two; no rim, a constant pair gives the same picture of every size up to the phase of the blocks;
any size from 1 x 1. It is not odd, not symmetric in a and b, and shift equivariant for shifts by whole blocks alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.errors import UsageError
from polyfuse.families.spec import check_fields
from polyfuse.ops.black import keep_black
from polyfuse.ops.blocks import from_blocks, to_blocks
from polyfuse.ops.precision import Precision

NUM_PLANES = 3  # a, b and the larger of both
LEAK = 0.1  # without it and without biases a network may die: at a rate of 2e-3 one learned to give max(a, b)
READ_GAIN = 0.1  # a fresh network begins near max(a, b), which is nearer to the goal than noise


@dataclass(frozen=True)
class FNetTConfig:
    """Configuration of FNet-T."""

    channels: int = 32
    """Channels of every hidden map; multiples of 16 use a CPU's registers fully."""
    depth: int = 3
    """Hidden convolutions; the read-out comes on top."""
    unshuffle: int = 2
    """Side of a block, pixels."""
    kernel: int = 3
    """Side of every convolution, blocks."""
    keep_black: bool = False
    """Exactly black wherever both sources are, for medical pictures."""

    def __post_init__(self) -> None:
        """Refuse values that describe no network."""
        check_fields(self, depth=64, kernel=255, unshuffle=64)
        if min(self.channels, self.depth, self.unshuffle, self.kernel) < 1 or self.kernel % 2 == 0:
            raise UsageError("channels, depth, unshuffle and kernel must be positive and kernel odd: correct them.")

    @property
    def reach(self) -> int:
        """Blocks over which an input reaches an output."""
        return (self.depth + 1) * (self.kernel // 2)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FNetTConfig:
        """Inverse of `to_json`."""
        return cls(**values)


class FNetTNetwork(nn.Module):
    """The student network as plain modules; `FNetT` makes it a `FusionModel`.

    Args:
        config: Configuration; default is the one that weights are trained for.
    """

    precision: Precision = "float32"
    """Arithmetic of the convolutions: "bf16" keeps bfloat16 maps and adds the residual to the base in float32."""

    def __init__(self, config: FNetTConfig | None = None) -> None:
        super().__init__()
        self.config = config or FNetTConfig()
        blocks, channels = self.config.unshuffle**2, self.config.channels
        sizes = [NUM_PLANES * blocks, *[channels] * self.config.depth]
        self.hidden = nn.ModuleList(self._conv(*pair) for pair in pairwise(sizes))
        self.read = self._conv(channels, blocks)
        for conv in self.hidden:
            nn.init.kaiming_uniform_(cast(nn.Conv2d, conv).weight, LEAK)
        nn.init.xavier_uniform_(self.read.weight, READ_GAIN)

    def _conv(self, inputs: int, outputs: int) -> nn.Conv2d:
        """A convolution without bias and without padding."""
        return nn.Conv2d(inputs, outputs, self.config.kernel, bias=False)

    def residual(self, a: Tensor, b: Tensor, base: Tensor) -> Tensor:
        """What the convolutions add to `base`, (N, 1, H, W)."""
        height, width = a.shape[-2:]
        unshuffle = self.config.unshuffle
        margin = self.config.reach * unshuffle
        dtype = torch.bfloat16 if self.precision == "bf16" else a.dtype
        around = (margin, margin + -width % unshuffle, margin, margin + -height % unshuffle)
        planes = functional.pad(torch.cat([a, b, base], dim=1).to(dtype), around, mode="replicate")
        x = to_blocks(planes, unshuffle)
        for conv in self.hidden:
            weight = cast(nn.Conv2d, conv).weight.to(dtype)
            x = functional.leaky_relu(functional.conv2d(x, weight), LEAK, inplace=True)
        pixels = from_blocks(functional.conv2d(x, self.read.weight.to(dtype)), unshuffle)
        residual = pixels[..., :height, :width].to(a.dtype)
        return keep_black(residual, a, b) if self.config.keep_black else residual
