"""The file of a move between volumes: the warp file of two pictures, with a 4x4 matrix and two geometries."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse._version import __version__
from polyfuse.alignment.files import MAX_FILE, SCHEMA
from polyfuse.alignment.warp import KINDS
from polyfuse.errors import InputError
from polyfuse.io import write_text
from polyfuse.io.documents import finite_number, number_or_none, parse_json, text, texts
from polyfuse.io.source import read_bytes_of, shown
from polyfuse.volumes.move import MODEL, Move, Shape

_NEEDED = ("schema", "model", "matrix", "shape_a", "affine_a", "shape_b", "affine_b")
_KNOWN = (*_NEEDED, "polyfuse", "found", "residual", "confidence", "sources", "details")


def to_json(move: Move) -> dict[str, Any]:
    """The document of a move, as plain JSON values."""
    return {
        "schema": SCHEMA,
        "polyfuse": __version__,
        "model": MODEL,
        "matrix": move.matrix.tolist(),
        "shape_a": list(move.shape_a),
        "affine_a": move.affine_a.tolist(),
        "shape_b": list(move.shape_b),
        "affine_b": move.affine_b.tolist(),
        "found": move.found,
        "residual": move.residual,
        "confidence": move.confidence,
        "sources": {"a": list(move.hashes_a), "b": list(move.hashes_b)},
        "details": dict(move.details),
    }


def from_json(values: object, name: str = "the move") -> Move:
    """The move of a document.

    Args:
        values: What `to_json` gave, or a file held.
        name: What messages call it.

    Raises:
        InputError: If anything is missing, unknown, or of another type or range, or it is a warp of pictures.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{name} is no move between volumes, it holds no table: register the volumes again")
    if values.get("model") in KINDS:
        raise InputError(f"{name} is a warp of pictures and these are volumes: register the volumes")
    missing = [key for key in _NEEDED if key not in values]
    if missing:
        raise InputError(f"{name} is no move between volumes, it lacks {', '.join(missing)}: register them again")
    unknown = [shown(str(key), most=40) for key in values if key not in _KNOWN]
    if unknown:
        raise InputError(f"{name} says {', '.join(unknown[:3])}, which no move has: correct it or make it again")
    if values["schema"] != SCHEMA or values["model"] != MODEL:
        kind = shown(f"{values['model']}, version {values['schema']}", most=60)
        raise InputError(f"{name} is a file of {kind}, and {MODEL}, version {SCHEMA} is read: make it again")
    sources, details = values.get("sources", {}), values.get("details", {})
    if not isinstance(sources, Mapping) or not set(sources) <= {"a", "b"}:
        raise InputError(f"{name}: sources must hold the hashes of a and b: correct it or make it again")
    if not isinstance(details, Mapping):
        raise InputError(f"{name}: details must be a table: correct it or make it again")
    try:
        return Move(
            _matrix(values["matrix"], "matrix", name),
            _shape(values["shape_a"], "shape_a", name),
            _matrix(values["affine_a"], "affine_a", name),
            _shape(values["shape_b"], "shape_b", name),
            _matrix(values["affine_b"], "affine_b", name),
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


def read_move(path: str | os.PathLike[str]) -> Move:
    """Read the file of a move.

    Raises:
        InputError: If it is missing, no JSON, or no move between volumes.
    """
    content = read_bytes_of(path, MAX_FILE, what="move file")
    try:
        values = parse_json(content)
    except ValueError as error:  # UnicodeDecodeError is one
        raise InputError(f"{shown(path)} is no move file, it holds no JSON: register the volumes again") from error
    return from_json(values, shown(path))


def write_move(path: str | os.PathLike[str], move: Move, *, overwrite: bool = False) -> Path:
    """Write the file of a move atomically.

    Raises:
        OutputError: If it exists or cannot be written.
    """
    content = json.dumps(to_json(move), indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(path, content + "\n", overwrite=overwrite)


def _matrix(value: object, key: str, name: str) -> NDArray[np.float64]:
    """Four rows of four numbers."""
    if not isinstance(value, list) or len(value) != 4 or not all(isinstance(r, list) and len(r) == 4 for r in value):
        raise InputError(f"{name}: {key} must be four rows of four numbers: correct it or make it again")
    return np.array([[finite_number(cell, key, name) for cell in row] for row in value])


def _shape(value: object, key: str, name: str) -> Shape:
    """Voxels of three sides."""
    if not isinstance(value, list) or len(value) != 3 or not all(type(side) is int for side in value):
        raise InputError(f"{name}: {key} must be the voxels of three sides: correct it or make it again")
    return value[0], value[1], value[2]
