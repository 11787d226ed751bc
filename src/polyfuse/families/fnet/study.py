"""The study of FNet: the fifteen rows of the paper's Table III as changes to a recipe (spec fnet 9).

IFNet's coder has the options of FNet's unless a row says otherwise, as AE12 alone does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from polyfuse.train.variants import Study, Variant

_RECONSTRUCTION, _FUSION = "reconstruction", "fusion"


def _coder(name: str, summary: str, **options: Any) -> Variant:
    """A row that changes the coder of both networks."""
    return Variant(name, summary, printed=name, model={"coder": options})


def _without_loss(name: str, summary: str, loss: str) -> Variant:
    """A row without one term of stage II."""
    return Variant(name, summary, printed=name, losses={_FUSION: {loss: 0.0}})


_WITHOUT_STAGE_I = Variant("AE11", "no stage I", printed="AE11", without=_RECONSTRUCTION)
ROWS = (
    _coder("AE1", "LCSC blocks: soft threshold, no momentum", coder="lcsc", threshold="soft"),
    _coder("AE2", "soft threshold in both networks", threshold="soft"),
    _coder("AE3", "convolutions shared by all iterations", share_convs=True),
    _coder("AE4", "no momentum", momentum="none"),
    _coder("AE5", "Polyak momentum", momentum="polyak"),
    _coder("AE6", "quasi-hyperbolic momentum", momentum="qhm"),
    _coder("AE7", "steeper threshold, gamma 200", steepness=200.0),  # ours: value lost in the paper
    _coder("AE8", "less shrinkage, alpha 0.01", shrink=0.01),  # ours: value lost in the paper
    _coder("AE9", "3 iterations", iterations=3),
    _coder("AE10", "5 iterations", iterations=5),
    _WITHOUT_STAGE_I,
    # ours: the same with equal work
    replace(_WITHOUT_STAGE_I, name="AE11-long", summary="no stage I, its steps in stage II", keeps_steps=True),
    Variant(
        "AE12",
        "soft threshold in IFNet",
        printed="AE12",
        parts={"inverse": {"coder": {"threshold": "soft"}}},
        trained_in=_RECONSTRUCTION,
    ),
    _without_loss("AE13", "no intensity term", "intensity"),
    _without_loss("AE14", "no gradient term", "gradient"),
    _without_loss("AE15", "no SSIM term", "ssim"),
)
"""The rows of the table, in its order."""

STUDY = Study(
    family="fnet",
    full=Variant("full", "the unchanged model", printed="FNet (ours)"),
    rows=ROWS,
    recipe="fnet-paper",
    budget="reconstruction 20000, fusion 20000 steps of 16 crops of 128x128 of MSRS",
    paper="FNet",
    metrics=("MI", "CE", "VIF", "Qabf", "Qcb", "SSIM"),
    protocol="fnet",
)
