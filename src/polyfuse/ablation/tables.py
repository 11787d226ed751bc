"""The comparison as a table for readers, and as CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from typing import Any

from polyfuse.ablation.comparison import CLEAR, Comparison, Entry
from polyfuse.evaluation.records import as_text
from polyfuse.evaluation.report import Column, versions
from polyfuse.evaluation.tables import NO_VALUE, Cell, Grid, GridColumn, Section
from polyfuse.io.source import counted
from polyfuse.metrics import ARROWS
from polyfuse.train.variants import Measures

DIGITS = 3
"""Decimals of our numbers; the papers print fewer."""


def header(comparison: Comparison) -> list[str]:
    """Lines above the table: protocol, pairs and budgets."""
    study = comparison.study
    lines = [
        f"ablation of {study.family}, protocol {study.protocol}, mean±sd over {counted(comparison.num_seeds, 'seed')}; "
        f"{counted(comparison.num_pairs, 'pair')}, list sha256 {comparison.pairs_sha256[:16]}",
        f"budget: {comparison.budget}",
        f"{study.paper}'s: {study.budget}",
    ]
    if comparison.model:
        lines.insert(2, f"network: {', '.join(_options(comparison.model))}")
    if comparison.printed is not None:
        lines.append(f"beside it: {comparison.printed.title}; another budget, so only the direction of Δ compares")
    return lines


def grid(comparison: Comparison) -> Grid:
    """Lay out the table: for each column ours, its difference to the unchanged model, and the same of the paper."""
    columns: list[GridColumn] = []
    for column in comparison.columns:
        headings = [_heading(column), "Δ"]
        headings += ["paper", "Δ"] if comparison.printed is not None else []
        columns += [GridColumn(heading, column.key) for heading in headings]
    rows, width = [], max(len(line.variant.name) for line in comparison.lines)
    for line in comparison.lines:
        texts = [text for entry in line.entries.values() for text in _texts(entry, comparison)]
        rows.append((f"{line.variant.name:{width}} {line.variant.summary}", tuple(map(Cell, texts))))
    return Grid(tuple(columns), (Section("", tuple(rows)),), tuple(_footer(comparison)), names="row")


def measure_grids(comparison: Comparison) -> list[Grid]:
    """A table for each thing that the study measures of the networks themselves, named in its corner."""
    return [_measure_grid(comparison, measures) for measures in comparison.study.measures]


def _measure_grid(comparison: Comparison, measures: Measures) -> Grid:
    """Ours and the difference to the unchanged model, column by column."""
    columns: list[GridColumn] = []
    for column, direction in measures.columns.items():
        key = measures.key(column)
        heading = column if direction == "none" else f"{column} {ARROWS[direction]}"
        columns += [GridColumn(heading, key), GridColumn("Δ", key)]
    rows = []
    for line in comparison.lines:
        entries = [line.measured[measures.key(column)] for column in measures.columns]
        rows.append((line.variant.name, tuple(Cell(text) for entry in entries for text in _ours(entry))))
    return Grid(tuple(columns), (Section("", tuple(rows)),), (), names=measures.name)


def _options(model: Mapping[str, Any], parent: str = "") -> Iterator[str]:
    """Each option as `name value`, nested ones with dots."""
    for name, value in model.items():
        if isinstance(value, Mapping):
            yield from _options(value, f"{parent}{name}.")
        else:
            yield f"{parent}{name} {value}"


def _heading(column: Column) -> str:
    """`VIF ↑`, `SSIM bal`; the protocol stands above the table."""
    return f"{column.metric.name} {ARROWS[column.metric.direction] if column.part == 'value' else column.part}"


def _texts(entry: Entry, comparison: Comparison) -> list[str]:
    """The cells of one column of one row."""
    if comparison.printed is None:
        return _ours(entry)
    printed = "" if entry.printed is None else f"{entry.printed}"
    difference = "" if entry.printed_difference is None else f"{entry.printed_difference:+}"
    return [*_ours(entry), printed, difference]


def _ours(entry: Entry) -> list[str]:
    """Our mean with its spread, and the difference to the unchanged model."""
    ours = _rounded(entry.ours.mean) if math.isfinite(entry.ours.mean) else NO_VALUE
    if math.isfinite(entry.ours.sd):
        ours += f"±{_rounded(entry.ours.sd)}"
    difference = _rounded(entry.difference, sign="+") if math.isfinite(entry.difference) else ""
    if difference and not entry.is_clear:
        difference = f"({difference})"
    return [ours, difference]


def _rounded(value: float, sign: str = "") -> str:
    """The number as printed; what rounds to zero has no sign."""
    text = f"{value:{sign}.{DIGITS}f}"
    return text.lstrip("+-") if float(text) == 0 else text


def _footer(comparison: Comparison) -> list[str]:
    """Lines below the table."""
    luck = "within twice its standard error" if comparison.num_seeds > 1 else "one seed shows no spread"
    lines = [f"Δ: difference to the unchanged model; (in brackets): {luck}, it may be luck of the seeds"]
    num_clear, num_agreeing = comparison.agreement
    if num_clear:
        lines.append(f"{num_agreeing} of {num_clear} clear differences have the sign of the paper's")
    short = [
        f"{line.variant.name} {len(line.values)}"
        for line in comparison.lines
        if len(line.values) < comparison.num_seeds
    ]
    if short:
        lines.append(f"not all seeds are done: {', '.join(short)} of {comparison.num_seeds}")
    return [*lines, *comparison.notes]


def table_csv(comparison: Comparison) -> str:
    """One line for each row and metric, and for each number that is measured; an empty field where there is none."""
    head = ["row", "summary", "metric", "protocol", "direction", "mean", "sd", "n", "difference", "error"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*head, "paper", "paper_difference"])
    for line in comparison.lines:
        names = as_text(line.variant.name), as_text(line.variant.summary)
        for column in comparison.columns:
            protocol = column.metric.protocol_under(comparison.study.protocol)
            facts, entry = (column.key, protocol, column.better), line.entries[column.key]
            writer.writerow([*names, *facts, *_cells(entry)])
        for measures in comparison.study.measures:
            for name, direction in measures.columns.items():
                key = measures.key(name)
                writer.writerow([*names, key, "", direction, *_cells(line.measured[key])])
    return file.getvalue()


def document(comparison: Comparison) -> dict[str, Any]:
    """Everything as plain JSON values; numbers that are not there are null."""
    return {
        "versions": versions(),
        "family": comparison.study.family,
        "protocol": comparison.study.protocol,
        "pairs": {"n": comparison.num_pairs, "sha256": comparison.pairs_sha256},
        "budget": comparison.budget,
        "model": dict(comparison.model),
        "paper": {
            "name": comparison.study.paper,
            "budget": comparison.study.budget,
            "table": None if comparison.printed is None else comparison.printed.table,
            "dataset": None if comparison.printed is None else comparison.printed.dataset,
        },
        "clear": {"standard_errors": CLEAR, "differences": comparison.agreement[0], "agree": comparison.agreement[1]},
        "rows": [
            {
                "row": line.variant.name,
                "summary": line.variant.summary,
                "seeds": {
                    str(seed): {m: _finite(v) for m, v in values.items()} for seed, values in line.values.items()
                },
                "metrics": {metric: _numbers(entry) for metric, entry in line.entries.items()},
                "measured": {key: _numbers(entry) for key, entry in line.measured.items()},
            }
            for line in comparison.lines
        ],
        "notes": list(comparison.notes),
    }


def _numbers(entry: Entry) -> dict[str, float | int | None]:
    """All numbers of an entry, in the order of the CSV."""
    return {
        "mean": _finite(entry.ours.mean),
        "sd": _finite(entry.ours.sd),
        "n": entry.ours.n,
        "difference": _finite(entry.difference),
        "error": _finite(entry.error),
        "paper": None if entry.printed is None else float(entry.printed),
        "paper_difference": None if entry.printed_difference is None else float(entry.printed_difference),
    }


def _cells(entry: Entry) -> list[float | int | str]:
    """The numbers of an entry as cells of the CSV."""
    return ["" if value is None else value for value in _numbers(entry).values()]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
