"""The sets of a suite: known ones looked for below a folder of data, the user's own, each with groups and hashes."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from polyfuse.benchmark.suite import SetConfig, Suite
from polyfuse.data.layouts import find_set
from polyfuse.errors import InputError, UsageError
from polyfuse.evaluation.published import find_dataset
from polyfuse.evaluation.triples import pair_list_hash
from polyfuse.io import Pair, find_pairs, pairs_from_csv
from polyfuse.io.pairs import listed
from polyfuse.io.source import counted, file_sha256, read_bytes_of, shown

_MAX_GROUPS = 1 << 24
TEST = "test"


@dataclass(frozen=True)
class Known:
    """What is known of a set that papers use; its pictures are the user's."""

    title: str
    """What it is."""
    count: int
    """Pairs that it has."""
    where: str
    """Where its pictures are to be had, and where they go."""
    dataset: str
    """What papers call it, or empty."""
    papers: tuple[str, ...]
    """Papers whose table for it has as many pairs."""
    name_a: str
    """What the first sources are."""
    name_b: str
    """What the second ones are."""
    open: bool = False
    """Whether the list of its pairs is not whole: others of the folder belong to it too."""


@dataclass(frozen=True)
class Listed:
    """One line of the list of a known set."""

    name: str
    """Name of the pair."""
    folder: str
    """Key of the folder that it lies in."""
    stem: str
    """Of its files."""
    group: str
    """Scene, street or patient that it shares with others; empty: none."""
    sha256: tuple[str, str]
    """Of both files as they were first published; empty where they were not published as such."""


@dataclass(frozen=True)
class FoundSet:
    """The pairs of a set that are there."""

    name: str
    """As the suite names it."""
    title: str
    """What it is."""
    pairs: tuple[Pair, ...]
    """Those that are compared on."""
    count: int
    """How many the whole set has."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Group by name of the pair; a pair that is missing here stands for itself."""
    dataset: str | None = None
    """What published tables call it."""
    papers: tuple[str, ...] = ()
    """Papers whose table has the same number of pairs."""
    name_a: str = "a"
    """What the first sources are."""
    name_b: str = "b"
    """What the second ones are."""
    notes: tuple[str, ...] = ()
    """What the reader should know."""
    known: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Hashes of the files as they were published, by name of the pair."""
    sha256: str = ""
    """Hash that its list must have; empty: any."""

    @property
    def is_whole(self) -> bool:
        """Whether all its pairs are compared on."""
        return len(self.pairs) == self.count

    @property
    def size(self) -> str:
        """`25 pairs`, or `90 of 361 pairs`."""
        total = counted(self.count, "pair")
        return total if self.is_whole else f"{len(self.pairs)} of {total}"

    @property
    def num_groups(self) -> int:
        """Different scenes, streets or patients among its pairs."""
        return len({self.group_of(pair.name) for pair in self.pairs})

    def group_of(self, name: str) -> str:
        """What a pair counts as when means are resampled and tested."""
        return self.groups.get(name) or f"pair {name}"


@dataclass(frozen=True)
class MissingSet:
    """A known set of which no picture is there."""

    name: str
    """As the suite names it."""
    where: str
    """Where to get it."""


@cache
def _known() -> tuple[dict[str, Known], dict[str, list[str]]]:
    """Known sets by name, and the places of folders by key."""
    text = resources.files("polyfuse.benchmark").joinpath("lists/sets.toml").read_text("utf-8")
    table = tomllib.loads(text)
    sets = {name: Known(**{**facts, "papers": tuple(facts["papers"])}) for name, facts in table["set"].items()}
    return sets, table["folders"]


def known_sets() -> dict[str, Known]:
    """The sets that papers test on, by name."""
    return dict(_known()[0])


def list_of(name: str) -> tuple[Listed, ...]:
    """The list of a known set."""
    text = resources.files("polyfuse.benchmark").joinpath(f"lists/{name}.csv").read_text("utf-8")
    return tuple(
        Listed(row["name"], row["folder"], row["stem"], row["group"], (row["sha256_a"], row["sha256_b"]))
        for row in csv.DictReader(text.splitlines())
    )


def find_sets(suite: Suite, data: Path | None) -> tuple[list[FoundSet], list[MissingSet]]:
    """Find the sets of a suite; nothing but folders and lists is opened.

    Args:
        suite: Which sets, and where the user's own lie.
        data: Folder with the known ones.

    Returns:
        The sets that are there, in the suite's order, and those of which nothing is.

    Raises:
        UsageError: If a set is unknown, or a known one is asked for without `data`.
        InputError: If a folder or list of the user's cannot be used, or none of the sets is there.
    """
    known, found, missing = known_sets(), [], []
    names = suite.set_names
    if not names:
        raise UsageError("the suite names no sets: write sets = [...], or a table [set.NAME].")
    for name in names:
        if name in suite.set:
            found.append(_limited(_own(name, suite.set[name]), suite.pairs))
        elif name not in known:
            raise UsageError(
                f"there is no set {name!r}: use one of {', '.join(known)}, or add a table [set.{name}] to the suite."
            )
        elif data is None:
            raise UsageError(f"{name} lies in a folder of data: pass --data DIR.")
        elif (pairs := _look_for(name, data)) is None:
            missing.append(MissingSet(name, known[name].where))
        else:
            found.append(_limited(pairs, suite.pairs))
    if not found:
        raise InputError(f"{shown(data or '')} holds none of the sets; {told_missing(missing)}")
    return found, missing


def told_missing(missing: Sequence[MissingSet]) -> str:
    """One line on sets that are not there."""
    return "; ".join(f"{one.name} is missing: get {one.where}" for one in missing)


def _look_for(name: str, data: Path) -> FoundSet | None:
    """A known set below a folder, as far as it is there."""
    if not data.is_dir():
        raise InputError(f"{shown(data)} is no folder: pass the one that holds the sets.")
    facts, places = _known()[0][name], _known()[1]
    by_folder: dict[str, dict[str, Pair]] = {}
    for key in dict.fromkeys(line.folder for line in list_of(name)):
        folder = next((path for place in places[key] if (path := _below(data, place)) is not None), None)
        by_folder[key] = {} if folder is None else {pair.name: pair for pair in find_set(folder, TEST).pairs}
    lines = [line for line in list_of(name) if line.stem in by_folder[line.folder]]
    pairs = [replace(by_folder[line.folder][line.stem], name=line.name) for line in lines]
    if facts.open:
        listed_stems = {line.stem for line in lines}
        pairs += [pair for found in by_folder.values() for stem, pair in found.items() if stem not in listed_stems]
        pairs.sort(key=lambda pair: pair.name)
    if not pairs:
        return None
    return FoundSet(
        name,
        facts.title,
        tuple(pairs),
        max(facts.count, len(pairs)),
        {line.name: line.group for line in lines if line.group},
        facts.dataset or None,
        facts.papers,
        facts.name_a,
        facts.name_b,
        known={line.name: line.sha256 for line in lines if all(line.sha256)},
    )


def _below(data: Path, place: str) -> Path | None:
    """The folder of that path below another, in any case; None if there is none."""
    folder = data
    for part in place.split("/"):
        found = next((path for path in sorted(folder.iterdir()) if path.name.lower() == part.lower()), None)
        if found is None or not found.is_dir():
            return None
        folder = found
    return folder


def _own(name: str, config: SetConfig) -> FoundSet:
    """A set of the user's."""
    try:
        if config.pairs:
            pairs = tuple(pairs_from_csv(config.pairs))
        elif config.folder:
            pairs = find_set(Path(config.folder), config.split).pairs
        else:
            pairs = tuple(find_pairs(config.a, config.b))
        groups = _read_groups(Path(config.groups), pairs) if config.groups else {}
    except (InputError, UsageError) as error:
        raise type(error)(f"set {shown(name)}: {error}") from error
    dataset = find_dataset(config.dataset) if config.dataset else None
    return FoundSet(
        name,
        config.title or name,
        pairs,
        len(pairs),
        groups,
        dataset,
        name_a=config.name_a,
        name_b=config.name_b,
        sha256=config.sha256,
    )


def _read_groups(path: Path, pairs: Sequence[Pair]) -> dict[str, str]:
    """Group by name of the pair.

    Raises:
        InputError: If the file is no such list, or names pairs that are not there.
    """
    try:
        text = read_bytes_of(path, _MAX_GROUPS, what="list of groups").decode("utf-8-sig")
        rows = list(csv.DictReader(text.splitlines(), strict=True))
        groups = {row["name"].strip(): row["group"].strip() for row in rows}
    except (UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise InputError(f"{shown(path)} is no CSV file with the columns name and group: correct it") from error
    unknown = sorted(groups.keys() - {pair.name for pair in pairs})
    if unknown:
        raise InputError(f"{shown(path)} names pairs that are not there ({listed(unknown)}): correct the list")
    return groups


def _limited(found: FoundSet, most: int) -> FoundSet:
    """The set with no more pairs than that, spread evenly over it."""
    number = len(found.pairs)
    if not most or number <= most:
        return found
    chosen = tuple(found.pairs[(2 * index + 1) * number // (2 * most)] for index in range(most))
    return replace(found, pairs=chosen)


Digests = dict[str, tuple[str, str]]
"""SHA-256 of both files by name of the pair."""


def hashed(found: FoundSet) -> tuple[FoundSet, Digests]:
    """Read every source once; the set comes back with notes on what its files say.

    Pairs of the same bytes are one scene, whatever their names are: they come into one group.

    Raises:
        InputError: If a file cannot be read, or the list is not the one that is wanted.
    """
    digests = {pair.name: (file_sha256(pair.a), file_sha256(pair.b)) for pair in found.pairs}
    if found.sha256 and (own := pair_list_hash(digests.items())) != found.sha256:
        raise InputError(
            f"set {shown(found.name)} has the list {own}, not {shown(found.sha256)}: get the files that are meant, or "
            "drop sha256"
        )
    groups, notes = dict(found.groups), list(found.notes)
    others = [name for name, known in found.known.items() if name in digests and digests[name] != known]
    if others:
        notes.append(
            f"{counted(len(others), 'pair')} of {len(digests)} differ in their bytes from the files first published "
            f"({listed(others)}): stored again, or other pictures"
        )
    by_bytes: dict[Any, list[str]] = {}
    for name, both in digests.items():
        by_bytes.setdefault(both, []).append(name)
    for names in by_bytes.values():
        if len(names) > 1:
            notes.append(f"{listed(names)} are the same pictures: they count as one in tests and intervals")
            group = next((groups[name] for name in names if groups.get(name)), f"same as {names[0]}")
            groups.update(dict.fromkeys(names, group))
    return replace(found, groups=groups, notes=tuple(notes)), digests
