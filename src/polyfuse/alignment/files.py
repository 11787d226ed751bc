"""The warp file: one small JSON document, read strictly and written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polyfuse._version import __version__
from polyfuse.alignment.flow import Flow
from polyfuse.alignment.warp import Warp
from polyfuse.errors import InputError
from polyfuse.io import write_text
from polyfuse.io.documents import finite_number, number_or_none, parse_json, text, texts
from polyfuse.io.source import read_bytes_of, shown

OF_VOLUMES = "rigid-3d"
"""The model of a file that moves volumes: `polyfuse.volumes.move_files` reads it."""
SCHEMA = 1
"""Version of the document."""
MAX_FILE = 1 << 24
"""Largest warp file that is read, bytes; one with the hashes of ten thousand frames has two million."""
_GEOMETRY = ("model", "matrix", "radial_a", "radial_b", "size_a", "size_b", "flow")
_NEEDED = ("schema", "model", "matrix", "size_a", "size_b")
_KNOWN = (*_NEEDED, "polyfuse", "radial_a", "radial_b", "flow", "found", "residual", "confidence", "sources", "details")


def to_json(warp: Warp) -> dict[str, Any]:
    """The document of a warp, as plain JSON values."""
    return {
        "schema": SCHEMA,
        "polyfuse": __version__,
        "model": warp.kind,
        "matrix": warp.matrix.tolist(),
        "radial_a": warp.radial_a,
        "radial_b": warp.radial_b,
        "size_a": list(warp.size_a),
        "size_b": list(warp.size_b),
        **({} if warp.flow is None else {"flow": _flow_to_json(warp.flow)}),
        "found": warp.found,
        "residual": warp.residual,
        "confidence": warp.confidence,
        "sources": {"a": list(warp.hashes_a), "b": list(warp.hashes_b)},
        "details": dict(warp.details),
    }


def geometry(warp: Warp) -> dict[str, Any]:
    """The part of the document that decides where pixels go."""
    return {key: value for key, value in to_json(warp).items() if key in _GEOMETRY}


def from_json(values: object, name: str = "the warp") -> Warp:
    """The warp of a document.

    Args:
        values: What `to_json` gave, or a file held.
        name: What messages call it.

    Raises:
        InputError: If anything is missing, unknown, or of another type or range.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{name} is no warp file, it holds no table: make one with `polyfuse align`")
    if values.get("model") == OF_VOLUMES:
        raise InputError(f"{name} is a move between volumes and these are pictures: make a warp with `polyfuse align`")
    missing = [key for key in _NEEDED if key not in values]
    if missing:
        raise InputError(f"{name} is no warp file, it lacks {', '.join(missing)}: make one with `polyfuse align`")
    unknown = [shown(str(key), most=40) for key in values if key not in _KNOWN]
    if unknown:
        raise InputError(f"{name} says {', '.join(unknown[:3])}, which no warp has: correct it or make it again")
    if values["schema"] != SCHEMA:
        schema = shown(str(values["schema"]), most=40)
        raise InputError(f"{name} is a warp file of version {schema} and {SCHEMA} is read: make it again")
    sources = values.get("sources", {})
    if not isinstance(sources, Mapping) or not set(sources) <= {"a", "b"}:
        raise InputError(f"{name}: sources must hold the hashes of a and b: correct it or make it again")
    details = values.get("details", {})
    if not isinstance(details, Mapping):
        raise InputError(f"{name}: details must be a table: correct it or make it again")
    try:
        size_b = _size(values["size_b"], "size_b", name)
        return Warp(
            np.array([[finite_number(cell, "matrix", name) for cell in row] for row in _rows(values["matrix"], name)]),
            _size(values["size_a"], "size_a", name),
            size_b,
            values["model"] if isinstance(values["model"], str) else "?",  # type: ignore[arg-type]  # it is checked
            finite_number(values.get("radial_a", 0.0), "radial_a", name),
            finite_number(values.get("radial_b", 0.0), "radial_b", name),
            flow=_flow(values["flow"], size_b, name) if "flow" in values else None,
            found=text(values.get("found", "given"), "found", name),
            residual=number_or_none(values.get("residual"), "residual", name),
            confidence=number_or_none(values.get("confidence"), "confidence", name),
            hashes_a=texts(sources.get("a", []), "sources.a", name),
            hashes_b=texts(sources.get("b", []), "sources.b", name),
            details=dict(details),
        )
    except InputError as error:
        said = str(error)
        raise error if said.startswith(name) else InputError(f"{name} cannot be used, {said}") from error


def read_warp(path: str | os.PathLike[str]) -> Warp:
    """Read a warp file.

    Raises:
        InputError: If it is missing, no JSON, or no warp.
    """
    content = read_bytes_of(path, MAX_FILE, what="warp file")
    try:
        values = parse_json(content)
    except ValueError as error:  # UnicodeDecodeError is one
        raise InputError(f"{shown(path)} is no warp file, it holds no JSON: make one with `polyfuse align`") from error
    return from_json(values, shown(path))


def write_warp(path: str | os.PathLike[str], warp: Warp, *, overwrite: bool = False) -> Path:
    """Write a warp file atomically.

    Raises:
        OutputError: If it exists or cannot be written.
    """
    content = json.dumps(to_json(warp), indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(path, content + "\n", overwrite=overwrite)


def _flow_to_json(flow: Flow) -> dict[str, Any]:
    """The control points of a flow: rows of shifts to the right, and downwards."""
    return {axis: flow.controls[..., index].tolist() for index, axis in enumerate("xy")}


def _flow(value: object, size: tuple[int, int], name: str) -> Flow:
    """The flow of two tables of one size."""
    if not isinstance(value, Mapping) or set(value) != {"x", "y"}:
        raise InputError(f"{name}: flow must hold rows of x and of y: correct it or make it again")
    tables = []
    for axis in "xy":
        rows = value[axis]
        if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
            raise InputError(f"{name}: flow.{axis} must be rows of one length: correct it or make it again")
        tables.append([[finite_number(cell, f"flow.{axis}", name) for cell in row] for row in rows])
    if np.shape(tables[0]) != np.shape(tables[1]) or np.ndim(tables[0]) != 2:
        raise InputError(f"{name}: flow must have as many rows and columns of x as of y: correct it or make it again")
    return Flow(np.stack([np.array(table, np.float64) for table in tables], axis=-1), size)


def _rows(value: object, name: str) -> list[list[Any]]:
    """The three rows of a matrix."""
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(r, list) and len(r) == 3 for r in value):
        raise InputError(f"{name}: matrix must be three rows of three numbers: correct it or make it again")
    return value


def _size(value: object, key: str, name: str) -> tuple[int, int]:
    """Width and height."""
    if not isinstance(value, list) or len(value) != 2 or not all(type(side) is int for side in value):
        raise InputError(f"{name}: {key} must be width and height: correct it or make it again")
    return value[0], value[1]
