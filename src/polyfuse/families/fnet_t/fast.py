"""FNet-T in bfloat16 on a CPU, compiled: strips of blocks stay in the cache from the sources to the fused pixels."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.fnet_t.network import FNetTNetwork
from polyfuse.layers.maps import Layer
from polyfuse.layers.strips import Strip, each_strip
from polyfuse.ops import native_blocks, native_dense
from polyfuse.ops.native_blocks import Blocks

BF16 = torch.bfloat16


def takes(model: FNetTNetwork, a: Tensor) -> bool:
    """Whether pictures like `a` can be fused this way: in bf16, blocks of 2 x 2 pixels, 3 x 3 convolutions."""
    fits = model.config.unshuffle == native_blocks.SIDE and native_dense.takes(_hidden(model)[-1], 1, BF16)
    return model.precision == "bf16" and fits and native_blocks.takes(a, BF16)


def fuse_planes(model: FNetTNetwork, a: Tensor, b: Tensor, out: Tensor, leak: float) -> None:
    """Fuse one pair of planes, for which `takes` is true.

    Args:
        model: The network whose weights are used.
        a: (H, W) float32 in [0, 1].
        b: Same shape.
        out: Same shape; filled with the fused picture, neither clamped nor bounded.
        leak: Slope of the leaky rectifiers below zero.
    """
    reach = model.config.reach
    blocks = Blocks(a, b, reach)
    read = functional.pad(model.read.weight, (0, 0, 0, 0, 0, 0, 0, native_blocks.READ - native_blocks.SIDE**2))
    layers = [*(Layer(weight, None, BF16, leak=leak) for weight in _hidden(model)), Layer(read, None, BF16)]

    def work(strip: Strip) -> None:
        x = blocks.pack(strip.inner)
        for layer in layers:
            x = layer(x, pad_rows=False)  # each layer spoils one more column of the context at the sides
        blocks.unpack(strip.inner, x, out)

    widest = torch.empty((), dtype=BF16).expand(*blocks.shape, model.config.channels)
    each_strip(widest, 0, work)


def _hidden(model: FNetTNetwork) -> list[Tensor]:
    """Weights of the hidden convolutions."""
    return [cast(nn.Conv2d, conv).weight for conv in model.hidden]
