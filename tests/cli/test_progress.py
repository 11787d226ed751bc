"""The progress bar: a single large pair shows its tiles, many pairs their number."""

import io
from pathlib import Path

import pytest

from polyfuse.cli.output import print_path, speaker
from polyfuse.cli.progress import Bar, Teller, progress
from polyfuse.errors import InputError
from polyfuse.fusion import Outcome
from polyfuse.io import Pair


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
