"""Lists of names: which pairs of a set are meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from polyfuse.errors import InputError
from polyfuse.io.pairs import listed
from polyfuse.io.source import read_bytes_of, shown

MAX_LIST = 1 << 24
"""Largest list that is read, bytes."""


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """By which a list means it."""


Item = TypeVar("Item", bound=Named)


def read_names(path: Path) -> list[str]:
    """The names in a text file, one a line, each once.

    Raises:
        InputError: If it cannot be read or holds none.
    """
    try:
        text = read_bytes_of(path, MAX_LIST, what="list of names").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(path)} is no text in UTF-8: write a name a line") from error
    names = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if not names:
        raise InputError(f"{shown(path)} names no pictures: write a name a line")
    return names


def chosen(items: Sequence[Item], path: Path | None) -> tuple[Item, ...]:
    """Those of the items that a list names, in their own order; all without a list.

    Raises:
        InputError: If the list cannot be read or names what is not there.
    """
    if path is None:
        return tuple(items)
    names = read_names(path)
    missing = sorted(set(names) - {item.name for item in items})
    if missing:
        raise InputError(f"{shown(path)} names pairs that are not there ({listed(missing)}): correct the list")
    return tuple(item for item in items if item.name in names)
