"""The families that can be explained, each by two functions: `find`, what is to be shown of a pair, and `draw`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from polyfuse.drawing.canvas import Canvas
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
