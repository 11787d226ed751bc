"""Fusing one pair: the whole way from two sources to a `Result`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyfuse.errors import UsageError, needing_torch
from polyfuse.fusion.conventions import decide
from polyfuse.fusion.fuser import Fuser, OnTile
from polyfuse.fusion.models import Model
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.record import settings
from polyfuse.fusion.result import Result
from polyfuse.fusion.sources import as_picture, flowing, one_of, same_size
from polyfuse.fusion.thermal import completed, read_sources
from polyfuse.io import Pair, Picture, Source

if TYPE_CHECKING:
    import torch


def fuse(
    a: Source | None = None,
    b: Source | None = None,
    *,
    ir: Source | None = None,
    vi: Source | None = None,
    model: str | Model = "auto",
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    options: FuseOptions | None = None,
    **changes: Any,
) -> Result:
    """Fuse two aligned pictures of one scene.

    Args:
        a: Infrared, near-infrared or MRI: a path, a file's bytes or a file object opened in binary mode, a picture of
            Pillow's, an array (H, W) or (H, W, 3), or a tensor (H, W), (C, H, W) or (1, C, H, W) with C = 1 or 3.
            Values are uint8, uint16, bool or floats in [0, 1]; int8 and int16 only with a range that is no "full".
        b: Visible, CT, PET or SPECT, the same kinds; its colour is kept. Alpha is left out. With `radiometric` it
            may be missing: then it is the visible picture in the file of a.
        ir: Another name of a.
        vi: Another name of b.
        model: A name from `list_models`, a model from `load`, or one from `polyfuse.engines.load_exported`.
        weights: Weights file for an architecture such as "fnet".
        device: Where the model runs.
        options: All options at once.
        **changes: Single options by name, e.g. `grey=True`; see `FuseOptions`.

    Returns:
        The fused picture with the record of how it was made.

    Raises:
        InputError: If a source cannot be read, holds NaN, or the sizes differ.
        UsageError: If the model or an option is unknown or does not fit.

    >>> import numpy as np
    >>> thermal, visible = np.zeros((4, 6), np.uint8), np.full((4, 6, 3), 200, np.uint8)
    >>> fuse(thermal, visible, model="maximum").image[0, 0].tolist()
    [200, 200, 200]
    """
    if not isinstance(model, str) and (weights is not None or str(device) != "cpu"):
        raise UsageError("weights and device go with a model's name: load the model with them instead.")
    chosen = (options or FuseOptions()).changed(changes)
    if chosen.radiometric:
        second = None if b is None and vi is None else one_of(b, vi, "b", "vi")
        return _fuse_radiometric(one_of(a, ir, "a", "ir"), second, model, weights, device, chosen)
    source_a, source_b = one_of(a, ir, "a", "ir"), one_of(b, vi, "b", "vi")
    if chosen.swap:
        source_a, source_b = source_b, source_a
    ready = _loaded(model, weights, device)
    return fuse_pictures(as_picture(source_a, chosen, "a"), as_picture(source_b, chosen, "b"), ready, chosen)


def _loaded(model: str | Model, weights: str | Path | None, device: str | torch.device) -> Model:
    """The model of a name; a model stays as it is."""
    if not isinstance(model, str):
        return model
    with needing_torch():
        from polyfuse import registry

        return registry.load(model, weights=weights, device=device)


def _fuse_radiometric(
    a: Source,
    b: Source | None,
    model: str | Model,
    weights: str | Path | None,
    device: str | torch.device,
    options: FuseOptions,
) -> Result:
    """`fuse` of a radiometric file with its own visible picture, or with another file."""
    paths = [source for source in (a, b) if source is not None]
    if not all(isinstance(path, str | os.PathLike) for path in paths):
        raise UsageError("radiometric=True is for files: pass paths, or what polyfuse.radiometric.read_thermal gives.")
    first, second = Path(os.fspath(paths[0])), Path(os.fspath(paths[-1]))  # type: ignore[arg-type]  # they are paths
    pair = Pair(first.stem, second, first) if options.swap else Pair(first.stem, first, second)
    sources = read_sources(pair, options)
    ready = _loaded(model, weights, device)
    result = fuse_pictures(sources.a, sources.b, ready, sources.options)
    return completed(result, sources, settings(ready, options))


def fuse_pictures(a: Picture, b: Picture, model: Model, options: FuseOptions, on_tile: OnTile | None = None) -> Result:
    """`fuse` for pictures that are read and a model that is loaded; `on_tile` is called after each tile."""
    started = time.perf_counter()
    made_by = settings(model, options)
    options, flow_notes = flowing(a, b, options)
    a, b, size_notes = same_size(a, b, options)
    conventions, notes = decide(a, b, options, model.provenance)
    fuser = Fuser(model, options, conventions)
    image, num_tiles = fuser.image(a, b, on_tile)
    record = fuser.record(a, b, num_tiles=num_tiles, seconds=time.perf_counter() - started)
    record["settings"] = made_by  # by which --resume knows the result; a flow is in record["warp"]
    told = (*size_notes, *flow_notes, *notes, *_tile_notes(model, num_tiles))
    return Result(image, {**record, "notes": list(told)}, told)


def _tile_notes(model: Model, num_tiles: int) -> tuple[str, ...]:
    """What the user should know of tiles that do not agree with the whole picture."""
    if num_tiles == 1 or not model.spec.blended:
        return ()
    return (f"{num_tiles} blended tiles, not exactly the whole picture's result: raise --memory for one piece",)
