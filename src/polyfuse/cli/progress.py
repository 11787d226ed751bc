"""What `polyfuse fuse` says on stderr while it works: notes, failures and, on a terminal, a bar with the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from polyfuse.fusion import Outcome


class Teller:
    """One line per note, each said once, and one per failure where they are not all told at the end.

    Args:
        say: Prints one line, or nothing.
        tell_failures: Whether a failure gets its line at once.
    """

    def __init__(self, say: Callable[[str], None], *, tell_failures: bool) -> None:
        self._say, self._tell_failures, self._told = say, tell_failures, set[str]()

    def __enter__(self) -> Teller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def outcome(self, outcome: Outcome) -> None:
        """Tell what became of a pair."""
        for note in outcome.notes:
            if note not in self._told:
                self._told.add(note)
                self._say(f"{outcome.pair.name}: {note}")
        if outcome.error is not None and self._tell_failures:
            click.echo(f"{outcome.pair.name}: {outcome.error}", err=True)

    def tile(self, done: int, total: int) -> None:
        """Take note of a finished tile of the pair that is being fused."""


class Bar(Teller):
    """The same below a progress bar: pairs done, time left, speed; of a single pair the share of its tiles.

    Args:
        num_pairs: How many pairs there are.
        say: As for `Teller`.
        tell_failures: As for `Teller`.
    """

    def __init__(self, num_pairs: int, say: Callable[[str], None], *, tell_failures: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        super().__init__(say, tell_failures=tell_failures)
        self._num_pairs, self._num_done, self._started = num_pairs, 0, time.monotonic()
        columns = (
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("fusing", total=num_pairs, text="")

    def __enter__(self) -> Teller:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def outcome(self, outcome: Outcome) -> None:
        """Tell what became of a pair and move on."""
        super().outcome(outcome)
        self._num_done += 1
        speed = self._num_done / max(time.monotonic() - self._started, 1e-9)
        text = f"{self._num_done} of {self._num_pairs} pairs, {speed:.2f} pairs/s"
        self._progress.update(self._task, completed=self._num_done, text=text)

    def tile(self, done: int, total: int) -> None:
        """Show the tiles of a single pair; among many pairs they are not worth a word."""
        if self._num_pairs == 1 and total > 1:
            self._progress.update(self._task, completed=done / total, text=f"{done} of {total} tiles")


def progress(num_pairs: int, say: Callable[[str], None], *, tell_failures: bool, quiet: bool) -> Teller:
    """Return the bar on a terminal, else the lines alone."""
    if quiet or not sys.stderr.isatty():
        return Teller(say, tell_failures=tell_failures)
    return Bar(num_pairs, say, tell_failures=tell_failures)
