"""`explain`: one pair through a model, and everything worth knowing about how the result came about."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse import registry
from polyfuse._version import __version__
from polyfuse.drawing.findings import Findings
from polyfuse.drawing.pictures import Pictures
from polyfuse.explain.pair import DEFAULT_MAX_SIDE, PreparedPair, prepare
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions, Source
from polyfuse.fusion.conventions import Conventions
from polyfuse.io import Picture
from polyfuse.registry.explained import Draw, explainer
from polyfuse.transforms import quantise, to_unit

SCHEMA = 1
"""Version of `Explanation.numbers`."""
_LONGEST_NAME = 28
"""Characters of a source's name in a caption."""


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Pictures):
    """What a model took from which source, and the figures behind it. `polyfuse.explain.save` draws it."""

    findings: Findings
    """What the model found; the class depends on its family."""
    draw: Draw
    """Draws `findings`; it comes from the same family."""
    notes: tuple[str, ...] = ()
    """What the user should know, one line each."""

    def __repr__(self) -> str:
        """Model and size, not the pixels."""
        height, width = self.fused.shape[:2]
        return f"Explanation({self.record['model']}, {width}x{height})"

    def numbers(self) -> dict[str, Any]:
        """Everything that is a number, as plain JSON values: the content of numbers.json."""
        return {
            "schema": SCHEMA,
            "polyfuse": __version__,
            **self.record,
            "mean_fused_luma": float(self.findings.fused_luma.mean()),
            **self.findings.numbers(),
            "notes": list(self.notes),
        }


def explain(
    a: Source,
    b: Source,
    *,
    model: str | FusionModel = "auto",
    weights: str | Path | None = None,
    options: FuseOptions | None = None,
    max_side: int | None = DEFAULT_MAX_SIDE,
) -> Explanation:
    """Find out what a model took from which source.

    Args:
        a: First source, as for `fuse`.
        b: Second source.
        model: A name from `list_models`, or a model from `load`.
        weights: Weights file for an architecture such as "fnet".
        options: How the pictures are read, mapped and coloured, as for `fuse`; the fused picture has 8 bits here.
        max_side: Longest side of the pictures in pixels; larger ones are reduced first. None: no limit, at up to 6 kB
            of memory per pixel.

    Returns:
        Maps and figures of the pair.

    Raises:
        UsageError: If the model is unknown or shows nothing but its result.
        InputError: If a source cannot be read or the sizes differ.
    """
    ready = registry.load(model, weights=weights) if isinstance(model, str) else model
    family = explainer(ready)
    pair = prepare(a, b, ready, options or FuseOptions(), max_side)
    with torch.inference_mode():
        findings = family.find(ready, pair.tensor_a, pair.tensor_b)
    conventions, pixels_a, pixels_b = pair.conventions, pair.pixels_a, pair.pixels_b
    return Explanation(
        names=_names(pair.full_a, pair.full_b),
        source_a=quantise(_white_hot(to_unit(pixels_a, conventions.range_a), conventions), 8),
        source_b=quantise(to_unit(pixels_b, conventions.range_b), 8),
        fused=pair.fuser.finish(findings.fused_luma, conventions.carrier_of(pixels_a, pixels_b)),
        record=_record(ready, pair),
        findings=findings,
        draw=family.draw,
        notes=pair.notes,
    )


def _white_hot(unit: NDArray[np.float32], conventions: Conventions) -> NDArray[np.float32]:
    """The first source with warm as bright, as the model sees it."""
    return unit if conventions.polarity == "white-hot" else np.float32(1) - unit


def _names(a: Picture, b: Picture) -> tuple[str, str]:
    """What the sources are called: file stems, behind their folders' names where both stems are the same.

    "a" and "b" where a source comes from no file.
    """
    if a.path is None or b.path is None:
        return "a", "b"
    stems = a.path.stem, b.path.stem
    if stems[0] == stems[1]:
        folders = a.path.absolute().parent.name, b.path.absolute().parent.name
        stems = f"{folders[0]}{os.sep}{stems[0]}", f"{folders[1]}{os.sep}{stems[1]}"
    return _short(stems[0]), _short(stems[1])


def _short(name: str) -> str:
    """Fit a name into a caption by leaving out its middle."""
    name = name if name.isprintable() else ascii(name)[1:-1]
    half = _LONGEST_NAME // 2 - 1
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def _record(model: FusionModel, pair: PreparedPair) -> dict[str, Any]:
    """Model, sources, size and conventions, as plain JSON values: where the numbers come from."""
    provenance, a, b = model.provenance, pair.full_a, pair.full_b
    height, width = pair.pixels_a.shape[:2]
    return {
        "model": provenance.name,
        "family": model.spec.family,
        "weights_sha256": provenance.weights_sha256,
        "border": model.configuration().get("border"),
        "sources": {
            name: {"path": None if p.path is None else str(p.path), "sha256": p.sha256, "dtype": p.array.dtype.name}
            for name, p in (("a", a), ("b", b))
        },
        "size": {"width": a.width, "height": a.height},
        "explained_size": {"width": width, "height": height},
        **pair.conventions.to_json(),
    }
