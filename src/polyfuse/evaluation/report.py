"""Everything an evaluation found, in one place, from which all tables, files and charts are made."""

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
from polyfuse.evaluation.scoring import TWO_SIDED, Evaluation, choose_metrics
from polyfuse.evaluation.summary import Summary, summarise
from polyfuse.evaluation.triples import Method, pair_list_hash
from polyfuse.metrics import ARROWS, Metric

Part = Literal["value", "min", "bal"]


@dataclass(frozen=True)
class Column:
    """One number of a picture: a metric's value, its lower one-sided term, or the balance of the two."""

    metric: Metric
    """The metric."""
    part: Part = "value"
    """Which number."""

    @property
    def key(self) -> str:
        """Name in files: `VIF`, `VIF_min`, `VIF_bal`."""
        return self.metric.name if self.part == "value" else f"{self.metric.name}_{self.part}"

    @property
    def better(self) -> Literal["up", "down", "none"]:
        """Which way is better, as far as rows are marked by it."""
        direction = self.metric.direction
        return direction if direction in ("up", "down") and self.part != "bal" else "none"

    def heading(self, protocol: str) -> str:
        """As tables show it: `VIF[cddfuse] ↑`, `VIF min ↑`, `VIF bal`."""
        if self.part == "bal":
            return f"{self.metric.name} bal"
        name = f"{self.metric.name}[{protocol}]" if self.part == "value" else f"{self.metric.name} min"
        return f"{name} {ARROWS[self.metric.direction]}"

    def of(self, evaluation: Evaluation) -> float:
        """The number of one picture."""
        parts = {"value": evaluation.values, "min": evaluation.lower, "bal": evaluation.balance}
        return parts[self.part][self.metric.name]


def columns_of(metrics: Sequence[Metric]) -> tuple[Column, ...]:
    """The columns of a table; MI, VIF, Qabf and SSIM have three."""
    columns = []
    for metric in metrics:
        parts: tuple[Part, ...] = ("value", "min", "bal") if metric.name in TWO_SIDED else ("value",)
        columns += [Column(metric, part) for part in parts]
    return tuple(columns)


@dataclass
class Collected:
    """What is kept of each scored item: numbers, never pictures."""

    pairs: list[tuple[str, tuple[str, str]]] = field(default_factory=list)
    """Name and digests of each pair whose sources could be read."""
    pictures: list[tuple[str, Method, Evaluation]] = field(default_factory=list)
    """Pair, method, numbers."""
    failures: list[tuple[str, PolyfuseError]] = field(default_factory=list)
    """What failed, and why."""

    def add(self, scored: Scored) -> None:
        """Take in one item."""
        if scored.digests is not None:
            self.pairs.append((scored.item.name, scored.digests))
        self.pictures += [(scored.item.name, method, found) for method, found in scored.evaluations.items()]
        self.failures += scored.failures()


@dataclass(frozen=True)
class Row:
    """One method or baseline."""

    method: Method
    """Whose."""
    summaries: Mapping[str, Summary]
    """By column key."""
    num_pictures: int
    """Pictures scored."""
    rank: float | None = None
    """Average rank; None for baselines, or where there is one method."""


@dataclass(frozen=True)
class Report:
    """An evaluation."""

    task: Task
    """What was computed."""
    columns: tuple[Column, ...]
    """The numbers of each picture, in the order of tables."""
    rows: tuple[Row, ...]
    """Methods as given, then baselines."""
    pictures: tuple[tuple[str, Method, Evaluation], ...]
    """Pair, method and numbers of each picture."""
    num_pairs: int
    """Pairs whose sources could be read."""
    pairs_sha256: str
    """Of the pair list, see `pair_list_hash`."""
    ranked: tuple[str, ...]
    """Metrics that the average rank is over."""
    warnings: tuple[str, ...]
    """What to be wary of."""
    notes: tuple[str, ...]
    """What a reader of the tables must know."""
    failures: tuple[tuple[str, PolyfuseError], ...]
    """What failed."""
    published: tuple[PublishedTable, ...]
    """Rows printed elsewhere, never ranked with ours."""
    settings: Mapping[str, Any]
    """What was asked for, as plain values."""

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
) -> Report:
    """Summarise what was collected.

    Args:
        collected: The numbers.
        task: What was computed.
        methods: Rows in order, baselines last.
        published: Rows to show beside.
        settings: What to record of how the command was called.
    """
    columns = columns_of(choose_metrics(task.metrics, task.protocol))
    found: dict[Method, list[Evaluation]] = {method: [] for method in methods}
    for _, method, evaluation in collected.pictures:
        found[method].append(evaluation)
    summaries = {
        method: {column.key: summarise([column.of(e) for e in evaluations]) for column in columns}
        for method, evaluations in found.items()
    }
    metrics = [column.metric for column in columns if column.part == "value"]
    means = {method: {m.name: cells[m.name].mean for m in metrics} for method, cells in summaries.items()}
    ranks = average_ranks(metrics, means)
    return Report(
        task,
        columns,
        tuple(Row(method, summaries[method], len(found[method]), ranks.get(method)) for method in methods),
        tuple(collected.pictures),
        len(collected.pairs),
        pair_list_hash(collected.pairs),
        tuple(metric.name for metric in ranked_metrics(metrics, means)),
        tuple(warnings_of(metrics, means) + copies_among(found)),
        tuple(_left_out(summaries, columns)),
        tuple(collected.failures),
        tuple(published),
        dict(settings or {}),
    )


def _left_out(summaries: Mapping[Method, Mapping[str, Summary]], columns: Sequence[Column]) -> list[str]:
    """One line for each column with values that are no numbers."""
    lines = []
    for column in columns:
        counts = [(method.name, cells[column.key].left_out) for method, cells in summaries.items()]
        texts = [f"{count} of {name}" for name, count in counts if count]
        if texts:
            lines.append(f"{column.key.replace('_', ' ')}: no finite value, left out of the mean: {', '.join(texts)}")
    return lines


def versions() -> dict[str, str]:
    """What made the numbers."""
    return {
        "polyfuse": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
