"""Which fused picture belongs to which pair: files, folders matched by stem, or a list; for several methods."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from polyfuse.errors import InputError, UsageError
from polyfuse.io import Pair, find_pairs, natural_key, pairs_from_csv
from polyfuse.io.pairs import Match, list_pictures, listed
from polyfuse.io.shards import Shard, in_shard
from polyfuse.io.source import check_exists, counted, shown

ADVICE = "make the names match, or pass --on-error skip"


@dataclass(frozen=True)
class Method:
    """What a row of a table scores: a fusion method or a baseline."""

    name: str
    """Name, as tables print it."""
    kind: Literal["method", "baseline"] = "method"
    """A method to be judged, or a trivial answer to judge it by."""


@dataclass(frozen=True)
class Item:
    """A pair of sources and what each method made of it."""

    pair: Pair
    """The sources; where one is missing, `missing` says so and the path is where it should be."""
    fused: Mapping[Method, Path]
    """The fused picture of each method."""
    missing: Mapping[Method, str] = field(default_factory=dict)
    """Methods that cannot be scored, and why."""

    @property
    def name(self) -> str:
        """Name of the pair."""
        return self.pair.name


def find_items(
    methods: Mapping[str, Path],
    a: Path,
    b: Path | None,
    *,
    match: Match = "stem",
    skip_missing: bool = False,
    shard: Shard = (1, 1),
) -> tuple[list[Item], list[str]]:
    """Put every pair together with its fused pictures; nothing is opened.

    Args:
        methods: Name of each method and its picture, or its folder where there are several pairs.
        a: First source: file, folder, or, without `b`, a CSV list of pairs.
        b: Second source, of the same kind.
        match: How files of folders find each other; a list of pairs names its fused pictures itself.
        skip_missing: Keep pairs with a missing picture, to be reported one by one, instead of refusing them all.
        shard: Which share of the pairs, of how many; pictures of the others need not be there.

    Returns:
        The items in natural order (those of a list in its order), and notes on pictures that belong to no pair.

    Raises:
        InputError: If a path is missing, no pictures are found, or names do not match; the message lists them.
        UsageError: If files and folders are mixed, or a fused picture is a source.
    """
    if not methods:
        raise UsageError("there is nothing to score: give the fused picture, or --fused NAME=PATH.")
    paths = {Method(name): path for name, path in methods.items()}
    pairs, incomplete = _pairs(a, b, match, skip_missing)
    for path in paths.values():
        check_exists(path)
    if b is not None and not a.is_dir():
        if shard[1] > 1:
            raise UsageError("--shard parts folders and lists of pictures, not a single pair: drop it.")
        return [Item(pairs[0], {method: _single(path, a, b) for method, path in paths.items()})], []
    pictures = {method: _of_pairs(path, a, b, pairs, match) for method, path in paths.items()}
    pairs = [pair for pair in pairs if in_shard(pair.name, shard)]
    pictures = {
        method: {name: file for name, file in by_name.items() if in_shard(name, shard)}
        for method, by_name in pictures.items()
    }
    problems, notes = _mismatches(paths, pictures, [pair.name for pair in pairs])
    if (problems or notes) and not skip_missing:
        raise InputError(f"{'; '.join(problems + notes)}: {ADVICE}")
    return [_item(pair, paths, pictures, incomplete.get(pair.name)) for pair in pairs], notes


def _item(
    pair: Pair, folders: Mapping[Method, Path], pictures: Mapping[Method, Mapping[str, Path]], problem: str | None
) -> Item:
    """One pair with the pictures that are there and the reasons why others are not."""
    if problem is not None:
        return Item(pair, {}, dict.fromkeys(folders, problem))
    fused = {method: by_name[pair.name] for method, by_name in pictures.items() if pair.name in by_name}
    missing = {
        method: f"{shown(folder)} holds no picture named {shown(pair.name)}: add it"
        for method, folder in folders.items()
        if method not in fused
    }
    return Item(pair, fused, missing)


def _pairs(a: Path, b: Path | None, match: Match, skip_missing: bool) -> tuple[list[Pair], dict[str, str]]:
    """The pairs, and by the name of each incomplete one what it lacks."""
    if b is None:
        if a.suffix.lower() != ".csv":
            raise UsageError(f"{shown(a)} has no partner: give two files, two folders, or one CSV file of pairs.")
        return pairs_from_csv(a), {}
    if not (skip_missing and match == "stem" and a.is_dir() and b.is_dir()) or a.samefile(b):
        return find_pairs(a, b, match=match), {}
    files_a, files_b = _by_stem(a), _by_stem(b)
    lacks = {name: f"{shown(b)} holds no picture of that name: add it" for name in files_a if name not in files_b}
    lacks |= {name: f"{shown(a)} holds no picture of that name: add it" for name in files_b if name not in files_a}
    names = sorted({*files_a, *files_b}, key=natural_key)
    return [Pair(name, files_a.get(name, a / name), files_b.get(name, b / name)) for name in names], lacks


def _by_stem(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by stem, in natural order."""
    by_stem: dict[str, Path] = {}
    for path in list_pictures(folder):
        if path.stem in by_stem:
            both = f"{shown(by_stem[path.stem].name)} and {shown(path.name)}"
            raise InputError(f"{shown(folder)} has more than one picture of a name ({both}): rename or remove one")
        by_stem[path.stem] = path
    return by_stem


def _single(path: Path, a: Path, b: Path) -> Path:
    """The fused picture of a pair of files, checked."""
    if path.is_dir():
        raise UsageError(f"{shown(path)} is a folder and the sources are files: give the fused picture")
    _check_no_source(path, a, b)
    return path


def _of_pairs(path: Path, a: Path, b: Path | None, pairs: Sequence[Pair], match: Match) -> dict[str, Path]:
    """The pictures of a method by the name of their pair, those without a pair included."""
    if not path.is_dir():
        raise UsageError(f"{shown(path)} is a file and there is a folder or list of pairs: give a folder")
    if b is None or match == "stem":
        _check_no_source(path, *(side for side in (a, b) if side is not None))
        return _by_stem(path)
    files = list_pictures(path)
    if len(files) != len(pairs):
        raise InputError(
            f"{shown(path)} holds {counted(len(files), 'picture')} for {counted(len(pairs), 'pair')}: "
            "matching by order needs equal counts"
        )
    _check_no_source(path, a, b)
    return {pair.name: file for pair, file in zip(pairs, files, strict=True)}


def _check_no_source(path: Path, *sources: Path) -> None:
    if any(path.samefile(source) for source in sources):
        raise UsageError(f"{shown(path)} is given as fused and as a source: a copy is scored by --baselines")


def _mismatches(
    folders: Mapping[Method, Path], pictures: Mapping[Method, Mapping[str, Path]], names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Messages about missing fused pictures, and about fused pictures without a pair."""
    lacking, spare = [], []
    known = set(names)
    for method, folder in folders.items():
        missing = [name for name in names if name not in pictures[method]]
        extra = [path.name for name, path in pictures[method].items() if name not in known]
        if missing:
            lacking.append(f"{shown(folder)} lacks {len(missing)} of {len(names)} fused pictures ({listed(missing)})")
        if extra:
            has = "has" if len(extra) == 1 else "have"
            spare.append(f"{counted(len(extra), 'picture')} in {shown(folder)} {has} no pair ({listed(extra)})")
    return lacking, spare


def pair_list_hash(pairs: Iterable[tuple[str, tuple[str, str]]]) -> str:
    """SHA-256 of a list of pairs: two lists are equal if names, order and the bytes of all source files are.

    Args:
        pairs: Name of each pair and the SHA-256 of its two source files.
    """
    digest = hashlib.sha256()
    for name, (first, second) in pairs:
        digest.update(f"{name}\t{first}\t{second}\n".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()
