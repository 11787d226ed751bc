"""The study of SMFNet: the rows of the paper's Table 5, and what each repair of its program's losses changes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from polyfuse.families.smfnet.losses import FIXED, OFFICIAL
from polyfuse.train.variants import Study, Variant

_RECONSTRUCTION, _FUSION = "reconstruction", "fusion"
_OFFICIAL: dict[str, Any] = {name: value for name, value in asdict(OFFICIAL).items() if value != getattr(FIXED, name)}
"""Forms of the losses in the official program, where they differ from the repaired ones."""

_TABLE = (
    Variant(
        "R1",
        "graph correlation in stage I too",
        printed="two-stage both cc_G",
        options={_RECONSTRUCTION: {"graph_in_reconstruction": True}},
    ),
    Variant(
        "R2",
        "no stage I, its steps in stage II",
        printed="w/o two stage training",
        # ours: the fusion layers begin with the others, so that no factor of their rate is left
        options={_FUSION: {"fusion_rate": 1.0}},
        without=_RECONSTRUCTION,
        keeps_steps=True,
        keeps_start=True,
    ),
    Variant(
        "R3",
        "no intensity and semantic term",
        printed="w/o intensity and semantic loss",
        losses={_RECONSTRUCTION: {"intensity": 0.0, "semantic": 0.0}},
    ),
    Variant("R4", "no residual in the base branch", printed="w/o residual transformer", model={"base_residual": False}),
    Variant("R5", "no cross attention", printed="CAI->INN block", model={"cross_attention": False}),
    Variant("R6", "no graph", printed="w/o GNN", model={"graph": False}),
    Variant("R7", "fusion layers exchanged", printed="INN<->transformer", model={"swap_fusion": True}),
)


def _unrepaired(name: str, summary: str, *rules: str) -> Variant:
    """A row whose losses have the official form of these rules, in both stages."""
    options = {rule: _OFFICIAL[rule] for rule in rules}
    return Variant(name, summary, options={_RECONSTRUCTION: options, _FUSION: options})


_REPAIRS = (
    _unrepaired("official", "all losses as in the program", *_OFFICIAL),
    _unrepaired("detached", "decomposition without gradient", "decomposition"),
    _unrepaired("details", "details' correlation for the graph's", "graph_in_fusion"),
    _unrepaired("zeros", "semantic term counts zeros", "semantic"),
    _unrepaired("clamped", "SSIM term clamped", "ssim"),
    Variant("messages", "messages weighed by parity", model={"messages": "interleaved"}),
)

STUDY = Study(
    family="smfnet",
    full=Variant("full", "the unchanged model", printed="SMFNet (ours)"),
    rows=(*_TABLE, *_REPAIRS),
    # ours: the paper's size with repaired losses; with those of its program R1 would change nothing
    recipe="smfnet-gpu",
    budget="reconstruction 108320, fusion 216640 steps of 6 patches of 128x128 of MSRS, losses of its program",
    paper="SMFNet",
    metrics=("EN", "SD", "VIF", "SSIM"),
    protocol="cddfuse",
)
