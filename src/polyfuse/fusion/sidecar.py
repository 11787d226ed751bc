"""The record beside a result: where it lies, what is written, and whether it says that an earlier run made it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polyfuse.errors import InputError, OutputError, PolyfuseError
from polyfuse.io import write_text
from polyfuse.io.atomic import delete
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, file_sha256, read_bytes_of, shown

SIDECAR_SUFFIX = ".json"
RESULT = "result"
"""Under this name the sidecar holds size, time and hash of the file that it lies beside."""


def sidecar_path(path: Path) -> Path:
    """Where the record of the result at `path` lies."""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def write_sidecar(path: Path, record: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write the record of the result at `path`, which is complete, together with what the file is like.

    Args:
        path: The result.
        record: What made it.
        overwrite: Whether an earlier record may be replaced.

    Raises:
        OutputError: If it exists or cannot be written.
    """
    try:
        facts = path.stat()
        result = {"bytes": facts.st_size, "mtime_ns": facts.st_mtime_ns, "sha256": file_sha256(path)}
    except (OSError, InputError) as error:
        raise OutputError(f"{shown(path)} was removed or replaced while it was written: fuse it again") from error
    text = json.dumps({**record, RESULT: result}, indent=2, ensure_ascii=False) + "\n"
    write_text(sidecar_path(path), text, overwrite=overwrite)


def remove_sidecar(path: Path) -> None:
    """Delete the record of a result that was replaced by one without.

    Raises:
        OutputError: If it cannot be deleted.
    """
    delete(sidecar_path(path))


def earlier_record(
    path: Path, sources: Mapping[str, Path], made_by: Mapping[str, Any], *, verify: bool = False
) -> dict[str, Any] | None:
    """The sidecar of the result at `path`, if an earlier run made it in this way and nothing has changed since.

    A file that has the size and the time of the record is taken for unchanged; one of the same size and another time
    is, if its hash is that of the record. A record without size and time of the sources, as version 0.1.0 wrote it, is
    compared by their hashes; without those of the result, the caller has to look at the result.

    Args:
        path: The result.
        sources: Its sources by name, "a" and "b".
        made_by: The settings of this run.
        verify: Compare all hashes, whatever size and time are.

    Returns:
        The record; None if there is none or anything differs.
    """
    try:
        record: dict[str, Any] = parse_json(read_bytes_of(sidecar_path(path), MAX_RECORD, what="record"))
        if record["settings"] != json.loads(json.dumps(made_by)):
            return None
        for name, source in sources.items():
            facts = record["sources"][name]
            # Another path is another file: what it has in common with the one of the record is the content alone.
            if not _unchanged(source, facts, verify or facts["path"] != str(source)):
                return None
        if RESULT in record and not _unchanged(path, record[RESULT], verify):
            return None
    except (OSError, PolyfuseError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return record


def is_damaged(path: Path) -> bool:
    """Whether the sidecar of the result at `path` is there and says nothing that could be compared."""
    sidecar = sidecar_path(path)
    if not os.path.lexists(sidecar):
        return False
    try:
        record = parse_json(read_bytes_of(sidecar, MAX_RECORD, what="record"))
        facts = [record["settings"], *(record["sources"][name] for name in "ab")]
        return not all(isinstance(fact, dict) for fact in facts)
    except (OSError, PolyfuseError, ValueError, KeyError, TypeError, RecursionError):
        return True


def damage_note(paths: Sequence[Path]) -> str:
    """What is told of results whose sidecars are damaged; the first of them is named beside it."""
    if len(paths) == 1:
        return "its sidecar is damaged and says nothing, so it is fused again"
    return f"its sidecar is damaged and says nothing, as those of {len(paths) - 1} more, so they are fused again"


def _unchanged(path: Path, facts: Mapping[str, Any], verify: bool) -> bool:
    """Whether a file is what a record says of it."""
    now = os.stat(path)
    if facts.get("bytes", now.st_size) != now.st_size:
        return False
    if not verify and facts.get("mtime_ns") == now.st_mtime_ns:
        return True
    return bool(facts["sha256"] == file_sha256(path))
