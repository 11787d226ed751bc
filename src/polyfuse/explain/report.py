"""`explain`: one pair through a model, and everything worth knowing about how the result came about."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyfuse import registry
from polyfuse._version import __version__
from polyfuse.errors import UsageError
from polyfuse.explain.maps import energy_map, strongest_channels
from polyfuse.explain.statistics import HISTOGRAM_LIMIT, NULL_BELOW, NUM_BINS, EstimateCounter, EstimateStatistics
from polyfuse.fusion import FuseOptions, Source
from polyfuse.fusion.conventions import Conventions, decide, finished, model_input
from polyfuse.fusion.pair import as_picture, same_size
from polyfuse.io import Picture
from polyfuse.models.spec import FusionModel
from polyfuse.transforms import quantise, resize, to_unit

SCHEMA = 1
"""Version of `Explanation.numbers`."""
PARTS = ("u", "v", "z")
"""From a alone, from b alone, from both together; their contributions add up to the fused luma."""
EXPLAINED_FAMILIES = ("fnet",)
DEFAULT_MAX_SIDE = 640
"""Pixels. The pass keeps some ten times 64 maps: 4 kB per pixel, 1.1 GB for 640x480."""
_PROBE_SIDE = 8
_LONGEST_NAME = 28


@dataclass(frozen=True, eq=False)
class Part:
    """One of the three parts that the fused picture is made of."""

    contribution: NDArray[np.float32]
    """(H, W), its share of the fused luma, signed."""
    energy: NDArray[np.float32]
    """(H, W), root mean square of its code over the channels."""
    strongest: NDArray[np.float32]
    """(up to 16, H, W), the strongest channels of its code, signed, strongest first."""
    channels: tuple[int, ...]
    """Numbers of the channels in `strongest`."""
    num_channels: int
    """Number of channels of the code."""
    estimates: tuple[EstimateStatistics, ...]
    """What happened at each threshold."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a model took from which source, and the figures behind it. `polyfuse.explain.save` draws it."""

    names: tuple[str, str]
    """What the sources a and b are called in captions."""
    source_a: NDArray[np.uint8]
    """a as the model's range shows it, (H, W) or (H, W, 3)."""
    source_b: NDArray[np.uint8]
    """b likewise."""
    fused: NDArray[np.uint8]
    """The result in 8 bits, (H, W) or (H, W, 3)."""
    fused_luma: NDArray[np.float32]
    """(H, W), the model's output before clipping; the three contributions add up to it."""
    parts: dict[str, Part]
    """"u" (from a alone), "v" (from b alone) and "z" (from both together)."""
    record: dict[str, Any]
    """Model, sources, size and conventions."""
    notes: tuple[str, ...] = ()
    """What the user should know, one line each."""

    def numbers(self) -> dict[str, Any]:
        """Everything that is a number, as plain JSON values: the content of numbers.json."""
        return {
            "schema": SCHEMA,
            "polyfuse": __version__,
            **self.record,
            "null_below": NULL_BELOW,
            "histogram": {"low": -HISTOGRAM_LIMIT, "high": HISTOGRAM_LIMIT, "bins": NUM_BINS},
            "mean_fused_luma": float(self.fused_luma.mean()),
            "blocks": {name: _block_numbers(part) for name, part in self.parts.items()},
            "notes": list(self.notes),
        }


def _block_numbers(part: Part) -> dict[str, Any]:
    """One part of `numbers`."""
    return {
        "mean_contribution": float(part.contribution.mean()),
        "channels": part.num_channels,
        "strongest_channels": list(part.channels),
        "estimates": [
            {
                "k": k,
                "threshold": estimate.threshold,
                "momentum": estimate.momentum,
                "share_below_threshold": estimate.below_threshold,
                "null_share_before": estimate.null_before,
                "null_share_after": estimate.null_after,
            }
            for k, estimate in enumerate(part.estimates)
        ],
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
        max_side: Longest side of the pictures in pixels; larger ones are reduced first. None: no limit, at about 4 kB
            of memory per pixel.

    Returns:
        Parts, maps and figures of the pair.

    Raises:
        UsageError: If the model is unknown or shows nothing but its result.
        InputError: If a source cannot be read or the sizes differ.
    """
    chosen = (options or FuseOptions()).changed({"bit_depth": "8"})
    ready = registry.load(model, weights=weights) if isinstance(model, str) else model
    counter = EstimateCounter(_thresholds(ready))
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
    plane_a = _on_device(ready, model_input(pixels_a, conventions, "a"))
    plane_b = _on_device(ready, model_input(pixels_b, conventions, "b"))
    with torch.inference_mode():
        found = ready.explain(plane_a, plane_b, counter)
        parts = {name: _part(name, found, counter) for name in PARTS}
        fused = _array(found["fused"][0, 0])
    carrier = {"a": pixels_a, "b": pixels_b}.get(conventions.carrier or "")
    return Explanation(
        names,
        quantise(to_unit(pixels_a, conventions.range_a), 8),
        quantise(to_unit(pixels_b, conventions.range_b), 8),
        finished(fused, carrier, conventions),
        fused,
        parts,
        _record(ready, full_a, full_b, conventions, size),
        (*size_notes, *notes),
    )


def _thresholds(model: FusionModel) -> dict[str, list[float]]:
    """Thresholds by block, found on a tiny picture.

    Raises:
        UsageError: If the model has no codes to show.
    """
    plane = _on_device(model, np.zeros((_PROBE_SIDE, _PROBE_SIDE), np.float32))
    found = model.explain(plane, plane)
    if not all(f"code_{name}" in found for name in PARTS):
        names = ", ".join(e.name for e in registry.list_models() if e.family in EXPLAINED_FAMILIES)
        shown = "shows nothing but its result (fused), so there is nothing to explain"
        if set(found) != {"fused"}:
            shown = "has other parts than this can draw, model.explain(a, b) in Python gives them as tensors"
        raise UsageError(
            f"model {model.provenance.name} {shown}: "
            f"name one of {names} with --model, and --weights where it needs them."
        )
    return {name: found[f"thresholds_{name}"].tolist() for name in PARTS}


def _on_device(model: FusionModel, plane: NDArray[np.float32]) -> Tensor:
    """(H, W) array as a (1, 1, H, W) tensor where the model lives."""
    parameter = next(model.parameters(), torch.zeros(()))
    return torch.from_numpy(np.ascontiguousarray(plane))[None, None].to(parameter.device, parameter.dtype)


def _reduced(height: int, width: int, max_side: int | None) -> tuple[int, int]:
    """(height, width) with the longest side at most `max_side`, proportions kept."""
    if max_side is None or max(height, width) <= max_side:
        return height, width
    if max_side < 1:
        raise UsageError(f"max_side {max_side} is below 1: give pixels, or None for no limit.")
    scale = max_side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _part(name: str, found: dict[str, Tensor], counter: EstimateCounter) -> Part:
    """What is shown of one block."""
    code = found[f"code_{name}"][0]
    channels = strongest_channels(code)
    return Part(
        _array(found[f"fused_{name}"][0, 0]),
        _array(energy_map(code)),
        _array(code[channels]),
        tuple(channels),
        code.shape[0],
        counter.statistics(name, found[f"momenta_{name}"].tolist()),
    )


def _array(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.float().cpu().numpy()
    return array


def _names(a: Picture, b: Picture) -> tuple[str, str]:
    """File stems, with the folder before them where both stems are the same; "a" and "b" without files."""
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
    """Where the numbers come from."""
    provenance = model.provenance
    return {
        "model": provenance.name,
        "family": model.spec.family,
        "weights_sha256": provenance.weights_sha256,
        "border": getattr(getattr(model, "config", None), "border", None),
        "sources": {
            name: {"path": None if p.path is None else str(p.path), "sha256": p.sha256, "dtype": p.array.dtype.name}
            for name, p in (("a", a), ("b", b))
        },
        "size": {"width": a.width, "height": a.height},
        "explained_size": {"width": size[1], "height": size[0]},
        **conventions.to_json(),
    }
