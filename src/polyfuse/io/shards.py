"""Shares of a list of pairs, one for each of several machines that know nothing of each other."""

import hashlib
import re

Shard = tuple[int, int]
"""Which share, counted from 1, and of how many."""


def parse_shard(text: str) -> Shard | None:
    """Both numbers of a text such as 1/4; None if it is no share.

    >>> parse_shard("3/4"), parse_shard("0/4"), parse_shard("5/4")
    ((3, 4), None, None)
    """
    match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
    if match is None or int(match[1]) > int(match[2]):
        return None
    return int(match[1]), int(match[2])


def in_shard(name: str, shard: Shard) -> bool:
    """Whether a pair belongs to a share; its name alone decides, so a list that grows moves no pair to another share.

    Args:
        name: Of the pair.
        shard: Every pair is in exactly one of the shares of one number.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % shard[1] == shard[0] - 1
