"""DenseFuse for grey pictures, written from the facts of spec peers 3.

Li, Wu, "DenseFuse: a fusion approach to infrared and visible images", IEEE Trans. Image Processing 28 (2019),
2614-2623. One encoder sees both sources, features are averaged ("addition"), one decoder reads the mean. Exchanging the
sources changes nothing.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.spec import FusionModel, ModelSpec, check_pair
from polyfuse.layers.bordered import BorderedConv
from polyfuse.layers.macs import convolution_macs

STEPS = 4
"""Convolutions of the encoder, each of which adds 16 channels, and of the decoder."""
GROWTH = 16
WHITE = 255.0
"""Sources and result of the network are in 0..255: its biases are made for that."""


class DenseFuse(FusionModel):
    """The network of the author's PyTorch edition, for grey pictures."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (1, GROWTH, 2 * GROWTH, 3 * GROWTH)
        self.encoder = nn.ModuleList(BorderedConv(channels, GROWTH, 3, "reflect") for channels in inputs)
        widths = (64, 64, 32, 16, 1)
        self.decoder = nn.ModuleList(BorderedConv(before, after, 3, "reflect") for before, after in pairwise(widths))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts."""
        return ModelSpec(
            family="densefuse",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=2 * convolution_macs(self.encoder) + convolution_macs(self.decoder),
            receptive_radius=2 * STEPS,
            halo=2 * STEPS,
            bytes_per_pixel=1400,  # measured on a CPU, 300 x 400 pixels: 1280
        )

    def encode(self, x: Tensor) -> Tensor:
        """Features of one source, (N, 1, H, W) in 0..255 to (N, 64, H, W); the oldest come first."""
        first, *steps = self.encoder
        features = functional.relu(first(x))
        for step in steps:
            features = torch.cat([features, functional.relu(step(features))], dim=1)
        return features

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size from 1 x 1.

        Returns:
            (N, 1, H, W), not negative, not clamped.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        x = (self.encode(WHITE * a) + self.encode(WHITE * b)) / 2
        for step in self.decoder:
            x = functional.relu(step(x))  # official: the last one too, so that dark corners are exactly black
        return x / WHITE
