"""A file that is changed, how it is changed, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

Change = Callable[[Random, bytes], bytes]
"""Takes the generator of a case and the content of a file; returns another content."""

SIDE, HEIGHT = 16, 12
"""Width and height of all pictures, in pixels."""


@dataclass(frozen=True)
class Seed:
    """One file of the corpus."""

    name: str
    """What reports call it."""
    place: str
    """Path at which it is read, relative to the workshop of its kind, in which its companions lie."""
    content: bytes = field(repr=False)
    """The file as it should be, which can be read."""
    read: Callable[[str, Random], bool] = field(repr=False)
    """Reads the file at a path; returns whether it was taken, where a damaged file is passed over without an error."""
    changes: tuple[Change, ...] = field(default=(), repr=False)
    """Changes that know the format."""
    is_refused: bool = False
    """Whether it is of a kind that is never read."""
