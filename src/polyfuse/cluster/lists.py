"""Lists of pairs in which addresses stand, or which lie at one."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from polyfuse.cluster.mirror import Mirror, is_address
from polyfuse.errors import InputError
from polyfuse.io import write_text
from polyfuse.io.pairs import csv_rows
from polyfuse.io.source import shown


def mirrored_list(path: Path, mirror: Mirror) -> Path:
    """The list with paths where it has addresses; the list itself, if it has none and lies on this machine.

    That the files at addresses are there is not looked at: who fetches one that is missing says so.

    Args:
        path: A CSV file of pairs; may stand for an address.
        mirror: Gets an empty file for each address.

    Raises:
        InputError: If it is no list of pairs.
    """
    remote = mirror.address(path) is not None
    if remote and not mirror.fetch(path):
        raise InputError(f"{shown(mirror.told(path))} does not exist: check the address")
    rows = [row for _, row in csv_rows(path)]
    if not remote and not any(is_address(cell) for row in rows for cell in row[:2]):
        return path
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["a", "b", "name"])
    for row in rows:
        files = [mirror.place(cell) if is_address(cell) else path.parent / cell for cell in row[:2]]
        for file in files:
            if mirror.address(file) is not None:
                mirror.place(mirror.told(file))  # refuses what leads upwards
                mirror.stand_in(file)
        writer.writerow([*(file.absolute() for file in files), row[2] if len(row) == 3 else ""])
    rewritten = path if remote else mirror.folder / "file" / path.absolute().relative_to(path.absolute().anchor)
    return write_text(rewritten, text.getvalue(), overwrite=True)
