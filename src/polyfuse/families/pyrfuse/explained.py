"""PyrFuse and PyrFuse-T: which source gave the detail where, level by level, and which gave the base."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.drawing.canvas import Canvas, energy_scale, side_scale
from polyfuse.drawing.findings import Findings
from polyfuse.drawing.maps import as_array
from polyfuse.drawing.panels import Panel, Row, pictures_row, sheet
from polyfuse.drawing.pictures import Pictures
from polyfuse.families.pyrfuse import PyrFuse, PyrFuseT
from polyfuse.families.spec import FusionModel

PANELS = 3
"""Levels in a row of the sheet."""
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PyrFuseFindings(Findings):
    """What was chosen at each level, finest first, and for the base."""

    weights: list[Array]
    """Share of a's detail, (h, w) in [0, 1]."""
    kept: list[Array]
    """Share of the other one's detail that is kept too, (h, w) in [0, 1]."""
    given: list[tuple[float, float]]
    """Mean absolute detail that a and b gave to the result, white is 1."""
    base_weight: Array
    """Share of a's base, (h, w) in [0, 1]."""

    def share_of_a(self, level: int) -> float:
        """What a gave of the details of one level over what both gave; 0.5 where there are none."""
        a, b = self.given[level]
        return a / (a + b) if a + b else 0.5

    def numbers(self) -> dict[str, Any]:
        """Of each level, what either source gave, and the mean share kept of the other one; the base."""
        return {
            "levels": [
                {
                    "pixels": 2**level,
                    "detail_from_a": a,
                    "detail_from_b": b,
                    "share_of_a": self.share_of_a(level),
                    "mean_weight_of_a": float(self.weights[level].mean()),
                    "mean_kept_of_other": float(self.kept[level].mean()),
                }
                for level, (a, b) in enumerate(self.given)
            ],
            "base_weight_of_a": float(self.base_weight.mean()),
        }


def find(model: FusionModel, a: Tensor, b: Tensor) -> PyrFuseFindings:
    """One pass over a pair, (1, 1, H, W) each."""
    network = cast("PyrFuse | PyrFuseT", model)
    explained = {name: as_array(values[0, 0]) for name, values in network.explain(a, b).items()}
    levels = range(network.config.levels)
    return PyrFuseFindings(
        fused_luma=explained["fused"],
        weights=[explained[f"weight_{level}"] for level in levels],
        kept=[explained[f"kept_{level}"] for level in levels],
        given=[
            (_mean_size(explained[f"from_a_{level}"]), _mean_size(explained[f"from_b_{level}"])) for level in levels
        ],
        base_weight=explained["base_weight"],
    )


def draw(pictures: Pictures, findings: PyrFuseFindings) -> Iterator[tuple[str, Canvas]]:
    """One sheet: the pictures, who gave the detail at each level, what was kept of the other, and the base."""
    a, b = pictures.names
    count = len(findings.weights)
    chosen = [
        Panel(f"{_scale(level)}: {100 * findings.share_of_a(level):.0f} % from a", weights, side_scale())
        for level, weights in enumerate(findings.weights)
    ]
    chosen.append(Panel(f"base: mean {findings.base_weight.mean():.2f}", findings.base_weight, side_scale()))
    kept = [
        Panel(f"{_scale(level)}: mean {values.mean():.2f}", values, energy_scale(np.stack([values])))
        for level, values in enumerate(findings.kept)
    ]
    rows = [
        pictures_row(pictures, "1   The pictures"),
        *_rows(
            chosen,
            "2   Which source gave the detail here",
            "share of a at each level of the pyramid, each as large as its pixels; last, share of a in the base",
            "orange: the detail is a's, violet: b's, white: both alike",
        ),
        *_rows(
            kept,
            "3   How much of the other one's detail was kept too",
            "0: the weaker one is left out, 1: both are added",
            "bright: much, dark: little; each on its own scale",
        ),
    ]
    line = f"The pyramid has {count} levels. Every detail of the result is one of a, of b, or the sum of both."
    yield "overview", sheet(f"How {pictures.record['model']} fused {a} with {b}", line, rows, 4.4)


def _rows(panels: list[Panel], title: str, line: str, legend: str) -> Iterator[Row]:
    """The panels, a few in a row; the heading goes on the first row, and the colours below the last."""
    for start in range(0, len(panels), PANELS):
        is_first, is_last = start == 0, start + PANELS >= len(panels)
        part = panels[start : start + PANELS]
        yield Row(title if is_first else "", line if is_first else "", part, legend if is_last else "")


def _scale(level: int) -> str:
    """Name of a level."""
    side = 2**level
    return "details of 1 pixel" if side == 1 else f"of {side} pixels"


def _mean_size(values: Array) -> float:
    """Mean absolute value."""
    return float(np.abs(values).mean())
