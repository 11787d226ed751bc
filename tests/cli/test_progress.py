"""The progress bar: a single large pair shows its tiles, many pairs their number."""

import io
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from polyfuse.cli.output import print_path, speaker
from polyfuse.cli.progress import Bar, Teller, progress
from polyfuse.errors import InputError
from polyfuse.fusion import Outcome
from polyfuse.io import Pair

# What of the terminal's size and codes does not matter is taken out; a bar is drawn after every line.
SHOWS_BAR = """
import sys
from pathlib import Path
from polyfuse.cli.progress import progress
with progress(3, lambda text: print(text, file=sys.stderr), tell_failures=True, quiet=False) as shown:
    for number in range(3):
        shown.done(str(number), [f"note {'abc'[number]}"])
        shown.result(Path(f"out/{number}.png"))
        shown._progress.refresh()
"""


def on_terminal(stdout: int | None) -> tuple[list[str], str]:
    """Run SHOWS_BAR with stderr on a terminal; its lines as the terminal would show them, and what stdout got.

    Args:
        stdout: None for the same terminal, or subprocess.PIPE.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SHOWS_BAR],
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    ) as process:
        os.close(theirs)
        piped = process.stdout.read() if process.stdout else ""
        written = b""
        with suppress(OSError):  # the end of a terminal is an error
            while part := os.read(ours, 65536):
                written += part
    os.close(ours)
    assert process.returncode == 0
    # A line is erased (2K) before the next is written in its place.
    lines = [line.split("\x1b[2K")[-1] for line in written.decode().replace("\r\n", "\n").split("\n")]
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line) for line in lines], piped


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def outcome(notes: tuple[str, ...] = ()) -> Outcome:
    return Outcome(Pair("1", Path("a"), Path("b")), Path("1.png"), "fused", notes=notes)


def shown(num_pairs: int) -> tuple[Bar, str]:
    """A bar on a terminal, and what its task says after half the tiles and one outcome."""
    bar = Bar(num_pairs, lambda text: None, tell_failures=False)
    bar.tile(1, 2)
    task = bar._progress.tasks[0]
    return bar, f"{task.completed:g} {task.fields['text']}"


def test_single_pair_shows_its_tiles() -> None:
    assert shown(1)[1] == "0.5 1 of 2 tiles"


@pytest.mark.parametrize(
    ("total", "unit", "text"),
    [(1, "pair", "1 of 1 pair"), (3, "picture", "1 of 3 pictures"), (0, "frame", "1 frame")],
)
def test_bar_counts_one_and_many(total: int, unit: str, text: str) -> None:
    bar = Bar(total, lambda line: None, tell_failures=False, unit=unit)
    bar.done("1")
    assert bar._progress.tasks[0].fields["text"].split(",")[0] == text


def test_many_pairs_show_no_tiles() -> None:
    assert shown(4)[1] == "0 "


def test_many_pairs_show_their_number() -> None:
    bar, _ = shown(4)
    bar.outcome(outcome())
    task = bar._progress.tasks[0]
    assert (task.completed, task.fields["text"].split(",")[0]) == (1, "1 of 4 pairs")


@pytest.mark.parametrize(("quiet", "kind"), [(False, Bar), (True, Teller)])
def test_quiet_means_no_bar_on_a_terminal(quiet: bool, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    assert type(progress(3, lambda text: None, tell_failures=False, quiet=quiet)) is kind


def test_note_with_other_numbers_is_counted_and_told_once() -> None:
    told: list[str] = []
    with Teller(told.append, tell_failures=False) as teller:
        for name, note in (("1", "black is 21.5 here"), ("2", "black is 7 here"), ("3", "black is 8 here"), ("4", "b")):
            teller.done(name, [note])
    assert told == [
        "1: black is 21.5 here",
        "4: b",
        '2 more have the note "black is 21.5 here ..." with other numbers.',
    ]


def test_note_of_many_pairs_is_told_once() -> None:
    told: list[str] = []
    teller = Teller(told.append, tell_failures=False)
    teller.outcome(outcome(("16 bits",)))
    teller.outcome(outcome(("16 bits",)))
    assert told == ["1: 16 bits"]


def test_names_with_escape_codes_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(speaker(False), tell_failures=True)
    teller.done("\x1b[2J\r1", ["a note\x07"], InputError("\x1b]0;title\x07 is damaged"))
    assert capsys.readouterr().err.splitlines() == [
        r"\x1b[2J\r1: a note\x07",
        r"\x1b[2J\r1: \x1b]0;title\x07 is damaged",
    ]


def test_paths_go_to_a_program_as_they_are_and_to_a_terminal_without_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, expected in ((io.StringIO(), "\x1b[2J.png\n"), (Terminal(), "\\x1b[2J.png\n")):
        monkeypatch.setattr("sys.stdout", stream)
        print_path(Path("\x1b[2J.png"))
        assert stream.getvalue() == expected


def test_result_is_a_line_of_its_own_above_the_bar() -> None:
    lines, _ = on_terminal(None)
    assert [line for line in lines if ".png" in line] == [f"out/{number}.png" for number in range(3)]
    assert [line for line in lines if "note" in line] == [f"{number}: note {'abc'[number]}" for number in range(3)]
    assert any("3 of 3 pairs" in line for line in lines)


def test_result_goes_to_stdout_alone_where_that_is_piped() -> None:
    lines, piped = on_terminal(subprocess.PIPE)
    assert piped == "out/0.png\nout/1.png\nout/2.png\n"
    assert not any(".png" in line for line in lines)
