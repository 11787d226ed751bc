"""Two-scale fusion by visual saliency (Bavirisetti and Dhuli 2016).

"Two-scale image fusion of visible and infrared images using saliency detection". Base: a mean of 35 x 35, averaged.
Detail: the rest, weighed by saliency, the distance between that mean and the median of 3 x 3 pixels.
"""

from __future__ import annotations

from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec
from polyfuse.ops.boxes import box_mean
from polyfuse.ops.smooth import median_3x3

RADIUS = 17
"""Of the mean filter, 35 x 35 pixels (w_mu)."""
STEADY = 1e-6
"""ours: added to both saliencies, so that weights are equal where there is none."""


class TSIFVS(FusionModel):
    """Mean of the bases, details weighed by mean against median."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: the mean filter's reach."""
        return ModelSpec(family="tsifvs", receptive_radius=RADIUS, halo=RADIUS, bytes_per_pixel=80, fixed_bytes=4 << 20)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        base_a, base_b = box_mean(a, RADIUS), box_mean(b, RADIUS)
        saliency_a = (base_a - median_3x3(a)).abs_().add_(STEADY)
        saliency_b = (base_b - median_3x3(b)).abs_().add_(STEADY)
        weighed = saliency_a * (a - base_a) + saliency_b * (b - base_b)
        return (base_a + base_b) * 0.5 + weighed / (saliency_a + saliency_b)
