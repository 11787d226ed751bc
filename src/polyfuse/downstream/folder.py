"""The folder of a comparison: whose it is, and the tables in it."""

from __future__ import annotations

import json
from pathlib import Path

from polyfuse.errors import InputError, OutputError
from polyfuse.io import write_text
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, read_bytes_of, shown

MARK = "comparison.json"
"""File that says which kind of comparison a folder is for; other folders are left alone."""


def claim(folder: Path, kind: str) -> None:
    """Make the folder of a comparison, or make sure that it is one of the same kind.

    Within it, tables and pictures of the same comparison are written anew; nothing is written into a folder that holds
    something else.

    Args:
        folder: Where; made if missing.
        kind: "segmentation", "detection" or "targets".

    Raises:
        OutputError: If it holds other files or another kind of comparison, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{shown(folder)} is a file: name a folder")
    if (folder / MARK).exists():
        try:
            known = parse_json(read_bytes_of(folder / MARK, MAX_RECORD, what="record"))["kind"]
        except (InputError, ValueError, KeyError, TypeError) as error:
            raise OutputError(f"{shown(folder / MARK)} is damaged: choose another --out") from error
        if known != kind:
            raise OutputError(f"{shown(folder)} holds a comparison of another kind, {known}: choose another --out")
        return
    if folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise OutputError(f"{shown(folder)} holds other files: choose a folder of its own with --out")
    write_text(folder / MARK, json.dumps({"schema": 1, "kind": kind}) + "\n")


def write_tables(folder: Path, *, markdown: str, csv: str, document: object) -> list[Path]:
    """Write the outcome as table.md, rows.csv and results.json.

    Raises:
        OutputError: If one cannot be written.
    """
    numbers = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    contents = {"table.md": markdown, "rows.csv": csv, "results.json": numbers}
    return [write_text(folder / name, text, overwrite=True) for name, text in contents.items()]
