"""Which source the result follows where a is bright, and which elsewhere (spec section 11, item 9)."""

from __future__ import annotations

from torch import Tensor

from polyfuse.ops.correlation import correlation
from polyfuse.ops.otsu import otsu_level

SMALLEST_REGION = 2
"""Pixels; fewer have no correlation."""


def region_correlations(fused: Tensor, a: Tensor, b: Tensor) -> dict[str, dict[str, float]]:
    """Share of pixels and correlation with either source in the bright parts of a and in the rest.

    Args:
        fused: (1, 1, H, W).
        a: Same shape, [0, 1]; bright is what Otsu's level parts from the rest.
        b: Same shape.

    Returns:
        "bright" and "rest", each with "share", "a" and "b"; a region of less than two pixels is left out.
    """
    levels = (a[:, 0] * 255).round().clamp(0, 255).long()
    bright = (levels > otsu_level(levels)[:, None, None])[:, None]
    found = {}
    for name, region in (("bright", bright), ("rest", ~bright)):
        if int(region.sum()) >= SMALLEST_REGION:
            inside = fused[region][None]
            with_sources = {s: float(correlation(inside, x[region][None])) for s, x in (("a", a), ("b", b))}
            found[name] = {"share": float(region.double().mean()), **with_sources}
    return found
