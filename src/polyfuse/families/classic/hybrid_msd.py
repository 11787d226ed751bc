"""Hybrid multi-scale decomposition, Hybrid-MSD (Zhou, Wang, Li and Dong 2016).

"Perceptual fusion of infrared and visible images through a hybrid multi-scale decomposition with Gaussian and
bilateral filters". Level by level a Gaussian picture is smoothed further, once by a Gaussian and once by a bilateral
filter that keeps edges: what the bilateral filter takes off is texture, what lies between the two is edges. Where the
infrared's edges are the stronger ones, by a curve with the parameter lambda, both layers and the base are the
infrared's. The finest level is chosen by magnitude.

ours: the paper's text was not at hand for every constant; those marked below are set here. All weights look at a
alone as the infrared, so the order of the sources matters.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec, Windows
from polyfuse.ops.smooth import bilateral, gaussian

LEVELS = 4
SIGMA = 2.0
"""Of the first level's Gaussian and bilateral window, pixels; doubled at each level."""
SIGMA_RANGE = 0.05
"""Of the first level's bilateral filter, white is 1; halved at each level."""
LAMBDA = 30.0
"""How soon the infrared is taken where its edges are the stronger ones."""
CHOICE_SIGMA = 2.0
"""ours: of the Gaussian that smooths the weights of details, pixels."""
BASE_SIGMA = 16.0
"""ours: of the Gaussian that smooths the weights of the base, pixels: that of the coarsest level."""
TINY = 1e-6
"""Peaks of edge strength below are none."""

Layers = list[tuple[Tensor, Tensor]]
"""Texture and edges of each level, finest first."""


def window(sigma: float) -> int:
    """Radius of a Gaussian's window, pixels."""
    return math.ceil(3 * sigma)


class HybridMSD(FusionModel):
    """Texture, edges and base, taken from the infrared where its edges are the stronger ones."""

    family = "hybrid-msd"
    peaks: Tensor | None = None
    """Largest edge strength of each coarser level, (levels - 1,); None: measured in each picture."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: all levels and the blur of the weights; the peaks of edge strength are those of the whole."""
        reach = sum(window(SIGMA * 2**level) for level in range(LEVELS)) + window(BASE_SIGMA)
        return ModelSpec(
            family=self.family,
            receptive_radius=None,
            halo=reach,
            surveys=1,
            bytes_per_pixel=160,
            fixed_bytes=4 << 20,
        )

    def keep_edges(self, x: Tensor, level: int) -> Tensor:
        """Smooth the Gaussian picture before `level`, edges apart."""
        sigma, step = SIGMA * 2**level, 2**level
        # ours: every 2^level-th pixel within two sigma, since the picture is as smooth as that already
        return bilateral(x, sigma, SIGMA_RANGE / 2**level, int(2 * sigma), step)

    def surveyed(self, windows: Windows) -> FusionModel:
        """Measure the peaks of edge strength over all tiles."""
        peaks = torch.zeros(0)
        for a, b, crop in windows():
            strengths = _strengths(self._layers(a)[0], self._layers(b)[0])
            here = torch.stack([strength[..., crop[0], crop[1]].amax() for strength in strengths])
            peaks = here if peaks.numel() == 0 else torch.maximum(peaks, here)
        model = copy.copy(self)
        model.peaks = peaks
        return model

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        layers_a, base_a = self._layers(a)
        layers_b, base_b = self._layers(b)
        peaks = self.peaks
        weights: list[Tensor] = []
        for number, strength in enumerate(_strengths(layers_a, layers_b)):
            peak = strength.amax(dim=(1, 2, 3), keepdim=True) if peaks is None else peaks[number]
            weights.append(torch.atan(LAMBDA * strength / peak.clamp(min=TINY)) / math.atan(LAMBDA))
        weight = gaussian(weights[-1], BASE_SIGMA, window(BASE_SIGMA))
        fused = base_b + weight * (base_a - base_b)
        for level, (of_a, of_b) in enumerate(zip(layers_a, layers_b, strict=True)):
            for layer_a, layer_b in zip(of_a, of_b, strict=True):
                chosen = (layer_a.abs() > layer_b.abs()).to(a.dtype) if level == 0 else weights[level - 1]
                weight = gaussian(chosen, CHOICE_SIGMA, window(CHOICE_SIGMA)) if level else chosen
                fused = fused + layer_b + weight * (layer_a - layer_b)
        return fused

    def _layers(self, x: Tensor) -> tuple[Layers, Tensor]:
        """Texture and edges of each level, and the base; they add up to the picture."""
        layers: Layers = []
        for level in range(LEVELS):
            sigma = SIGMA * 2**level
            kept, smooth = self.keep_edges(x, level), gaussian(x, sigma, window(sigma))
            layers.append((x - kept, kept - smooth))
            x = smooth
        return layers, x


def _strengths(a: Sequence[tuple[Tensor, Tensor]], b: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """By how much the edges of a are stronger than those of b, at the coarser levels; 0 where they are not."""
    return [(of_a[1].abs() - of_b[1].abs()).clamp_(min=0) for of_a, of_b in zip(a[1:], b[1:], strict=True)]
