"""MMDRFuse, the student, written from the facts of spec peers 4.

Deng, Xu, Cheng, Wu, Kittler, "MMDRFuse: distilled mini-model with dynamic refresh for multi-modality image fusion", ACM
Multimedia 2024. Two convolutions, 113 values. The published program stretches every picture from its darkest to its
brightest pixel when it writes it; `spec.output` declares that.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.spec import FusionModel, ModelSpec, check_pair
from polyfuse.layers.bordered import BorderedConv
from polyfuse.layers.macs import convolution_macs


class MMDRFuse(FusionModel):
    """The student network as published."""

    def __init__(self) -> None:
        super().__init__()
        self.first = BorderedConv(2, 4, 3, "reflect")
        self.last = BorderedConv(4, 1, 3, "reflect")

    @property
    def spec(self) -> ModelSpec:
        """Declared facts."""
        return ModelSpec(
            family="mmdrfuse",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=convolution_macs(self),
            receptive_radius=2,
            halo=2,
            output="minmax",
            bytes_per_pixel=192,  # measured on a CPU, 300 x 400 pixels: 168
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size from 1 x 1.

        Returns:
            (N, 1, H, W) in (-1, 1), not yet stretched.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        return self.last(functional.relu(self.first(torch.cat([a, b], dim=1)))).tanh()  # type: ignore[no-any-return]
