"""The pictures that all rows are scored on, known by their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polyfuse.evaluation import pair_list_hash
from polyfuse.io import Pair, find_pairs
from polyfuse.io.source import file_sha256


@dataclass(frozen=True)
class Pictures:
    """Pairs to fuse and to score."""

    pairs: tuple[Pair, ...]
    """In natural order."""
    sha256: str
    """Of names and bytes, as tables of `polyfuse evaluate` print it."""


def find_pictures(a: Path, b: Path) -> Pictures:
    """Find the pairs of two folders or files and read their bytes once.

    Raises:
        InputError: If a picture is missing or cannot be read.
        UsageError: If `a` and `b` do not go together.
    """
    pairs = find_pairs(a, b)
    hashes = ((pair.name, (file_sha256(pair.a), file_sha256(pair.b))) for pair in pairs)
    return Pictures(tuple(pairs), pair_list_hash(hashes))
