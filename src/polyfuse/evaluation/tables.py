"""Rows and columns of the result table, with marks for best and second best; each format only spells them out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from polyfuse.evaluation.published import CAVEAT
from polyfuse.evaluation.report import Column, Report, Row
from polyfuse.io.source import counted
from polyfuse.metrics import find_protocol

Mark = Literal["", "best", "second"]
NO_VALUE = "n/a"
_DIGITS = 4
"""Significant digits of the largest number of a column; never more than three after the point."""
LEGEND = "min: smaller of the two one-sided terms; bal: min over the larger one, 1 where both sources count alike"


@dataclass(frozen=True)
class Cell:
    """One number as text."""

    text: str
    """The number as printed."""
    mark: Mark = ""
    """Whether it is the best or second best of the methods."""


@dataclass(frozen=True)
class GridColumn:
    """A column of the table."""

    heading: str
    """Heading as printed."""
    group: str
    """Columns of a group stay side by side."""
    source: Column | None = None
    """What it shows; None for counts and ranks."""


@dataclass(frozen=True)
class Section:
    """Rows that belong together."""

    title: str
    """Heading of the section; empty for the methods."""
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    """Name and cells of each row."""


@dataclass(frozen=True)
class Grid:
    """The whole table."""

    columns: tuple[GridColumn, ...]
    """Columns after the name, left to right."""
    sections: tuple[Section, ...]
    """Methods, then baselines, then published rows."""
    footer: tuple[str, ...]
    """Lines below the table."""
    names: str = "method"
    """Heading of the column of names."""
    legend: str = "**best**, _second best_"
    """What the marks mean, in the signs of plain text."""


def make_grid(report: Report) -> Grid:
    """Lay out a report as a table."""
    columns = [GridColumn("n", "n")]
    columns += [GridColumn(c.heading(report.task.protocol), c.metric.name, c) for c in report.columns]
    methods = [row for row in report.rows if row.method.kind == "method"]
    baselines = [row for row in report.rows if row.method.kind == "baseline"]
    if report.ranked:
        columns.append(GridColumn("avg rank ↓", "rank"))
    digits = {column.key: _digits(column, report.rows) for column in report.columns}
    texts = [[_text(row, column, digits) for column in report.columns] for row in methods]
    marks = [_marks(column, index, methods, texts) for index, column in enumerate(report.columns)]
    rows = tuple(_row(row, report, digits, [m[i] for m in marks]) for i, row in enumerate(methods))
    sections = [Section("", rows)]
    if baselines:
        plain: list[Mark] = [""] * len(report.columns)
        sections.append(Section("baselines", tuple(_row(row, report, digits, plain) for row in baselines)))
    for table in report.published:
        rows = tuple((name, _published_cells(values, columns)) for name, values in table.rows.items())
        sections.append(Section(table.title, rows))
    return Grid(tuple(columns), tuple(sections), tuple(_footer(report)))


def _row(row: Row, report: Report, digits: dict[str, int], marks: Sequence[Mark]) -> tuple[str, tuple[Cell, ...]]:
    """Name and cells of a method or baseline."""
    cells = [Cell(str(row.num_pictures))]
    cells += [Cell(_text(row, c, digits), mark) for c, mark in zip(report.columns, marks, strict=True)]
    if report.ranked:
        cells.append(Cell("" if row.rank is None else f"{row.rank:.2f}"))
    return row.method.name, tuple(cells)


def _digits(column: Column, rows: Sequence[Row]) -> int:
    """Decimals that give the column's largest number four significant digits, at most three."""
    sizes = [abs(row.summaries[column.key].mean) for row in rows]
    largest = max((size for size in sizes if math.isfinite(size)), default=0.0)
    before = math.floor(math.log10(largest)) + 1 if largest > 0 else 1
    return min(3, max(0, _DIGITS - before))


def _text(row: Row, column: Column, digits: dict[str, int]) -> str:
    mean = row.summaries[column.key].mean
    if not math.isfinite(mean):
        return NO_VALUE
    text = f"{mean:.{digits[column.key]}f}"
    return text.lstrip("-") if float(text) == 0 else text


def _marks(column: Column, index: int, rows: Sequence[Row], texts: Sequence[Sequence[str]]) -> list[Mark]:
    """Marks of one column, by the printed numbers, so that equal ones get equal marks; none for a single method."""
    if column.better == "none" or len(rows) < 2:
        return [""] * len(rows)
    printed = [texts[row][index] for row in range(len(rows))]
    order = sorted({float(text) for text in printed if text != NO_VALUE}, reverse=column.better == "up")
    names: dict[float, Mark] = dict(zip(order, ("best", "second"), strict=False))
    return ["" if text == NO_VALUE else names.get(float(text), "") for text in printed]


def _published_cells(values: dict[str, str], columns: Sequence[GridColumn]) -> tuple[Cell, ...]:
    """A published row: its values under their metrics, other cells empty."""
    return tuple(
        Cell(values.get(column.source.metric.name, "") if column.source and column.source.part == "value" else "")
        for column in columns
    )


def _footer(report: Report) -> list[str]:
    """Lines below the table."""
    rules = find_protocol(report.task.protocol)
    lines = [
        f"protocol {rules.name}: {rules.summary}",
        f"n = {counted(report.num_pairs, 'pair')}, list sha256 {report.pairs_sha256[:16]}",
    ]
    if any(column.part == "min" for column in report.columns):
        lines.append(LEGEND)
    if report.ranked:
        lines.append(f"avg rank over {', '.join(report.ranked)}")
    if any(column.metric.direction == "none" for column in report.columns):
        lines.append("· no better side: noise and contrast raise it, so it is neither marked nor ranked")
    if report.published:
        lines.append(CAVEAT)
    return lines + list(report.notes) + [f"warning: {text}" for text in report.warnings]
