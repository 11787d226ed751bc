"""A command without arguments shows its help, and a verb that is not there names the nearest."""

from collections.abc import Callable
from typing import Any

import pytest

from polyfuse.cli import VERBS

Runner = Callable[..., Any]


@pytest.mark.parametrize("words", [(), ("models",), ("data",)])
def test_group_alone_prints_its_help_on_stdout(words: tuple[str, ...], polyfuse: Runner) -> None:
    alone, asked = polyfuse(*words), polyfuse(*words, "--help")
    assert (alone.code, alone.err) == (0, [])
    assert alone.out == asked.out
    assert "Commands:" in alone.out


def test_help_ends_with_three_examples(polyfuse: Runner) -> None:
    lines = [line.strip() for line in polyfuse("--help").out]
    examples = lines[lines.index("Examples:") + 1 :]
    assert len(examples) == 3
    assert [line.split()[0] for line in examples] == ["polyfuse"] * 3
    assert {line.split()[1] for line in examples} <= set(VERBS)


@pytest.mark.parametrize(
    ("words", "nearest"),
    [(["fuze"], "fuse"), (["Evalaute", "x"], "evaluate"), (["modles", "list"], "models"), (["models", "lsit"], "list")],
)
def test_unknown_verb_names_the_nearest(words: list[str], nearest: str, polyfuse: Runner) -> None:
    ran = polyfuse(*words)
    assert (ran.code, ran.out) == (2, [])
    assert f"did you mean {nearest}?" in ran.problem.replace("'", "").replace("Did", "did")


def test_verb_unlike_any_lists_them_all(polyfuse: Runner) -> None:
    assert ", ".join(VERBS) in polyfuse("xyzzy").problem
