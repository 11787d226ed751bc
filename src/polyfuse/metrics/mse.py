"""MSE: mean squared error against both sources."""

from __future__ import annotations

from torch import Tensor

from polyfuse.metrics.metric import Added, Metric
from polyfuse.metrics.statistics import Match

WHITE_SQUARED = 255.0**2


def squared_error(match: Match) -> Tensor:
    """Mean of (source - fused)^2 on 0..255, (N,)."""
    return match.once("squared error", lambda: (match.source.values - match.fused.values).square().mean(dim=(1, 2)))


def _unit_error(match: Match) -> Tensor:
    return squared_error(match) / WHITE_SQUARED


_PLAIN = Added(note="mean of both, on 0..255", term=squared_error, mean=True)
_UNIT = Added(note="mean of both, on 0..1: 65025 times smaller", term=_unit_error, mean=True)

mse = Metric(
    name="MSE",
    title="mean squared error",
    direction="down",
    bounds=(0.0, WHITE_SQUARED),
    cost="a",
    formula="MSE = (mean (A - F)^2 + mean (B - F)^2) / 2",
    source="general",
    rewards="Being close to both sources, pixel by pixel.",
    fooled="The average of the sources is the best picture there is by this measure.",
    quirks="On 0..255 or on 0..1.",
    variants={
        "canonical": _PLAIN,
        "cddfuse": _PLAIN,
        "linfeng": _UNIT,
        "linfeng_workbook": _UNIT,
        "survey": _UNIT,
    },
)
