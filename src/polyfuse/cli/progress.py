"""What a verb says while it works: notes, failures, finished results and, on a terminal, a bar with the time left."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

from polyfuse.cli.output import print_path, visible
from polyfuse.errors import PolyfuseError

if TYPE_CHECKING:
    from polyfuse.fusion import Outcome


class Teller:
    """One line per result on stdout, and on stderr per note and per failure unless told at the end.

    A note is said once, whatever the numbers in it; how many more had it with other numbers is said at the end.

    Args:
        say: Prints one line, or nothing.
        tell_failures: Whether a failure gets its line at once.
    """

    def __init__(self, say: Callable[[str], None], *, tell_failures: bool) -> None:
        self._say, self._tell_failures = say, tell_failures
        self._told: dict[str, str] = {}
        self._more = Counter[str]()

    def __enter__(self) -> Teller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell_more()

    def outcome(self, outcome: Outcome) -> None:
        """Tell what became of a pair that was fused."""
        self.done(outcome.pair.name, outcome.notes, outcome.error)

    def done(
        self, name: str, notes: Iterable[str] = (), error: PolyfuseError | None = None, *, advance: int = 1
    ) -> None:
        """Tell what became of something, and that it counts for `advance` of the total."""
        for note in notes:
            kind = re.sub(r"\d+(\.\d+)?", "0", note)
            if kind not in self._told:
                self._told[kind] = note
                self._line(f"{name}: {note}")
            elif note != self._told[kind]:
                self._more[kind] += 1
        if error is not None and self._tell_failures:
            self._line(f"{name}: {error}", failure=True)

    def _tell_more(self) -> None:
        """Say how many had a note with other numbers in it."""
        for kind, number in self._more.items():
            first = " ".join(self._told[kind].split()[:4])
            self._line(f'{number} more have the note "{first} ..." with other numbers.')

    def result(self, path: Path | str) -> None:
        """Print the path of a finished result on stdout."""
        print_path(path)

    def _line(self, text: str, *, failure: bool = False) -> None:
        """Print a line on stderr; failures are told whatever `say` does."""
        if failure:
            click.echo(visible(text), err=True)
        else:
            self._say(text)

    def note(self, text: str) -> None:
        """Say something at once."""
        self._line(text)

    def tile(self, done: int, total: int) -> None:
        """Take note of a finished tile of the pair that is being fused."""

    def frame(self, done: int, total: int) -> None:
        """Take note of a finished frame of a clip; `total` is 0 if not known."""


class Bar(Teller):
    """The same above a progress bar: how many are done, time left, speed; of a single pair the share of its tiles.

    Args:
        total: How many there are; 0 if not known.
        say: As for `Teller`.
        tell_failures: As for `Teller`.
        unit: What is counted, one of it.
    """

    def __init__(self, total: int, say: Callable[[str], None], *, tell_failures: bool, unit: str = "pair") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        super().__init__(say, tell_failures=tell_failures)
        self._total, self._unit, self._num_done, self._started = total, unit, 0, time.monotonic()
        columns = (
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        # click writes past what rich would put in place of stdout and stderr, so lines go above the bar by hand.
        self._progress = Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._task = self._progress.add_task("", total=total or None, text="")

    def __enter__(self) -> Teller:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._tell_more()

    def done(
        self, name: str, notes: Iterable[str] = (), error: PolyfuseError | None = None, *, advance: int = 1
    ) -> None:
        """Tell what became of something and move on."""
        super().done(name, notes, error)
        self._num_done += advance
        self._show()

    def result(self, path: Path | str) -> None:
        """Print the path on stdout, above the bar where both are on one terminal."""
        if _on_one_terminal():
            self._line(str(path))
        else:
            super().result(path)

    def _line(self, text: str, *, failure: bool = False) -> None:
        """Print a line above the bar."""
        self._progress.console.out(visible(text), highlight=False)

    def frame(self, done: int, total: int) -> None:
        """Show how far a clip is."""
        self._num_done, self._total = done, max(done, total) if total else 0
        self._show()

    def _show(self) -> None:
        """Bring the bar up to date."""
        speed = self._num_done / max(time.monotonic() - self._started, 1e-9)
        of_what = f"{self._num_done} of {self._total}" if self._total else f"{self._num_done}"
        ending = "" if (self._total or self._num_done) == 1 else "s"
        text = f"{of_what} {self._unit}{ending}, {speed:.2f} {self._unit}s/s"
        self._progress.update(self._task, total=self._total or None, completed=self._num_done, text=text)

    def tile(self, done: int, total: int) -> None:
        """Show the tiles of a single pair; among many pairs they are not worth a word."""
        if self._total == 1 and total > 1:
            self._progress.update(self._task, completed=done / total, text=f"{done} of {total} tiles")


def _on_one_terminal() -> bool:
    """Whether stdout and stderr are the same terminal."""
    try:
        return sys.stdout.isatty() and os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):  # a stream that is closed, or none of the system's
        return False


def progress(total: int, say: Callable[[str], None], *, tell_failures: bool, quiet: bool, unit: str = "pair") -> Teller:
    """Return the bar on a terminal, else the lines alone."""
    if quiet or not sys.stderr.isatty():
        return Teller(say, tell_failures=tell_failures)
    return Bar(total, say, tell_failures=tell_failures, unit=unit)
