"""What SMFNet's decomposition is said to do, as correlations between the features of both sources (spec smfnet 4)."""

from __future__ import annotations

from typing import cast

from torch import Tensor

from polyfuse.drawing.claims import Claim, Measured
from polyfuse.families.smfnet import SMFNet
from polyfuse.families.smfnet.explanation import feature_correlations
from polyfuse.families.spec import FusionModel

CORRELATED, UNCORRELATED = 0.5, 0.2
"""What counts as "high" and as "low". Ours: the paper gives no number."""
_LOSS = "decomposition loss of the paper"


def measure(model: FusionModel, a: Tensor, b: Tensor) -> dict[str, dict[str, float]]:
    """cc_B, cc_D and, with the graph, cc_G of one pair, (1, 1, H, W) each."""
    correlations = feature_correlations(cast(SMFNet, model), a, b)
    return {branch: {"correlation": float(value)} for branch, value in correlations.items()}


def _of(measured: Measured, branch: str) -> float:
    return measured[branch]["correlation"]


CLAIMS = (
    Claim(
        "base features correlate more than detail features",
        _LOSS,
        "cc_B - |cc_D|",
        lambda m: _of(m, "base") - abs(_of(m, "detail")),
        ("base", "detail"),
    ),
    Claim(
        "base features correlate more than graph features",
        f"{_LOSS}, stage II",
        "cc_B - |cc_G|",
        lambda m: _of(m, "base") - abs(_of(m, "graph")),
        ("base", "graph"),
    ),
    Claim(
        "base features are correlated",
        f"{_LOSS}; the bound is ours",
        f"cc_B - {CORRELATED}",
        lambda m: _of(m, "base") - CORRELATED,
        ("base",),
    ),
    Claim(
        "detail features are uncorrelated",
        f"{_LOSS}; the bound is ours",
        f"{UNCORRELATED} - |cc_D|",
        lambda m: UNCORRELATED - abs(_of(m, "detail")),
        ("detail",),
    ),
    Claim(
        "graph features are uncorrelated",
        f"{_LOSS}, stage II; the bound is ours",
        f"{UNCORRELATED} - |cc_G|",
        lambda m: UNCORRELATED - abs(_of(m, "graph")),
        ("graph",),
    ),
)
"""What should correlate between the sources, and what should not."""
