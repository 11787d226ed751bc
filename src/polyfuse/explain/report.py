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
from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions, Source
from polyfuse.fusion.conventions import Conventions, decide
from polyfuse.fusion.fuser import Fuser
from polyfuse.fusion.sources import as_picture, same_size
from polyfuse.io import Picture
from polyfuse.registry.explained import Draw, explainer
from polyfuse.transforms import quantise, resize, to_unit

SCHEMA = 1
"""Version of `Explanation.numbers`."""
DEFAULT_MAX_SIDE = 640
"""Pixels. A pass keeps up to 6 kB per pixel, 2 GB for 640x480."""
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
    chosen = (options or FuseOptions()).changed({"bit_depth": "8"})
    ready = registry.load(model, weights=weights) if isinstance(model, str) else model
    family = explainer(ready)
    if chosen.swap:
        a, b = b, a
    full_a, full_b = as_picture(a, chosen, "a"), as_picture(b, chosen, "b")
    names = _names(full_a, full_b)
    full_a, full_b, size_notes = same_size(full_a, full_b, chosen)
    conventions, notes = decide(full_a, full_b, chosen, ready.provenance)
    size = _reduced(full_a.height, full_a.width, max_side)
    if size != (full_a.height, full_a.width):
        notes += (
            f"explained at {size[1]}x{size[0]}, the pictures have {full_a.width}x{full_a.height}: "
            "--max-side 0 takes them as they are",
        )
    pixels_a, pixels_b = resize(full_a.array, size), resize(full_b.array, size)
    fuser = Fuser(ready, chosen, conventions)
    with torch.inference_mode():
        findings = family.find(ready, fuser.tensor(pixels_a, "a"), fuser.tensor(pixels_b, "b"))
    return Explanation(
        names=names,
        source_a=quantise(_white_hot(to_unit(pixels_a, conventions.range_a), conventions), 8),
        source_b=quantise(to_unit(pixels_b, conventions.range_b), 8),
        fused=fuser.finish(findings.fused_luma, conventions.carrier_of(pixels_a, pixels_b)),
        record=_record(ready, full_a, full_b, conventions, size),
        findings=findings,
        draw=family.draw,
        notes=(*size_notes, *notes),
    )


def _white_hot(unit: NDArray[np.float32], conventions: Conventions) -> NDArray[np.float32]:
    """The first source with warm as bright, as the model sees it."""
    return unit if conventions.polarity == "white-hot" else np.float32(1) - unit


def _reduced(height: int, width: int, max_side: int | None) -> tuple[int, int]:
    """(height, width) with the longest side at most `max_side`, proportions kept."""
    if max_side is None or max(height, width) <= max_side:
        return height, width
    if max_side < 1:
        raise UsageError(f"max_side {max_side} is below 1: give pixels, or None for no limit.")
    scale = max_side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


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


def _record(
    model: FusionModel, a: Picture, b: Picture, conventions: Conventions, size: tuple[int, int]
) -> dict[str, Any]:
    """Model, sources, size and conventions, as plain JSON values: where the numbers come from."""
    provenance = model.provenance
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
        "explained_size": {"width": size[1], "height": size[0]},
        **conventions.to_json(),
    }
