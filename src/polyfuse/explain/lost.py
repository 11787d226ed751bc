"""Which structure of the sources is gone in a fused picture, as maps and numbers (spec visibility 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.drawing.findings import Findings
from polyfuse.ops.visibility import (
    LOST_BELOW,
    Stronger,
    Visibility,
    kept_share,
    scales,
    stronger,
    visibility,
)
from polyfuse.transforms import luma


@dataclass(frozen=True, eq=False)
class LostScale:
    """What is lost at one scale."""

    lost_a: NDArray[np.bool_]
    """(H, W): a is the stronger source there, clearly visible, and its structure is gone."""
    lost_b: NDArray[np.bool_]
    """(H, W): the same of b."""
    shares: dict[str, float | None]
    """VIS, LOST and their terms at this scale; None where nothing qualifies."""
    visible: float
    """Share of the pixels at which the stronger source is clearly visible."""
    stronger_a: float
    """Share of the pixels at which a is the stronger source."""

    def numbers(self) -> dict[str, Any]:
        """Size and shares."""
        height, width = self.lost_a.shape
        return {
            "width": width,
            "height": height,
            "visible_share": self.visible,
            "a_stronger_share": self.stronger_a,
            **self.shares,
        }


@dataclass(frozen=True, eq=False)
class LostFindings(Findings):
    """What is lost at each scale, and over all of them."""

    shares: dict[str, float | None]
    """VIS, LOST, their terms and LOSTmax; None where nothing qualifies."""
    scales: tuple[LostScale, ...]
    """Finest first: the picture itself, then means of blocks of 2x2, 4x4 and 8x8 pixels."""

    def numbers(self) -> dict[str, Any]:
        """The measures as `polyfuse evaluate` prints them under canonical, and the same of each scale."""
        return {
            "measures": self.shares,
            "scales": [{"scale": level, **scale.numbers()} for level, scale in enumerate(self.scales)],
        }


def find_lost(fused: NDArray[np.uint8], a: NDArray[np.uint8], b: NDArray[np.uint8]) -> LostFindings:
    """Compare a fused picture with its sources.

    Args:
        fused: (H, W) or (H, W, 3), both sides at least 11.
        a: First source, same height and width.
        b: Second source.
    """
    planes = [_luma(pixels) for pixels in (fused, a, b)]
    seen_fused, seen_a, seen_b = (scales(torch.from_numpy(plane)[None]) for plane in planes)
    strongest = [stronger(one, other) for one, other in zip(seen_a, seen_b, strict=True)]
    kept = [kept_share(*at_scale) for at_scale in zip(seen_fused, seen_a, seen_b, strongest, strict=True)]
    return LostFindings(
        fused_luma=planes[0].astype(np.float32),
        shares=_shares(visibility(kept, strongest)),
        scales=tuple(_lost_scale(share, where) for share, where in zip(kept, strongest, strict=True)),
    )


def _luma(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(H, W) in [0, 1], not rounded."""
    unit = pixels.astype(np.float64) / 255
    return unit if unit.ndim == 2 else luma(unit)


def _lost_scale(kept: torch.Tensor, where: Stronger) -> LostScale:
    lost = where.visible & (kept < LOST_BELOW)
    shares = _shares(visibility([kept], [where]))
    return LostScale(
        lost_a=(lost & where.is_a)[0].numpy(),
        lost_b=(lost & ~where.is_a)[0].numpy(),
        shares=shares,
        visible=float(where.visible.double().mean()),
        stronger_a=float(where.is_a.double().mean()),
    )


def _shares(found: Visibility) -> dict[str, float | None]:
    """The measures of one picture by the names that tables print; None instead of NaN, which JSON does not know."""
    values = {
        "VIS": found.kept, "VIS_a": found.kept_a, "VIS_b": found.kept_b,
        "LOST": found.lost, "LOST_a": found.lost_a, "LOST_b": found.lost_b, "LOSTmax": found.lost_of_worse,
    }  # fmt: skip
    numbers = {name: float(value) for name, value in values.items()}
    return {name: None if math.isnan(number) else number for name, number in numbers.items()}
