"""AUIF, written from the facts of spec peers 5.

Zhao, Xu, Zhang, Liang, Zhang, Liu, "Efficient and model-based infrared and visible image fusion via algorithm
unrolling", IEEE Trans. Circuits and Systems for Video Technology, 2021. Each source is split into a base and a detail
by ten iterations with learned filters; bases and details are added, and a decoder of eleven values reads the sum.
Exchanging the sources changes nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyfuse.families.auif.filters import box_mean, there_and_back
from polyfuse.families.spec import FusionModel, ModelSpec, check_pair
from polyfuse.layers.bordered import BorderedConv
from polyfuse.layers.macs import convolution_macs

ITERATIONS = 10
FILTERS = 64
BASE_SIDE, DETAIL_SIDE = 11, 19
"""Sides of the box means that base and detail start from."""
DETAIL_SUM = 720.0
"""Sum of the magnitudes of the start of the detail: 360 ones and, in the centre, -360."""
JOINED_SIDE = 5
"""Side of an iteration's filters there and back as one convolution."""
RADIUS = DETAIL_SIDE // 2 + 2 * ITERATIONS + 1


class Iteration(nn.Module):
    """One step of the descent: x - eta (PReLU(BN(K' * (K * x))) - theta (picture - x))."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(0.1 * torch.randn(FILTERS, 1, 3, 3))
        self.eta = nn.Parameter(torch.full((1,), 0.1))  # official: of any sign, and so is theta
        self.theta = nn.Parameter(torch.full((1,), 0.1))
        self.norm = nn.BatchNorm2d(1)
        self.shrink = nn.PReLU()

    def forward(self, x: Tensor, picture: Tensor) -> Tensor:
        """The next estimate, (N, 1, H, W) as x and the picture."""
        filtered = there_and_back(x, self.kernel)
        estimate: Tensor = x - self.eta * (self.shrink(self.norm(filtered)) - self.theta * (picture - x))
        return estimate


class AUIF(FusionModel):
    """The network as published: two encoders and a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.ModuleList(Iteration() for _ in range(ITERATIONS))
        self.detail = nn.ModuleList(Iteration() for _ in range(ITERATIONS))
        self.read = BorderedConv(1, 1, 3, "reflect", bias=False)
        self.read_norm = nn.BatchNorm2d(1)

    @property
    def spec(self) -> ModelSpec:
        """Declared facts."""
        return ModelSpec(
            family="auif",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=2 * 2 * ITERATIONS * JOINED_SIDE**2 + convolution_macs(self.read),
            receptive_radius=RADIUS,
            halo=RADIUS,
            bytes_per_pixel=128,  # measured on a CPU, 300 x 400 pixels: 111
        )

    def split(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Base and detail of one source, (N, 1, H, W) each."""
        base = box_mean(picture, BASE_SIDE)
        detail = (box_mean(picture, DETAIL_SIDE) - picture) * (DETAIL_SIDE**2 / DETAIL_SUM)
        for step in self.base:
            base = step(base, picture)
        for step in self.detail:
            detail = step(detail, picture)
        return base, detail

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size from 1 x 1.

        Returns:
            (N, 1, H, W) in (0, 1).

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        (base_a, detail_a), (base_b, detail_b) = self.split(a), self.split(b)
        fused: Tensor = self.read_norm(self.read((base_a + base_b) + (detail_a + detail_b)))
        return fused.sigmoid()
