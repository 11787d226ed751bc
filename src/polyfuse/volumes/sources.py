"""The files that a volume given by its path is made of, and what tells that they are unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyfuse.errors import PolyfuseError
from polyfuse.fusion.sidecar import RESULT, sidecar_path
from polyfuse.io.documents import parse_json
from polyfuse.io.picture import Stamp
from polyfuse.io.source import MAX_RECORD, check_exists, read_bytes_of
from polyfuse.volumes.kinds import is_nifti


def files_of(path: Path) -> list[Path]:
    """The files at a path: a NIfTI file, those of a folder, or those beside a DICOM file.

    Raises:
        InputError: If there is nothing.
    """
    check_exists(path)
    if is_nifti(path) and not path.is_dir():
        return [path]
    folder = path if path.is_dir() else path.parent
    found = folder.rglob("*") if path.is_dir() else folder.iterdir()
    return sorted(file for file in found if file.is_file())


def stamp_of(path: Path) -> dict[str, Any]:
    """Where a source is, how many bytes its files have, and when the last of them was written to."""
    stamps = [Stamp.of(file) for file in files_of(path)]
    return {
        "given": str(path),
        "bytes": sum(stamp.num_bytes for stamp in stamps),
        "mtime_ns": max(stamp.mtime_ns for stamp in stamps),
    }


def made_before(recorded: Path, sources: Mapping[str, Path], made_by: Mapping[str, Any]) -> bool:
    """Whether an earlier run made a result from these sources in this way, and sizes and times are still the same.

    Args:
        recorded: The file beside which the record lies.
        sources: Their paths by name, "a" and "b".
        made_by: The settings of this run.
    """
    try:
        record = parse_json(read_bytes_of(sidecar_path(recorded), MAX_RECORD, what="record"))
        if record["settings"] != json.loads(json.dumps(made_by)):
            return False
        for name, path in sources.items():
            facts, now = record["sources"][name], stamp_of(path)
            if any(facts[word] != now[word] for word in ("bytes", "mtime_ns")):
                return False
            if facts.get("given", str(path)) != str(path):
                return False
        stamp, result = Stamp.of(recorded), record[RESULT]
        return bool((stamp.num_bytes, stamp.mtime_ns) == (result["bytes"], result["mtime_ns"]))
    except (OSError, PolyfuseError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
