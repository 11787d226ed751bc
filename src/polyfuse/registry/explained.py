"""The families that can be explained: a pair by `find` and `draw`, many pairs by what the paper claims of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from torch import Tensor

from polyfuse.drawing.canvas import Canvas
from polyfuse.drawing.claims import Claim, Measured
from polyfuse.drawing.findings import Findings
from polyfuse.drawing.pictures import Pictures
from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.registry.catalogue import FAMILIES, names_with
from polyfuse.registry.loading import list_models

Draw = Callable[[Pictures, Any], Iterator[tuple[str, Canvas]]]
"""Takes the pictures and what `find` of the same family returned; gives name and canvas of each sheet, drawn one at a
time, "overview" first."""


@dataclass(frozen=True)
class Explainer:
    """How one family is explained."""

    find: Callable[[FusionModel, Tensor, Tensor], Findings]
    """Takes a model and a pair, (1, 1, H, W) each; returns what is to be shown."""
    draw: Draw
    """Draws what `find` returned."""


@dataclass(frozen=True)
class ClaimedFamily:
    """What one family measures of a pair, and what its paper claims of it."""

    measure: Callable[[FusionModel, Tensor, Tensor], Measured]
    """Takes a model and a pair, (1, 1, H, W) each."""
    claims: tuple[Claim, ...]
    """The claims, in the order in which they are shown."""


def explainer(model: FusionModel) -> Explainer:
    """How the family of `model` is explained.

    Raises:
        UsageError: If it has nothing to show.
    """
    known = names_with("explained")
    if model.spec.family not in known:
        names = ", ".join(entry.name for entry in list_models() if entry.family in known)
        raise UsageError(
            f"model {model.provenance.name} has nothing to show but its result: "
            f"name one of {names} with --model, and --weights where it needs them, or pass --lost to see what is gone."
        )
    wing = FAMILIES[model.spec.family].module("explained")
    return Explainer(wing.find, wing.draw)


def claimed_family(model: FusionModel) -> ClaimedFamily:
    """What the paper of the family of `model` claims, and how it is measured.

    Raises:
        UsageError: If there are no such claims.
    """
    wing = _claiming_wing(model.spec.family)
    if wing is None:
        able = [entry.name for entry in list_models() if _claiming_wing(entry.family) is not None]
        raise UsageError(
            f"model {model.provenance.name} comes with no claims that could be measured over folders: name one of "
            f"{', '.join(able)} with --model, and --weights where it needs them."
        )
    return ClaimedFamily(wing.measure, tuple(wing.CLAIMS))


def _claiming_wing(family: str) -> ModuleType | None:
    """The `explained` of a family if it has `measure` and `CLAIMS`."""
    if family not in names_with("explained"):
        return None
    wing = FAMILIES[family].module("explained")
    return wing if hasattr(wing, "measure") and hasattr(wing, "CLAIMS") else None
