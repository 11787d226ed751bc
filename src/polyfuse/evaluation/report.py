"""All results of an evaluation in one place; tables, files and charts are made from it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from polyfuse._version import __version__
from polyfuse.errors import PolyfuseError
from polyfuse.evaluation.judgement import average_ranks, copies_among, ranked_metrics, warnings_of
from polyfuse.evaluation.published import PublishedTable
from polyfuse.evaluation.run import Scored, Task
from polyfuse.evaluation.scoring import BESIDE_B, TWO_SIDED, Evaluation, choose_metrics
from polyfuse.evaluation.summary import Summary, summarise
from polyfuse.evaluation.triples import Method, pair_list_hash
from polyfuse.metrics import ARROWS, Metric

Part = Literal["value", "min", "bal", "b"]


@dataclass(frozen=True)
class Column:
    """One number of a picture: a metric's value, its lower one-sided term, the balance of the two, or b's own value."""

    metric: Metric
    """The metric that the number belongs to."""
    part: Part = "value"
    """Which of its numbers: the value, the lower one-sided term, the balance, or the value of b itself."""

    @property
    def key(self) -> str:
        """Name in files: `VIF`, `VIF_min`, `VIF_bal`."""
        return self.metric.name if self.part == "value" else f"{self.metric.name}_{self.part}"

    @property
    def better(self) -> Literal["up", "down", "none"]:
        """Which way is better; "none" where rows are not marked by this number."""
        direction = self.metric.direction
        if self.part in ("bal", "b") or self.metric.guard:
            return "none"
        return direction if direction in ("up", "down") else "none"

    def heading(self, protocol: str) -> str:
        """As tables show it: `VIF[cddfuse] ↑`, `VIF min ↑`, `VIF bal`."""
        if self.part == "bal":
            return f"{self.metric.name} bal"
        if self.part == "b":
            return f"{self.metric.name} of b"
        rules = self.metric.protocol_under(protocol)
        name = f"{self.metric.name}[{rules}]" if self.part == "value" else f"{self.metric.name} min"
        return f"{name} {ARROWS[self.metric.direction]}"

    def of(self, evaluation: Evaluation) -> float:
        """This number of one evaluated picture."""
        parts = {
            "value": evaluation.values,
            "min": evaluation.lower,
            "bal": evaluation.balance,
            "b": evaluation.of_b,
        }
        return parts[self.part][self.metric.name]


def columns_of(metrics: Sequence[Metric]) -> tuple[Column, ...]:
    """The columns of a table; MI, VIF, Qabf, SSIM and VIS have three, FlatSD two."""
    columns = []
    for metric in metrics:
        parts: list[Part] = ["value"]
        if metric.name in TWO_SIDED:
            parts += ["min", "bal"]
        if metric.name in BESIDE_B:
            parts.append("b")
        columns += [Column(metric, part) for part in parts]
    return tuple(columns)


@dataclass
class Collected:
    """What is kept of each scored item: numbers, never pictures."""

    pairs: list[tuple[str, tuple[str, str]]] = field(default_factory=list)
    """Name and digests of each pair whose sources could be read."""
    pictures: list[tuple[str, Method, Evaluation]] = field(default_factory=list)
    """Pair, method and numbers of each scored picture."""
    failures: list[tuple[str, PolyfuseError]] = field(default_factory=list)
    """Name of what failed, and why."""

    def add(self, scored: Scored) -> None:
        """Add the results of one item."""
        if scored.digests is not None:
            self.pairs.append((scored.item.name, scored.digests))
        self.pictures += [(scored.item.name, method, evaluation) for method, evaluation in scored.evaluations.items()]
        self.failures += scored.failures()


@dataclass(frozen=True)
class Row:
    """The summary of one method or baseline."""

    method: Method
    """The method or baseline."""
    summaries: Mapping[str, Summary]
    """Summary of each column, by `Column.key`."""
    num_pictures: int
    """How many pictures were scored."""
    rank: float | None = None
    """Average rank; None for baselines, or where there is one method."""


@dataclass(frozen=True)
class Report:
    """The results of one evaluation."""

    task: Task
    """What was computed."""
    columns: tuple[Column, ...]
    """Which numbers each picture has, in the order of tables."""
    rows: tuple[Row, ...]
    """Methods as given, then baselines."""
    pictures: tuple[tuple[str, Method, Evaluation], ...]
    """Pair, method and numbers of each picture."""
    num_pairs: int
    """Pairs whose sources could be read."""
    pairs_sha256: str
    """Hash of the list of pairs, see `pair_list_hash`."""
    ranked: tuple[str, ...]
    """Metrics that the average rank is over."""
    warnings: tuple[str, ...]
    """Lines about results that mislead, see `judgement`."""
    notes: tuple[str, ...]
    """Lines about values that were left out of the means."""
    failures: tuple[tuple[str, PolyfuseError], ...]
    """Name of what failed, and why."""
    published: tuple[PublishedTable, ...]
    """Tables that papers printed, never ranked with our rows."""
    settings: Mapping[str, Any]
    """How the command was called, as plain values."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics, each once."""
        return tuple(column.metric for column in self.columns if column.part == "value")


def make_report(
    collected: Collected,
    task: Task,
    methods: Sequence[Method],
    *,
    published: Sequence[PublishedTable] = (),
    settings: Mapping[str, Any] | None = None,
    groups: Mapping[str, str] | None = None,
) -> Report:
    """Summarise what was collected.

    Args:
        collected: The numbers.
        task: What was computed.
        methods: Rows in order, baselines last.
        published: Tables of papers to show beside our rows.
        settings: What to record of how the command was called.
        groups: Group by name of the pair, where some are of one scene or patient: intervals are over groups then.
    """
    columns = columns_of(choose_metrics(task.metrics, task.protocol))
    by_method: dict[Method, list[Evaluation]] = {method: [] for method in methods}
    belongs: dict[Method, list[str]] = {method: [] for method in methods}
    for pair, method, evaluation in collected.pictures:
        by_method[method].append(evaluation)
        belongs[method].append("" if groups is None else groups.get(pair, f"pair {pair}"))
    summaries = {
        method: {
            column.key: summarise([column.of(e) for e in evaluations], None if groups is None else belongs[method])
            for column in columns
        }
        for method, evaluations in by_method.items()
    }
    metrics = [column.metric for column in columns if column.part == "value"]
    means = {method: {m.name: cells[m.name].mean for m in metrics} for method, cells in summaries.items()}
    ranks = average_ranks(metrics, means)
    return Report(
        task,
        columns,
        tuple(Row(method, summaries[method], len(by_method[method]), ranks.get(method)) for method in methods),
        tuple(collected.pictures),
        len(collected.pairs),
        pair_list_hash(collected.pairs),
        tuple(metric.name for metric in ranked_metrics(metrics, means)),
        tuple(_incomplete(collected, methods) + warnings_of(metrics, means) + copies_among(by_method)),
        tuple(_left_out(summaries, columns)),
        tuple(collected.failures),
        tuple(published),
        dict(settings or {}),
    )


def _incomplete(collected: Collected, methods: Sequence[Method]) -> list[str]:
    """A line for each row that lacks pairs which another one has: their means are not of the same pictures."""
    pairs: dict[Method, set[str]] = {method: set() for method in methods}
    for pair, method, _ in collected.pictures:
        pairs[method].add(pair)
    everything = set().union(*pairs.values())
    return [
        f"{method.name} has {len(mine)} of {len(everything)} pairs: its means are not over the same pictures as others"
        for method, mine in pairs.items()
        if mine < everything
    ]


def _left_out(summaries: Mapping[Method, Mapping[str, Summary]], columns: Sequence[Column]) -> list[str]:
    """Which columns have values that are not finite, a line for all columns that lack as many of each method."""
    columns_of: dict[str, list[str]] = {}
    for column in columns:
        counts = [(method.name, cells[column.key].left_out) for method, cells in summaries.items()]
        text = ", ".join(f"{count} of {name}" for name, count in counts if count)
        if text:
            columns_of.setdefault(text, []).append(column.key.replace("_", " "))
    return [f"{', '.join(keys)}: no finite value, left out of the mean: {text}" for text, keys in columns_of.items()]


def versions() -> dict[str, str]:
    """Versions of the software that computed the numbers."""
    return {
        "polyfuse": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
