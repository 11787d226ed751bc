"""A convolution that keeps the size and continues the picture beyond its border, at any size from 1 x 1."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from polyfuse.ops.padding import extend


def bordered(x: Tensor, margin: int, border: Literal["reflect", "replicate"]) -> Tensor:
    """`extend` for (N, C, H, W), by the faster operator of PyTorch where the picture is larger than the margin."""
    if min(x.shape[-2:]) > margin:
        return functional.pad(x, (margin,) * 4, mode=border)
    return extend(x, margin, border)


class BorderedConv(nn.Conv2d):
    """Convolution of stride 1, with mirrored pixels (the edge not repeated) or repeated edge pixels around the picture.

    The border modes of `nn.Conv2d` do the same, but fail where a side is not longer than the margin.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        side: Side of the kernel, odd.
        border: What lies outside.
        bias: Whether a bias is added.
    """

    def __init__(
        self, inputs: int, outputs: int, side: int, border: Literal["reflect", "replicate"], *, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, side, bias=bias)
        self.border: Literal["reflect", "replicate"] = border

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return functional.conv2d(bordered(x, self.kernel_size[0] // 2, self.border), self.weight, self.bias)
