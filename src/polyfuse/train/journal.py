"""The log of a run, and means over the steps between two lines of it.

A CSV file per stage and kind of line, and the same for TensorBoard where it is installed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyfuse.errors import OutputError
from polyfuse.io import write_text

KINDS = ("log", "val", "metrics", "monitors")
"""Training losses and norms, validation losses, metrics of validation pictures, readings of monitors."""
STATUS = " status"
"""End of the names of columns that hold a word."""


class Journal:
    """The log of a run.

    Args:
        folder: The run folder; files are `KIND-STAGE.csv`, TensorBoard's go to `tensorboard/`.
        first_step: Steps of all stages done before; lines of later steps, left by a run that was killed, are removed.
        active: Whether to write at all; of several processes one does.
    """

    def __init__(self, folder: Path, first_step: int, *, active: bool = True) -> None:
        self._folder, self._active, self._board = folder, active, None
        if not active:
            return
        for path in [file for kind in KINDS for file in folder.glob(f"{kind}-*.csv")]:
            _cut(path, first_step)
        self._board = _tensorboard(folder / "tensorboard", first_step)

    def write(self, kind: str, stage: str, step: int, values: Mapping[str, float | str]) -> None:
        """Append one line.

        Args:
            kind: One of `KINDS`.
            stage: Name of the stage.
            step: Steps of all stages done.
            values: Column and value, a word where the column's name ends in `STATUS`; the columns of a file must not
                change.

        Raises:
            OutputError: If the file cannot be written.
        """
        if not self._active:
            return
        path = self._folder / f"{kind}-{stage}.csv"
        is_new = not path.exists()
        try:
            with path.open("a", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                if is_new:
                    writer.writerow(["step", *values])
                writer.writerow([step, *(v if isinstance(v, str) else f"{v:.6g}" for v in values.values())])
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written ({error.strerror}): free some space, then go on with --resume."
            ) from error
        if self._board is not None:
            for name, value in values.items():
                if isinstance(value, str):
                    continue
                self._board.add_scalar(f"{kind}/{stage}/{name}", value, step)

    def close(self) -> None:
        """Finish TensorBoard's file."""
        if self._board is not None:
            self._board.close()


def read_log(path: Path) -> dict[str, list[float]]:
    """Columns of a log file that hold numbers; none where there is no file."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in (rows[0] if rows else {}) if not name.endswith(STATUS)]
    return {name: [float(row[name]) for row in rows] for name in names}


def _cut(path: Path, first_step: int) -> None:
    """Remove lines of steps after `first_step`, and a line that was written in part."""
    rows = list(csv.reader(path.read_text("utf-8").splitlines()))
    kept = [row for row in rows if row == rows[0] or (len(row) == len(rows[0]) and int(row[0]) <= first_step)]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(kept)
    write_text(path, buffer.getvalue(), overwrite=True)


def _tensorboard(folder: Path, first_step: int) -> Any:
    """TensorBoard's writer, or None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=first_step + 1)


class Means:
    """Sums of named numbers; the names do not change between two calls of `take`."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, values: Mapping[str, float]) -> None:
        """Add the numbers of one step."""
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in values.items()}
        self._count += 1

    def take(self) -> dict[str, float]:
        """The means over the steps since the last call."""
        means = {name: value / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means
