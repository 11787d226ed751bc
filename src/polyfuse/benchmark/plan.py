"""What a suite comes to: the sets that are there, with hashes, and the methods that are compared on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from polyfuse.benchmark.methods import FolderMethod, ModelMethod, choose_models, find_folders, is_wanted
from polyfuse.benchmark.results import Metrics
from polyfuse.benchmark.sets import Digests, FoundSet, MissingSet, find_sets, hashed
from polyfuse.benchmark.suite import Suite
from polyfuse.errors import InputError, UsageError
from polyfuse.evaluation import BASELINES, Method, choose_metrics
from polyfuse.io import Pair, check_sizes
from polyfuse.io.source import shown

OnError = Literal["stop", "skip"]
ALWAYS = ("LOSTmax",)
"""Metrics that every table has: a copy of one source is bad here, however good it looks elsewhere."""


@dataclass(frozen=True)
class Work:
    """One set, and the pairs of it that this process has to do with."""

    set: FoundSet
    """The whole set."""
    digests: Digests
    """Hashes of all its sources."""
    pairs: tuple[Pair, ...]
    """The pairs of this share."""


@dataclass(frozen=True)
class Plan:
    """All that is to be done."""

    suite: Suite
    """As it was asked for."""
    works: tuple[Work, ...]
    """The sets that are there."""
    missing: tuple[MissingSet, ...]
    """Those that are not."""
    models: tuple[ModelMethod, ...]
    """Methods that fuse here."""
    folders: tuple[FolderMethod, ...]
    """Folders of results."""
    metrics: Metrics
    """Names of the metrics by protocol."""

    @property
    def names(self) -> list[str]:
        """Of all methods, in the order of tables."""
        return [*(model.name for model in self.models), *(folder.name for folder in self.folders)]

    def methods_of(self, name: str) -> list[ModelMethod | FolderMethod]:
        """The methods that a set is compared with; a folder of results need not have every set."""
        return [*self.models, *(folder for folder in self.folders if folder.files.get(name))]

    def rows_of(self, name: str) -> list[Method]:
        """The rows of a set's table: methods, then what is always there."""
        return [*(Method(method.name) for method in self.methods_of(name)), *BASELINES]

    @property
    def num_units(self) -> int:
        """How many pictures are to be scored in the end, of this share."""
        return sum(len(work.pairs) * len(self.methods_of(work.set.name)) for work in self.works)


def make_plan(
    suite: Suite,
    data: Path | None,
    *,
    only: Sequence[str] = (),
    shard: tuple[int, int] = (1, 1),
    on_error: OnError = "stop",
) -> Plan:
    """Find sets and methods, and check all that can be checked before any work.

    Args:
        suite: What to compare.
        data: Folder with the known sets.
        only: Methods, by name or pattern; none: all of the suite.
        shard: Which share, counted from 1, and of how many: pairs go round.
        on_error: "skip" leaves pictures that folders of results lack to be reported one by one.

    Raises:
        PolyfuseError: If anything cannot be used; see `find_sets`, `choose_models` and `find_folders`.
    """
    metrics = {}
    for protocol in suite.protocols:
        chosen = choose_metrics(suite.metrics or None, protocol)
        metrics[protocol] = tuple(dict.fromkeys([*(metric.name for metric in chosen), *ALWAYS]))
    found, missing = find_sets(suite, data)
    models = choose_models(suite, only)
    suite = replace(suite, fused={name: one for name, one in suite.fused.items() if is_wanted(name, only)})
    if not models and not suite.fused:
        raise UsageError("the suite has nothing to compare: name models, or folders with --fused NAME=DIR.")
    folders = find_folders(suite, found, skip_missing=on_error == "skip")
    works, position = [], 0
    for one in found:
        try:
            check_sizes(one.pairs)
        except InputError as error:
            raise InputError(f"set {shown(one.name)}: {str(error).partition(': pass --resize')[0]}") from error
        ready, digests = hashed(one)
        mine = [pair for index, pair in enumerate(ready.pairs, position) if index % shard[1] == shard[0] - 1]
        position += len(ready.pairs)
        works.append(Work(ready, digests, tuple(mine)))
    return Plan(suite, tuple(works), tuple(missing), tuple(models), tuple(folders), metrics)
