"""Hybrid multi-scale decomposition with a guided filter, HMSD-GF (Zhou, Dong, Xie and Gao 2016).

"Fusion of infrared and visible images for night-vision context enhancement", without that paper's enhancement of the
visible picture. The layers and rules are those of `hybrid_msd`; the edges are kept by a guided filter with the
picture as its own guide.
"""

from __future__ import annotations

from torch import Tensor

from polyfuse.families.classic.hybrid_msd import SIGMA, HybridMSD
from polyfuse.ops.guided import guided_filter

STEADY = 0.01
"""ours: of the first level's guided filter (epsilon, a standard deviation of 0.1); a quarter of it at each level."""


class HMSDGF(HybridMSD):
    """Texture and edges parted by a guided filter, chosen as by Hybrid-MSD."""

    family = "hmsd-gf"

    def keep_edges(self, x: Tensor, level: int) -> Tensor:
        """Smooth the Gaussian picture before `level`, edges apart."""
        # ours: windows of one sigma, as the guided filter reaches twice its radius
        return guided_filter(x, x, int(SIGMA * 2**level), STEADY / 4**level)
