"""The guards of the fuzz tell what they are there to tell: a fuzz that cannot fail is none."""

import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from polyfuse.errors import InputError
from tests.fuzz.engine import guard
from tests.fuzz.engine.guard import watched
from tests.fuzz.engine.running import SEED, Corpus, told


def refuse(message: str) -> Callable[[], bool]:
    def read() -> bool:
        raise InputError(message)

    return read


def warn() -> bool:
    warnings.warn("something odd", stacklevel=1)
    return True


def spin() -> bool:
    while time.process_time() >= 0:
        try:
            sum(range(1000))
        except Exception:
            return False
    return True


def ask_for_too_much() -> bool:
    try:
        return bool(bytearray(guard.ADDRESS_BYTES + 2**30))
    except MemoryError as error:
        raise InputError("it does not fit into memory: give a smaller one") from error


def hold_much() -> bool:
    return len(bytearray(b"\1") * (64 << 20)) > 0


def test_what_is_read_or_refused_in_one_line_has_no_problem() -> None:
    assert (watched(lambda: True).state, watched(lambda: False).state) == ("read", "passed over")
    seen = watched(refuse("x is damaged: get it again"))
    assert (seen.state, seen.problems) == ("refused", [])


@pytest.mark.parametrize(
    ("read", "problem"),
    [
        (lambda: int("x") > 0, "ValueError: invalid literal"),
        (refuse("two\nlines: do it"), "a message of 2 lines"),
        (refuse("a\x85b: do it"), "a message of 2 lines"),
        (refuse("damaged"), "does not say what to do"),
        (refuse(f"{'x' * 9999}: do it"), "characters"),
        (warn, "warned UserWarning: something odd"),
        (lambda: os.write(2, b"libx: oops\n") > 0, "printed 'libx: oops"),
        (lambda: print("hello") is None, "printed 'hello"),
        (lambda: sys.stderr.write("oops") > 0, "printed 'oops'"),
        pytest.param(
            ask_for_too_much,
            "more memory than there was",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="/proc"),
        ),
        pytest.param(hold_much, "MB", marks=pytest.mark.skipif(sys.platform != "linux", reason="/proc")),
    ],
)
def test_everything_else_is_told(read: Callable[[], bool], problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MEGABYTES", 32)
    assert any(problem in line for line in watched(read).problems), watched(read).problems


def test_a_reader_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SECONDS", 0.05)
    assert watched(spin).problems == ["took more than 0.05 s"]


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: Path(path).write_bytes(b""), "changed x.pack"),
        (lambda path: Path(path).unlink(), "removed x.pack"),
        (lambda path: Path(".polyfuse-1.png").write_bytes(b""), "left .polyfuse-1.png"),
        (lambda path: Path("result.png").write_bytes(b"") and False, "wrote result.png"),
    ],
)
def test_files_that_are_changed_or_left_are_told(corpus: Corpus, spoil: Callable[[str], object], problem: str) -> None:
    case = corpus.case(SEED, "pack", 0)

    def read(path: str, rng: Random) -> bool:
        spoil(path)
        raise InputError("it is damaged: get it again")

    spoiled = replace(case, file=replace(case.file, read=read))
    seen = corpus.run(spoiled)
    assert seen.problems == [problem]
    assert corpus.run(case).problems == []
    assert f'case "pack" 0 --seed {SEED}' in told(spoiled, seen)
