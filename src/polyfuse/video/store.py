"""Files that hold arrays and some JSON values, and are either complete or not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from polyfuse.errors import InputError
from polyfuse.io import atomic_path
from polyfuse.io.documents import parse_json
from polyfuse.io.source import open_source, read_bytes_of
from polyfuse.video.temporal import State

SUFFIX = ".safetensors"
_KEY = "polyfuse"
_HEADER_BYTES = 8
_MAX_BYTES = 1 << 33


def write_store(path: Path, arrays: State, words: dict[str, Any], *, called: Path) -> None:
    """Write a file of arrays, replacing an earlier one.

    Args:
        path: The file.
        arrays: By name.
        words: Plain JSON values.
        called: The file that messages of failure name.

    Raises:
        OutputError: If it cannot be written.
    """
    data = save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        {_KEY: json.dumps(words, sort_keys=True)},
    )
    with atomic_path(path, overwrite=True, called=called) as temporary:
        temporary.write_bytes(data)


def read_words(path: Path) -> dict[str, Any] | None:
    """The JSON values of a file by `write_store`; None if it is missing or no such file."""
    try:
        with open_source(path, what="state") as file:
            length = int.from_bytes(file.read(_HEADER_BYTES), "little")
            header = file.read(min(length, path.stat().st_size))
        words = parse_json(parse_json(header)["__metadata__"][_KEY])
    except (InputError, RecursionError, ValueError, KeyError, TypeError):
        return None
    return words if isinstance(words, dict) else None


def read_progress(path: Path) -> dict[str, Any] | None:
    """The values of a file that says how far a run was: its "fingerprint", "frames" and perhaps an "end".

    None if it is missing, no such file, or lacks one of them.
    """
    words = read_words(path)
    if words is None or "fingerprint" not in words:
        return None
    whole = type(words.get("frames")) is int and words["frames"] >= 0 and type(words.get("end", 0)) is int
    return words if whole else None


def read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of such a file; None if it is damaged or missing."""
    try:
        return load(read_bytes_of(path, _MAX_BYTES, what="state"))
    except (InputError, SafetensorError, KeyError, TypeError, ValueError):
        return None
