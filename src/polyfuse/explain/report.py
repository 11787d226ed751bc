"""`explain`: one pair through a model, and everything worth knowing about how the result came about."""

from __future__ import annotations

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
from polyfuse.errors import InputError
from polyfuse.explain.lost import find_lost
from polyfuse.explain.lost_sheets import draw_lost
from polyfuse.explain.pair import DEFAULT_MAX_SIDE, Pair, maker_of, read_pair
from polyfuse.families.spec import FusionModel, Provenance
from polyfuse.fusion import FuseOptions, Source
from polyfuse.fusion.fuser import Fuser
from polyfuse.io import Picture
from polyfuse.io.given import as_picture
from polyfuse.io.source import shown
from polyfuse.ops.visibility import WINDOW
from polyfuse.registry.explained import Draw, explainer
from polyfuse.transforms import measure_range, parse_range, quantise, resize, to_unit

SCHEMA = 1
"""Version of `Explanation.numbers`."""


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
    pair = read_pair(a, b, chosen, ready.provenance, max_side)
    fuser = Fuser(ready, chosen, pair.conventions)
    with torch.inference_mode():
        findings = family.find(ready, fuser.tensor(pair.a.array, "a"), fuser.tensor(pair.b.array, "b"))
    source_a, source_b = pair.shown()
    return Explanation(
        names=pair.names,
        source_a=source_a,
        source_b=source_b,
        fused=fuser.finish(findings.fused_luma, pair.conventions.carrier_of(pair.a.array, pair.b.array)),
        record=pair.record(maker_of(ready)),
        findings=findings,
        draw=family.draw,
        notes=pair.notes,
    )


def explain_lost(
    a: Source,
    b: Source,
    *,
    fused: Source | None = None,
    model: str | FusionModel = "auto",
    weights: str | Path | None = None,
    options: FuseOptions | None = None,
    max_side: int | None = None,
) -> Explanation:
    """Find out which structure of the sources a fused picture lacks.

    Args:
        a: First source, as for `fuse`.
        b: Second source.
        fused: A fused picture of this pair, made by whatever; None: `model` makes it. Its values count over their full
            range.
        model: A name from `list_models`, or a model from `load`; any, the classic ones too.
        weights: Weights file for an architecture such as "fnet".
        options: How the pictures are read, mapped and coloured, as for `fuse`; the fused picture has 8 bits here.
        max_side: Longest side of the pictures in pixels; larger ones are reduced first, which changes the measures.
            None: no limit.

    Returns:
        Maps and figures. For 8-bit files the measures are those of `polyfuse evaluate`.

    Raises:
        UsageError: If the model is unknown.
        InputError: If a picture cannot be read, the sizes differ or a side is below 11 pixels.
    """
    chosen = (options or FuseOptions()).changed({"bit_depth": "8"})
    if fused is None:
        ready = registry.load(model, weights=weights) if isinstance(model, str) else model
        pair = read_pair(a, b, chosen, ready.provenance, max_side)
        pixels, _ = Fuser(ready, chosen, pair.conventions).image(pair.a, pair.b)
        maker = maker_of(ready)
    else:
        pair = read_pair(a, b, chosen, Provenance("a fused picture"), max_side)
        pixels, maker = _foreign(fused, pair, chosen)
    source_a, source_b = pair.shown()
    if min(source_a.shape[:2]) < WINDOW:
        raise InputError(
            f"the pictures are {pair.a.width}x{pair.a.height}: what is lost is judged in boxes of {WINDOW}x{WINDOW} "
            "pixels, give larger ones."
        )
    return Explanation(
        names=pair.names,
        source_a=source_a,
        source_b=source_b,
        fused=pixels,
        record=pair.record(maker),
        findings=find_lost(pixels, source_a, source_b),
        draw=draw_lost,
        notes=pair.notes,
    )


def _foreign(fused: Source, pair: Pair, options: FuseOptions) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """A fused picture that was made elsewhere, in 8 bits and of the pair's size, and the record of where it is from."""
    picture = as_picture(fused, "fused", page=options.page, max_pixels=options.max_pixels, strict=options.strict)
    if (picture.height, picture.width) != pair.full_size:
        height, width = pair.full_size
        raise InputError(
            f"{_name(picture)} is {picture.width}x{picture.height} but the sources are {width}x{height}: give the "
            "fused picture of this pair, at its size."
        )
    full = measure_range(picture.array, parse_range("full"), name=_name(picture))
    seen = np.ascontiguousarray(picture.array[pair.window])
    pixels = quantise(to_unit(resize(seen, (pair.a.height, pair.a.width)), full), 8)
    return pixels, {
        "model": None,
        "fused": {
            "path": None if picture.path is None else str(picture.path),
            "sha256": picture.sha256,
            "dtype": picture.array.dtype.name,
        },
    }


def _name(picture: Picture) -> str:
    return shown(picture.path or "fused")
