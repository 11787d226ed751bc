"""A filter along time against flicker, which lets go where the scene moves and at a cut."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from polyfuse.errors import UsageError

DEFAULT_SHARE = 0.6
"""Share of the new frame. Source: spec, section 8.2."""
CELL = 8
"""Side of the cells that stand for the low frequencies, pixels."""
MOTION = 0.04
"""Change of a source's low frequencies at which the old frame's weight falls to 1/e, in [0, 1]."""
CUT_CHANGE = 0.15
"""Mean absolute change of the fused frame that is a cut for certain."""
CUT_DOUBTFUL = 0.05
"""Change below which no histogram makes it a cut."""
CUT_CORRELATION = 0.5
"""Correlation of the histograms of two frames below which the change is a cut."""
BINS = 64

Plane = NDArray[np.float32]


def parse_temporal(text: str) -> float | None:
    """Read the value of `--temporal`: None for "none", else the share of the new frame.

    Raises:
        UsageError: If it is neither "none", "exponential" nor "exponential:SHARE" with a share above 0, at most 1.
    """
    kind, _, share = text.partition(":")
    if text == "none":
        return None
    try:
        value = float(share) if share else DEFAULT_SHARE
    except ValueError:
        value = math.nan
    if kind != "exponential" or not 0 < value <= 1 or text.endswith(":"):
        raise UsageError(f"temporal {text!r} is unknown: use none, exponential or exponential:SHARE, e.g. :0.6.")
    return value


class TemporalFilter:
    """Exponential filter of the low frequencies, out_t = fused_t + (1 - share) * still * (low(out_t-1) - low(fused_t)).

    `low` are means of cells, the correction is interpolated between them: detail is never filtered, so edges leave no
    ghosts. `still` = exp(-change / MOTION), where change is that of the sources' low frequencies, the larger of the
    two: what the cameras saw change is not held back.
    # ours: the spec filters low frequencies everywhere; a body that moves by its own width then leaves a shade behind.

    Args:
        share: Of the new frame, in (0, 1]; 1 changes nothing.
    """

    def __init__(self, share: float = DEFAULT_SHARE) -> None:
        self.share = share
        self.cuts: list[int] = []
        """Numbers of the frames, from 0, before which a cut was found."""
        self._count = 0
        self._fused: Plane | None = None
        self._low = self._low_a = self._low_b = torch.empty(0)

    def __call__(self, fused: Plane, a: Plane, b: Plane) -> Plane:
        """Filter the next frame.

        Args:
            fused: Fused luma, (H, W) in [0, 1].
            a: Luma of the first source, (H, W) in [0, 1].
            b: Luma of the second.

        Returns:
            (H, W) float32, about [0, 1].
        """
        low, low_a, low_b = cells(fused), cells(a), cells(b)
        result = fused
        if self._fused is not None and is_cut(self._fused, fused):
            self.cuts.append(self._count)
        elif self._fused is not None:
            change = torch.maximum((low_a - self._low_a).abs(), (low_b - self._low_b).abs())
            held = (1 - self.share) * torch.exp(-change / MOTION) * (self._low - low)
            low = low + held
            size = (fused.shape[0], fused.shape[1])
            smooth = functional.interpolate(held, size, mode="bilinear", align_corners=False)
            result = fused + smooth[0, 0].numpy()
        self._fused, self._low, self._low_a, self._low_b = fused, low, low_a, low_b
        self._count += 1
        return result


def cells(plane: Plane) -> Tensor:
    """Means of the cells of a plane, (1, 1, h, w); cells at the far borders may be cut."""
    return functional.avg_pool2d(torch.from_numpy(plane)[None, None], CELL, ceil_mode=True, count_include_pad=False)


def is_cut(before: Plane, after: Plane) -> bool:
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
