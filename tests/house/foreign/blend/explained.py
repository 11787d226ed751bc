"""What is shown of a Blend: the share that either source has at each pixel; and what is claimed of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.drawing.canvas import Canvas, side_scale
from polyfuse.drawing.claims import Claim
from polyfuse.drawing.findings import Findings
from polyfuse.drawing.maps import as_array
from polyfuse.drawing.panels import Panel, Row, pictures_row, sheet
from polyfuse.drawing.pictures import Pictures
from polyfuse.families.spec import FusionModel


@dataclass(frozen=True, eq=False)
class BlendFindings(Findings):
    """The result and the share of a."""

    weights: NDArray[np.float32]
    """(H, W), share of a in (0, 1)."""

    def numbers(self) -> dict[str, Any]:
        """The mean share."""
        return {"mean_share_of_a": float(self.weights.mean())}


def find(model: FusionModel, a: Tensor, b: Tensor) -> BlendFindings:
    """One pass over a pair, (1, 1, H, W) each."""
    explained = model.explain(a, b)
    return BlendFindings(as_array(explained["fused"][0, 0]), as_array(explained["weights"][0, 0]))


def draw(pictures: Pictures, findings: BlendFindings) -> Iterator[tuple[str, Canvas]]:
    """One sheet: the pictures, and whose each pixel is."""
    shares = Row("2   Whose each pixel is", "share of a", [Panel("share of a", findings.weights, side_scale())])
    yield "overview", sheet("How Blend fused them", "", [pictures_row(pictures, "1   The pictures"), shares], 4.4)


def measure(model: FusionModel, a: Tensor, b: Tensor) -> dict[str, dict[str, float]]:
    """The mean share of a in a pair, (1, 1, H, W) each."""
    return {"result": {"share of a": float(model.explain(a, b)["weights"].mean())}}


CLAIMS = (Claim("a counts", "ours", "share of a", lambda measured: measured["result"]["share of a"], ("result",)),)
