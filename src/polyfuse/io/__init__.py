"""Pictures in and out: files with their depth and origin, pairs of them, atomic writes."""

from polyfuse.io.atomic import atomic_path, write_text
from polyfuse.io.header import DEFAULT_MAX_PIXELS, peek_size
from polyfuse.io.pairs import (
    BRING_TO_ONE_SIZE,
    Pair,
    check_sizes,
    find_marked_pairs,
    find_pairs,
    natural_key,
    pairs_from_csv,
)
from polyfuse.io.picture import Picture, Source
from polyfuse.io.read import read_picture
from polyfuse.io.source import SUFFIXES, is_clip
from polyfuse.io.write import check_output, write_picture

__all__ = [
    "BRING_TO_ONE_SIZE",
    "DEFAULT_MAX_PIXELS",
    "SUFFIXES",
    "Pair",
    "Picture",
    "Source",
    "atomic_path",
    "check_output",
    "check_sizes",
    "find_marked_pairs",
    "find_pairs",
    "is_clip",
    "natural_key",
    "pairs_from_csv",
    "peek_size",
    "read_picture",
    "write_picture",
    "write_text",
]
