"""Multi-scale guided filter fusion, MGFF (Bavirisetti, Xiao, Zhao, Dhuli and Liu 2019).

Each source is smoothed four times by a guided filter whose guide is the other source as smooth as that, so that what
is taken off, the details, has the structure that the other one lacks too. Base: the mean of what is left of both.

paper: details of a level are weighed by visual saliency, with weights that add up to one. ours: the details of both
sources are added in full. That is what the pictures that VIFB publishes of this method show: fused this way, each
channel by itself, six of them are met within 2.1 to 3.9 grey levels on average (1.5 to 3.0 after the same JPEG), best
at the paper's radius, epsilon and number of levels; with weights by magnitude within 4.9 to 11.4. Where details are
strong the published pictures still differ, for a reason that is not known.
"""

from __future__ import annotations

from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec
from polyfuse.ops.guided import guided_filter

LEVELS = 4
RADIUS = 9
"""Of the guided filter's windows, pixels (the paper's r)."""
STEADY = 1e3 / 255**2
"""Of the guided filter (the paper's epsilon, 10^3 on grey levels of 0 to 255)."""


class MGFF(FusionModel):
    """Cross-guided decomposition; all details of both sources on the mean of the bases."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: a guided filter reaches twice its radius, once per level."""
        reach = 2 * RADIUS * LEVELS
        return ModelSpec(family="mgff", receptive_radius=reach, halo=reach, bytes_per_pixel=112, fixed_bytes=4 << 20)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape and may leave [0, 1]."""
        base_a, base_b = a, b
        for _ in range(LEVELS):
            base_a, base_b = (
                guided_filter(base_b, base_a, RADIUS, STEADY),
                guided_filter(base_a, base_b, RADIUS, STEADY),
            )
        return a + b - (base_a + base_b) * 0.5  # the details, a - base_a and b - base_b, and the mean of the bases
