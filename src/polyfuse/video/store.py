"""Files that hold arrays and some JSON values, and are either complete or not there."""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from polyfuse.errors import InputError
from polyfuse.io import atomic_path
from polyfuse.io.documents import parse_json
from polyfuse.io.source import open_source, read_bytes_of
from polyfuse.video.temporal import State

SUFFIX = ".safetensors"
_KEY, _HASH = "polyfuse", "sha256"
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
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    data = save(plain, {_KEY: json.dumps({**words, _HASH: _sha256(plain)}, sort_keys=True)})
    with atomic_path(path, overwrite=True, called=called) as temporary:
        temporary.write_bytes(data)


def read_words(path: Path) -> dict[str, Any] | None:
    """The JSON values of a file by `write_store`; None if it is missing or no such file."""
    try:
        with open_source(path, what="state") as file:
            words = _words(file, path.stat().st_size)
    except (InputError, ValueError, KeyError, TypeError):
        return None
    words.pop(_HASH, None)
    return words


def _words(file: BinaryIO, num_bytes: int) -> dict[str, Any]:
    """The JSON values in the header of an open file.

    Raises:
        ValueError, KeyError or TypeError: If it has no such header.
    """
    length = int.from_bytes(file.read(_HEADER_BYTES), "little")
    words = parse_json(parse_json(file.read(min(length, num_bytes)))["__metadata__"][_KEY])
    if not isinstance(words, dict):
        raise TypeError("no table")
    return words


def _sha256(arrays: State) -> str:
    """SHA-256 over name, type, shape and values of all arrays."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def read_progress(path: Path) -> dict[str, Any] | None:
    """The values of a file that says how far a run was: its "fingerprint", "frames" and perhaps an "end".

    None if it is missing, no such file, or lacks one of them.
    """
    words = read_words(path)
    if words is None or "fingerprint" not in words:
        return None
    whole = type(words.get("frames")) is int and words["frames"] >= 0 and type(words.get("end", 0)) is int
    return words if whole else None


def read_arrays(path: Path) -> State | None:
    """The arrays of such a file; None if it is damaged, which their hash tells, or missing."""
    try:
        content = read_bytes_of(path, _MAX_BYTES, what="state")
        arrays: State = load(content)
        return arrays if _words(BytesIO(content), len(content))[_HASH] == _sha256(arrays) else None
    except (InputError, SafetensorError, KeyError, TypeError, ValueError):
        return None
