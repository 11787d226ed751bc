"""Discrete wavelet fusion (Li, Manjunath and Mitra 1995, "Multisensor image fusion using the wavelet transform").

Details by the larger magnitude in a window of 3 x 3, the choice of a place following the majority of the nine around
it; the mean of the base. Wavelet and levels are open in the paper; ours: Daubechies' with two vanishing moments, 4
levels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.spec import FusionModel, ModelSpec
from polyfuse.ops.boxes import most_of_nine
from polyfuse.ops.wavelets import Bands, analyse, mirrored_filters, synthesise

LEVELS = 4
_ROOT = math.sqrt(3)
LOW = [tap / (4 * math.sqrt(2)) for tap in (1 - _ROOT, 3 - _ROOT, 3 + _ROOT, 1 + _ROOT)]
"""Analysis low-pass, "db2"."""


class DWT(FusionModel):
    """Wavelet details by activity with a majority, mean of the base."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: filters there and back, windows of choice; tiles start where the coarsest level does."""
        # a level takes and gives back 3 pixels of its own grid; the choice sees two coefficients further, each 2 pixels
        reach = sum((2 * 3 + 4) * 2**level for level in range(LEVELS))
        return ModelSpec(
            family="dwt",
            receptive_radius=reach,
            halo=-(-reach // 2**LEVELS) * 2**LEVELS,
            multiple_of=2**LEVELS,
            bytes_per_pixel=56,
            fixed_bytes=4 << 20,
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        filters = mirrored_filters(LOW)
        fused: list[tuple[tuple[Tensor, ...], torch.Size]] = []
        for _ in range(LEVELS):
            shape = a.shape
            (a, *details_a), (b, *details_b) = analyse(a, filters, filters), analyse(b, filters, filters)
            fused.append((tuple(map(_stronger, details_a, details_b)), shape))
        low = (a + b) * 0.5
        for details, shape in reversed(fused):
            bands: Bands = (low, details[0], details[1], details[2])
            low = synthesise(bands, filters, filters, shape)
        return low


def _stronger(a: Tensor, b: Tensor) -> Tensor:
    """Coefficients of a where most of the nine around have the larger magnitude in a, else of b."""
    activity_a, activity_b = (functional.max_pool2d(x.abs(), 3, stride=1, padding=1) for x in (a, b))
    of_a = most_of_nine(activity_a > activity_b)
    return torch.where(of_a, a, b)
