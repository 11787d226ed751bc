"""What a command prints, in every verb the same way: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from polyfuse.errors import PolyfuseError

SCHEMA = 1
"""Version of what `--json` prints."""
PIPE_WIDTH = 120
"""Characters of a line of a table where stdout is no terminal."""


def print_json(facts: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout: the version, then the facts."""
    click.echo(json.dumps({"schema": SCHEMA, **facts}, indent=2))


@contextmanager
def json_document(wanted: bool) -> Iterator[dict[str, Any]]:
    """A dictionary that the body fills; with `--json` it is printed at the end, also after an error, which it names.

    Args:
        wanted: Whether the user asks for the document.
    """
    document: dict[str, Any] = {}
    try:
        yield document
    except PolyfuseError as error:
        document["error"] = {"message": str(error), "exit_code": error.exit_code}
        raise
    finally:
        if wanted:
            print_json(document)


def visible(text: str) -> str:
    r"""The text with control characters as escapes: a file name may hold some that move the cursor or hide a line.

    >>> print(visible("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text)


def print_path(path: object) -> None:
    """Print the path of a result on stdout: as it is for a program, without control characters on a terminal."""
    text = str(path)
    click.echo(visible(text) if sys.stdout.isatty() else text, color=True)  # without colour, click drops escape codes


def speaker(quiet: bool) -> Callable[[str], None]:
    """Return a function that prints one line on stderr, or nothing."""

    def say(text: str) -> None:
        if not quiet:
            click.echo(visible(text), err=True)

    return say


def table_width() -> int:
    """Characters of a line of a table: those of the terminal, if there is one."""
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns


def in_words(names: Sequence[str], last: str) -> str:
    """Join names as a sentence does.

    >>> in_words(["a", "b", "c"], "or")
    'a, b or c'
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
