"""The numbers for programs: CSV for each picture, CSV of the summary, and one JSON document with everything."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from polyfuse.evaluation.report import Report, Row, versions
from polyfuse.metrics import Metric
from polyfuse.ops.bootstrap import LEVEL, RESAMPLES, SEED

SCHEMA = 1
"""Version of the JSON document."""


def picture_csv(report: Report) -> str:
    """One line for each picture: pair, method, kind, protocol, and every column; `nan` where there is no value.

    The protocol is that of the toolboxes' metrics; VIS and our other measures are canonical.
    """
    head = ["pair", "method", "kind", "protocol", *(column.key for column in report.columns)]
    lines = [
        [
            as_text(pair),
            as_text(method.name),
            method.kind,
            report.task.protocol,
            *(repr(c.of(evaluation)) for c in report.columns),
        ]
        for pair, method, evaluation in report.pictures
    ]
    return _csv(head, lines)


def summary_csv(report: Report) -> str:
    """One line for each method and column: mean, standard deviation, bootstrap interval, counts."""
    head = ["method", "kind", "metric", "protocol", "direction", "mean", "sd", "ci_low", "ci_high", "n", "left_out"]
    lines = []
    for row in report.rows:
        for column in report.columns:
            cell = row.summaries[column.key]
            numbers = (cell.mean, cell.sd, cell.low, cell.high, cell.n, cell.left_out)
            protocol = column.metric.protocol_under(report.task.protocol)
            first = (as_text(row.method.name), row.method.kind, column.key, protocol, column.better)
            lines.append([*first, *map(repr, numbers)])
    return _csv(head, lines)


def _csv(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(lines)
    return file.getvalue()


def as_text(name: str) -> str:
    """A name that no spreadsheet takes for a formula: where it begins like one, an apostrophe comes before it.

    >>> as_text("=1+1"), as_text("-0.5"), as_text("fnet")
    ("'=1+1", '-0.5', 'fnet')
    """
    if not name.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return name
    try:
        float(name)
    except ValueError:
        return f"'{name}"
    return name


def document(report: Report) -> dict[str, Any]:
    """Everything as plain JSON values; numbers that are not finite are null."""
    return {
        "schema": SCHEMA,
        "versions": versions(),
        "protocol": report.task.protocol,
        "settings": {
            **report.settings,
            "bootstrap": {"resamples": RESAMPLES, "level": LEVEL, "seed": SEED},
        },
        "pairs": {"n": report.num_pairs, "sha256": report.pairs_sha256},
        "metrics": [_facts(metric, report.task.protocol) for metric in report.metrics],
        "rows": [_row(row) for row in report.rows],
        "ranked": list(report.ranked),
        "per_picture": [
            {
                "pair": pair,
                "method": method.name,
                "kind": method.kind,
                "values": _numbers(evaluation.values),
                "lower": _numbers(evaluation.lower),
                "balance": _numbers(evaluation.balance),
                "of_b": _numbers(evaluation.of_b),
                "notes": list(evaluation.notes),
                "copies": list(evaluation.copies),
            }
            for pair, method, evaluation in report.pictures
        ],
        "published": [asdict(table) for table in report.published],
        "notes": list(report.notes),
        "warnings": list(report.warnings),
        "failures": [{"name": name, "message": str(error)} for name, error in report.failures],
    }


def _facts(metric: Metric, protocol: str) -> dict[str, Any]:
    return {
        "name": metric.name,
        "title": metric.title,
        "direction": metric.direction,
        "protocol": metric.protocol_under(protocol),
    }


def _row(row: Row) -> dict[str, Any]:
    """The row of one method or baseline as plain values."""
    cells = {key: _numbers(asdict(summary)) for key, summary in row.summaries.items()}
    return {
        "method": row.method.name,
        "kind": row.method.kind,
        "pictures": row.num_pictures,
        "average_rank": row.rank,
        "summary": cells,
    }


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    """The values with None for NaN and infinity, which JSON does not know."""
    return {key: value if math.isfinite(value) else None for key, value in values.items()}
