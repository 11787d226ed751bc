"""The numbers of a comparison: columns of its page, scores of each picture, and the table of means."""

from __future__ import annotations

from collections.abc import Sequence

from polyfuse.comparison.request import Request
from polyfuse.evaluation import Collected, Method, Report, Task, make_report
from polyfuse.evaluation.report import Column, columns_of
from polyfuse.metrics import Metric, find_protocol
from polyfuse.pages import MetricColumn, Prose, Section, Table

_PARTS = {"value": "", "min": "smaller of its two one-sided terms", "bal": "", "b": ""}
"""Parts of metrics that pages show, with what is said of them."""


def shown_columns(metrics: Sequence[Metric]) -> list[Column]:
    """The numbers of pictures that a page shows: values, and the lower one-sided terms."""
    return [column for column in columns_of(metrics) if column.part in ("value", "min")]


def metric_column(column: Column, protocol: str) -> MetricColumn:
    """A column as pages take it."""
    metric = column.metric
    better = {"up": "higher", "down": "lower", "none": "none"}[column.better]
    name = metric.name if column.part == "value" else f"{metric.name} min"
    part = f", {_PARTS[column.part]}" if _PARTS[column.part] else ""
    note = f"{metric.title}{part}; protocol {metric.protocol_under(protocol)}"
    return MetricColumn(name, better, 3, note)  # type: ignore[arg-type]  # one of the three, by the table above


def scores_of(collected: Collected, columns: Sequence[Column], protocol: str) -> dict[str, dict[str, dict[str, float]]]:
    """Numbers by pair, method and column."""
    names = {column.key: metric_column(column, protocol).name for column in columns}
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for pair, method, evaluation in collected.pictures:
        numbers = {names[column.key]: column.of(evaluation) for column in columns}
        scores.setdefault(pair, {})[method.name] = numbers
    return scores


def report_of(collected: Collected, task: Task, methods: Sequence[Method]) -> Report:
    """The means, and what is to be said of them."""
    return make_report(collected, task, methods)


def means_section(report: Report, request: Request) -> Section:
    """The table of means, with the warnings about results that mislead."""
    columns = shown_columns(report.metrics)
    headings: list[str | MetricColumn] = ["method", MetricColumn("pairs", digits=0)]
    headings += [metric_column(column, request.protocol) for column in columns]
    has_ranks = any(row.rank is not None for row in report.rows)
    if has_ranks:
        over = ", ".join(report.ranked)
        headings.append(MetricColumn("average rank", "lower", 2, f"1 is best; over {over}"))
    rows = [
        (
            row.method.name,
            row.num_pictures,
            *(row.summaries[column.key].mean for column in columns),
            *((row.rank,) if has_ranks else ()),
        )
        for row in report.rows
    ]
    title = find_protocol(request.protocol).name
    caption = f"Means; protocol {title}. Differences of means say nothing of single pairs: look at the pictures."
    items: list[Prose | Table] = [Table(tuple(headings), tuple(rows), caption)]
    lines = [*(f"Warning: {text}" for text in report.warnings), *report.notes]
    if lines:
        items.append(Prose("\n".join(f"- {line}" for line in lines)))
    return Section("Means", items)
