"""SD: standard deviation of the grey levels."""

from __future__ import annotations

from torch import Tensor

from polyfuse.metrics.grey import half_up
from polyfuse.metrics.metric import Alone, Metric
from polyfuse.metrics.statistics import Plane


def _deviation(fused: Plane) -> Tensor:
    return fused.centred.square().mean(dim=(1, 2)).sqrt()


def _saturated(fused: Plane) -> Tensor:
    """Standard deviation in saturating 8-bit arithmetic: negative differences are 0, squares end at 255."""
    difference = half_up(fused.centred.clamp(min=0))
    return difference.square().clamp(max=255).mean(dim=(1, 2)).sqrt()


_PLAIN = Alone(note="divided by the number of pixels, on 0..255", compute=_deviation)

sd = Metric(
    name="SD",
    title="standard deviation",
    direction="none",
    bounds=(0.0, 127.5),
    cost="a",
    needs_sources=False,
    formula="SD = sqrt(mean((F - mean F)^2)), on 0..255",
    source="Rao 1997",
    rewards="Contrast of the fused picture as a whole.",
    fooled="Contrast stretching and noise raise it; it never looks at the sources.",
    quirks="VIFB calls it Variance. The published Linfeng workbook was made with saturating 8-bit integers and never "
    "exceeds 15.97.",
    variants={
        "canonical": _PLAIN,
        "cddfuse": _PLAIN,
        "smfnet": _PLAIN,
        "linfeng": _PLAIN,
        "linfeng_workbook": Alone(note="8-bit integers: differences and squares saturate", compute=_saturated),
        "survey": _PLAIN,
        "vifb": Alone(note="called Variance; per channel, averaged", compute=_deviation),
    },
)
