"""The residual block that encoders and decoder are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """y = relu(skip(x) + second(relu(first(x)))), two 3x3 convolutions; `second` starts at zero.

    A fresh block is relu(skip(x)). There is no normalisation: both modalities pass the same weights with very different
    statistics, and statistics of a picture would make results depend on its size.

    Args:
        inputs: Channels of x.
        outputs: Channels of y; the skip is a 1x1 convolution without bias where they differ.

    Source: after ResNet18's basic block.  # ours: stride 1 and no batch norm
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return functional.relu(self.skip(x) + self.second(functional.relu(self.first(x))))


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """Set weight and bias of `layer` to zero, so that its residual branch adds nothing at first."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
