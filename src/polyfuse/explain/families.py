"""Which families can be explained, and by what."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from polyfuse import registry
from polyfuse.drawing.findings import Findings
from polyfuse.errors import UsageError
from polyfuse.families.daefuse import explained as dae_fuse
from polyfuse.families.fnet import explained as fnet
from polyfuse.families.smfnet import explained as smfnet
from polyfuse.families.spec import FusionModel

Find = Callable[[FusionModel, Tensor, Tensor], Findings]
"""From a model and a pair, (1, 1, H, W) each, to what is shown of it."""

FAMILIES: dict[str, Find] = {"fnet": fnet.find, "smfnet": smfnet.find, "daefuse": dae_fuse.find}
"""By `spec.family`."""


def finder(model: FusionModel) -> Find:
    """How the family of `model` is explained.

    Raises:
        UsageError: If it has nothing to show.
    """
    found = FAMILIES.get(model.spec.family)
    if found is None:
        names = ", ".join(entry.name for entry in registry.list_models() if entry.family in FAMILIES)
        raise UsageError(
            f"model {model.provenance.name} has nothing to show but its result: "
            f"name one of {names} with --model, and --weights where it needs them."
        )
    return found
