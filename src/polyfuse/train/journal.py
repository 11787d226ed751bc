"""The log of a run, and means over the steps between two lines of it.

A CSV file per stage and kind of line, and the same for TensorBoard where it is installed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from polyfuse.errors import OutputError
from polyfuse.io import write_text

KINDS = ("log", "val", "metrics", "monitors")
"""Training losses and norms, validation losses, metrics of validation pictures, readings of monitors."""
PASSES = ("val", "metrics")
"""Kinds whose lines come from passes over validation pictures, which can be interrupted."""
STATUS = " status"
"""End of the names of columns that hold a word."""


class Journal:
    """The log of a run.

    Args:
        folder: The run folder; files are `KIND-STAGE.csv`, TensorBoard's go to `tensorboard/`.
        first_step: Steps of all stages done before; lines of later steps, left by a run that was killed, are removed.
        active: Whether to write at all; of several processes one does.
        passes_due: Whether the passes of `first_step` are made anew: their lines of that step are removed too.
        note: Gets one line for a file that is damaged.
    """

    def __init__(
        self,
        folder: Path,
        first_step: int,
        *,
        active: bool = True,
        passes_due: bool = False,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._folder, self._active, self._board = folder, active, None
        if not active:
            return
        for kind in KINDS:
            for path in folder.glob(f"{kind}-*.csv"):
                _cut(path, first_step - (passes_due and kind in PASSES), note)
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
    header, rows = _rows(path)
    places = [place for place, name in enumerate(header) if not name.endswith(STATUS)] if rows else []
    return {header[place]: [float(row[place]) for row in rows] for place in places}


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and whole lines of a log file; a line that was cut or damaged is left out."""
    lines = path.read_text("utf-8", errors="replace").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n") and "\0" not in line]
    try:
        header, *rows = csv.reader(whole, quoting=csv.QUOTE_NONE) if whole and lines[0] is whole[0] else [[]]
    except csv.Error:  # a cell of more than 128 KiB
        return [], []
    return (header, [row for row in rows if _is_whole(row, header)]) if header[:1] == ["step"] else ([], [])


def _is_whole(row: list[str], header: list[str]) -> bool:
    """Whether a line has a number in every column that holds numbers, the step a whole one."""
    try:
        int(row[0])
        for name, cell in zip(header, row, strict=True):
            if not name.endswith(STATUS):
                float(cell)
    except (ValueError, IndexError):
        return False
    return True


def _cut(path: Path, first_step: int, note: Callable[[str], None]) -> None:
    """Remove lines of steps after `first_step`, and lines that are damaged; a file without a header begins anew."""
    header, rows = _rows(path)
    if not header:
        note(f"{path} is damaged and begins anew.")
        path.unlink()
        return
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *(row for row in rows if int(row[0]) <= first_step)])
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
