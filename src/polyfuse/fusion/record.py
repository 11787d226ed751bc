"""The record of one fusion, which becomes the sidecar: enough to make the picture again."""

from __future__ import annotations

import datetime
import platform
from typing import Any

import numpy as np

from polyfuse._version import __version__
from polyfuse.alignment.apply import applied
from polyfuse.engines import ExportedModel
from polyfuse.fusion.conventions import Conventions
from polyfuse.fusion.models import Model
from polyfuse.fusion.options import FuseOptions
from polyfuse.io import Picture

SCHEMA = 1
_LIMITS = ("tile", "memory", "max_pixels", "strict")
"""Options that change how a result is computed, not what it is; the record leaves them out."""


def make_record(
    a: Picture,
    b: Picture,
    model: Model,
    conventions: Conventions,
    options: FuseOptions,
    *,
    num_tiles: int,
    seconds: float,
    run: dict[str, Any],
) -> dict[str, Any]:
    """Return the record as plain JSON values; `run` is what the runner says of itself."""
    return {
        "schema": SCHEMA,
        "polyfuse": __version__,
        "sources": {"a": _source(a), "b": _source(b)},
        "settings": settings(model, options),
        **conventions.to_json(),
        **({} if options.warp is None else {"warp": applied(options.aligning, options.frame)}),
        "run": {
            "tiles": num_tiles,
            "exact": num_tiles == 1 or not model.spec.blended,
            "seconds": round(seconds, 4),
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **run,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def settings(model: Model, options: FuseOptions) -> dict[str, Any]:
    """Model and options: together with the sources they determine the result."""
    provenance = model.provenance
    exported: dict[str, Any] = {}
    if isinstance(model, ExportedModel):
        config = model.description.config
        exported = {"engine": model.engine, "exported_sha256": model.sha256}
    else:
        own = getattr(model, "config", None)
        config = None if own is None else own.to_json()
    return {
        "model": provenance.name,
        "family": model.spec.family,
        "weights_sha256": provenance.weights_sha256,
        "weights_source": provenance.source,
        "precision": model.precision or "float32",
        "config": config,
        **exported,
        "options": {name: value for name, value in options.to_json().items() if name not in _LIMITS},
    }


def _source(picture: Picture) -> dict[str, Any]:
    """The facts of one source as it was read."""
    return {
        "path": None if picture.path is None else str(picture.path),
        "sha256": picture.sha256,
        "bytes": None if picture.stamp is None else picture.stamp.num_bytes,
        "mtime_ns": None if picture.stamp is None else picture.stamp.mtime_ns,
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "channels": 1 if picture.is_grey else 3,
        "dtype": picture.array.dtype.name,
        "notes": list(picture.notes),
    }
