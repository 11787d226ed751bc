"""The study of FNet: the fifteen rows of the paper's Table III as changes to a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from polyfuse.families.fnet.ablations import ABLATIONS, Ablation
from polyfuse.families.fnet.inverse import IFNetConfig
from polyfuse.families.fnet.network import FNetConfig
from polyfuse.train.variants import Study, Variant

_RECONSTRUCTION, _FUSION = "reconstruction", "fusion"


def _changes(network: FNetConfig | IFNetConfig) -> dict[str, Any]:
    """Options of the coder that differ from the published ones."""
    options, published = asdict(network.coder), asdict(FNetConfig().coder)
    return {name: value for name, value in options.items() if value != published[name]}


def _variant(name: str, ablation: Ablation) -> Variant:
    """One row. IFNet's coder follows FNet's, so that only AE12 names it."""
    coder = _changes(ablation.fnet)
    inverse = {} if ablation.inverse_coder is None else _changes(ablation.ifnet)
    return Variant(
        name,
        ablation.summary,
        printed=name,
        model={"coder": coder} if coder else {},
        parts={"inverse": {"coder": inverse}} if inverse else {},
        losses={} if ablation.dropped_loss is None else {_FUSION: {ablation.dropped_loss: 0.0}},
        without=None if _RECONSTRUCTION in ablation.stages else _RECONSTRUCTION,
        trained_in=_RECONSTRUCTION if inverse else None,
    )


def _rows() -> Iterator[Variant]:
    """The rows of the table, and after that without stage I the same with equal work (spec fnet 9)."""
    for name, ablation in ABLATIONS.items():
        variant = _variant(name, ablation)
        yield variant
        if variant.without is not None:
            yield replace(
                variant, name=f"{name}-long", summary=f"{ablation.summary}, its steps in stage II", keeps_steps=True
            )


FNET = Study(
    family="fnet",
    full=Variant("full", "the unchanged model", printed="FNet (ours)"),
    rows=tuple(_rows()),
    recipe="fnet-paper",
    budget="reconstruction 20000, fusion 20000 steps of 16 crops of 128x128 of MSRS",
    paper="FNet",
    metrics=("MI", "CE", "VIF", "Qabf", "Qcb", "SSIM"),
    protocol="fnet",
)
