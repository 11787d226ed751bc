"""SCD: sum of the correlations of differences."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from polyfuse.metrics.cc import pearson
from polyfuse.metrics.metric import Metric, Variant
from polyfuse.metrics.statistics import Plane, Statistics


@dataclass(frozen=True, kw_only=True)
class _Differences(Variant):
    """What the fused picture has beyond one source, correlated with the other."""

    undefined: float
    """Term of a source where the fused picture differs from the other one by a constant."""

    def value(self, pictures: Statistics) -> Tensor:
        """r(F - B, A) + r(F - A, B), (N,)."""
        one, other = self.terms(pictures)
        return one + other

    def terms(self, pictures: Statistics) -> tuple[Tensor, Tensor]:
        """r(F - B, A), which is due to a, and r(F - A, B)."""
        beyond_a = Plane(pictures.fused.values - pictures.a.values)
        beyond_b = Plane(pictures.fused.values - pictures.b.values)
        return (
            pearson(beyond_b, pictures.a, undefined=self.undefined),
            pearson(beyond_a, pictures.b, undefined=self.undefined),
        )


_PLAIN = _Differences(note="no value where the fused picture copies a source", undefined=torch.nan)

scd = Metric(
    name="SCD",
    title="sum of the correlations of differences",
    direction="up",
    bounds=(-2.0, 2.0),
    cost="a",
    formula="SCD = r(F - B, A) + r(F - A, B), r Pearson's correlation",
    source="Aslantas, Bendes 2015",
    rewards="What the fused picture has beyond one source looking like the other source.",
    fooled="Any mixture scores well: on TNO the average has 1.54, the Laplacian pyramid 1.65, published networks 1.6 "
    "to 1.9.",
    quirks="None: the toolboxes agree. Undefined for an exact copy of a source; canonical counts that term as 0.",
    variants={
        "canonical": _Differences(note="0 for the term of a zero difference", undefined=0.0),
        "cddfuse": _PLAIN,
        "smfnet": _PLAIN,
        "linfeng": _PLAIN,
        "linfeng_workbook": _PLAIN,
        "survey": _PLAIN,
    },
)
