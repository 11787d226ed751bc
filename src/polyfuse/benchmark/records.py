"""The numbers of a benchmark for programs: CSV of means, pictures and tests, and one JSON document."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from polyfuse.benchmark.documents import Outcome
from polyfuse.benchmark.judged import Judged
from polyfuse.benchmark.statistics import Comparison
from polyfuse.benchmark.tasks import TaskTable
from polyfuse.evaluation.records import as_text, document, picture_csv, summary_csv
from polyfuse.evaluation.report import versions

SCHEMA = 1
"""Version of the JSON document."""


def summaries(outcome: Outcome) -> str:
    """summary.csv: as of `polyfuse evaluate`, with the set before."""
    return _with_set((judged, summary_csv(judged.report)) for judged in outcome.judged)


def pictures(outcome: Outcome) -> str:
    """per_picture.csv: a file has one head, so protocols with other metrics come one number a line."""
    lines = [["set", "pair", "group", "method", "kind", "protocol", "number", "value"]]
    for judged in outcome.judged:
        rows = list(csv.reader(picture_csv(judged.report).splitlines()))
        head = rows[0]
        for row in rows[1:]:
            facts = dict(zip(head, row, strict=True))
            first = [as_text(judged.work.set.name), facts["pair"], _group(judged, row[0]), facts["method"]]
            first += [facts["kind"], facts["protocol"]]
            lines += [[*first, key, facts[key]] for key in head[4:]]
    return _csv(lines)


def _group(judged: Judged, pair: str) -> str:
    names = {as_text(one.name): one.name for one in judged.work.set.pairs}
    return as_text(judged.work.set.group_of(names[pair]))


def tests_csv(outcome: Outcome) -> str:
    """tests.csv: a line for each two methods and each number."""
    lines: list[list[str]] = [
        ["set", "protocol", "number", "one", "other", "mean_one", "mean_other", "groups", "p_holm", "better"]
    ]
    for judged in outcome.judged:
        overall = [] if judged.overall is None else [("all metrics", judged.overall)]
        for key, found in (*overall, *judged.comparisons.items()):
            for (one, other), p in found.p_pairs.items():
                better = one if found.is_better(one, other) else other if found.is_better(other, one) else ""
                names = [as_text(one), as_text(other)]
                numbers = [repr(found.means[one]), repr(found.means[other]), str(found.num_groups), repr(p)]
                lines.append([as_text(judged.work.set.name), judged.protocol, key, *names, *numbers, as_text(better)])
    return _csv(lines)


def _with_set(parts: Iterable[tuple[Judged, str]]) -> str:
    """Tables of one head below each other, with the name of the set first."""
    lines: list[list[str]] = []
    for judged, text in parts:
        head, *rows = csv.reader(text.splitlines())
        lines += [["set", *head]] if not lines else []
        lines += [[as_text(judged.work.set.name), *row] for row in rows]
    return _csv(lines)


def _csv(lines: Iterable[Sequence[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(lines)
    return file.getvalue()


def json_text(outcome: Outcome) -> str:
    """results.json."""
    return json.dumps(as_json(outcome), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Everything but the numbers of single pictures, which per_picture.csv and the result files have."""
    plan = outcome.plan
    return {
        "schema": SCHEMA,
        "title": outcome.title,
        "versions": versions(),
        "sets": [_set_json(judged) for judged in outcome.judged],
        "timings": None if outcome.timings is None else asdict(outcome.timings),
        "tasks": [_task_json(task) for task in outcome.tasks],
        "missing": [asdict(one) for one in plan.missing],
        "lacking": list(outcome.lacking),
        "commands": list(outcome.commands),
    }


def _set_json(judged: Judged) -> dict[str, Any]:
    found, facts = judged.work.set, document(judged.report)
    del facts["per_picture"], facts["versions"], facts["schema"], facts["failures"]
    overall = {} if judged.overall is None else {"all metrics": judged.overall}
    return {
        "set": found.name,
        "title": found.title,
        "is_whole": found.is_whole,
        "count": found.count,
        "groups": judged.num_groups,
        **facts,
        "tests": {key: _test_json(one) for key, one in {**overall, **judged.comparisons}.items()},
    }


def _test_json(found: Comparison) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "groups": found.num_groups,
        "mean_ranks": dict(found.ranks),
        "friedman": {"chi2": number(found.chi2), "p": number(found.p)},
        "critical_difference": number(found.critical),
        "best": found.best,
        "not_told_apart": list(found.top),
        "can_tell": found.can_tell,
        "better": [[one, other] for one in found.methods for other in found.methods
                   if one != other and found.is_better(one, other)],
    }  # fmt: skip


def _task_json(task: TaskTable) -> dict[str, Any]:
    rows = [(name, [cell.text for cell in cells]) for section in task.grid.sections for name, cells in section.rows]
    return {
        "title": task.title,
        "columns": [column.heading for column in task.grid.columns],
        "rows": [{"name": name, "cells": cells} for name, cells in rows],
        "notes": list(task.grid.footer),
    }
