"""The outcome of a benchmark as text: report.md, LaTeX, CSV and one JSON document."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from polyfuse.benchmark.judged import Judged, tested_grid
from polyfuse.benchmark.statistics import ALPHA, Comparison
from polyfuse.benchmark.tasks import TaskTable
from polyfuse.benchmark.timing import Timings
from polyfuse.benchmark.work import Plan
from polyfuse.evaluation.documents import latex_text, markdown_text, one_line
from polyfuse.evaluation.records import as_text, document, picture_csv, summary_csv
from polyfuse.evaluation.report import versions
from polyfuse.evaluation.tables import NO_VALUE, Cell, Grid, GridColumn, Section
from polyfuse.io.source import counted, shown

SCHEMA = 1
COPIES = (
    "copy a and copy b are the two sources themselves, average and maximum their pixel mean and maximum: what a method "
    "has to beat. They are neither ranked nor tested."
)


@dataclass(frozen=True)
class Outcome:
    """All that came of a benchmark."""

    plan: Plan
    """What was done."""
    judged: tuple[Judged, ...]
    """By set and protocol."""
    timings: Timings | None
    """If there are any."""
    tasks: tuple[TaskTable, ...]
    """Downstream tasks."""
    lacking: tuple[str, ...]
    """Lines on what is not there."""
    commands: tuple[str, ...]
    """Command lines that make the same."""

    @property
    def title(self) -> str:
        """Heading."""
        return self.plan.suite.title or "Benchmark"


@dataclass(frozen=True)
class Drawn:
    """A picture of the report."""

    path: str
    """Relative to the report."""
    alt: str
    """What it shows, in words."""


def plain(text: str) -> str:
    r"""Text on one line that Markdown prints as it stands, HTML and marks included.

    >>> plain("a*b|<script>")
    'a\\*b\\|&lt;script&gt;'
    """
    import html
    import re

    return html.escape(re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", one_line(text)), quote=False)


def markdown(outcome: Outcome, drawn: dict[str, Sequence[Drawn]]) -> str:
    """The report in GitHub's Markdown.

    Args:
        outcome: What came out.
        drawn: Diagrams and sheets by name of the set.
    """
    plan = outcome.plan
    lines = [f"# {plain(outcome.title)}", "", _opening(plan), ""]
    for judged in outcome.judged:
        lines += _set_part(judged, drawn)
    if outcome.timings is not None:
        lines += [
            "## Timings",
            "",
            plain(timing_line(outcome.timings)),
            "",
            markdown_text(timing_grid(outcome.timings)),
        ]
    for task in outcome.tasks:
        lines += [f"## {plain(task.title)}", "", markdown_text(task.grid)]
    lines += ["## How to make this again", ""]
    for command in outcome.commands:
        lines += [f"    {one_line(command)}", ""]
    lines += [", ".join(f"{name} {version}" for name, version in versions().items()) + ".", ""]
    absent = [f"{one.name} is missing: get {one.where}" for one in plan.missing] + list(outcome.lacking)
    if absent:
        lines += ["## Not here", "", *(f"- {plain(text)}" for text in absent), ""]
    return "\n".join(lines)


def _opening(plan: Plan) -> str:
    names = plan.names
    sets = ", ".join(f"{work.set.name} ({work.set.size})" for work in plan.works)
    return plain(f"{len(names)} methods: {', '.join(names)}. Sets: {sets}. {COPIES}")


def _set_part(judged: Judged, drawn: dict[str, Sequence[Drawn]]) -> list[str]:
    """The part of one set under one protocol."""
    found = judged.work.set
    lines = [
        f"## {plain(found.name)}, {plain(judged.protocol)}",
        "",
        plain(f"{found.title}. {found.size}, list sha256 {judged.report.pairs_sha256}. {judged.words}"),
        "",
        markdown_text(tested_grid(judged)),
        "Mean, standard deviation and 95 % interval of the mean, from draws of scenes:",
        "",
        markdown_text(spread_grid(judged)),
        *_tests_part(judged),
    ]
    for picture in drawn.get(drawn_key(judged), ()):
        lines += [f"![{plain(picture.alt)}]({picture.path})", ""]
    return lines


def drawn_key(judged: Judged) -> str:
    """By what `markdown` finds the pictures of a part."""
    return f"{judged.work.set.name}\t{judged.protocol}"


def _tests_part(judged: Judged) -> list[str]:
    """What tests say."""
    lines = ["### What the tests say", ""]
    if not judged.comparisons:
        return [*lines, "There is one method: nothing is compared.", ""]
    if judged.overall is not None:
        lines += [plain(overall_line(judged.overall)), ""]
        lines += [f"- {plain(text)}" for text in better_lines(judged.overall)] or [
            "- No method is better than another."
        ]
        lines.append("")
    return [*lines, markdown_text(tests_grid(judged))]


def overall_line(overall: Comparison) -> str:
    """Friedman's test and the mean ranks of all metrics together."""
    order = sorted(overall.methods, key=lambda method: overall.ranks[method])
    ranks = ", ".join(f"{method} {overall.ranks[method]:.2f}" for method in order)
    text = f"All ranked metrics together, mean rank over {counted(overall.num_groups, 'scene')}: {ranks}."
    if math.isfinite(overall.p):
        text += f" Friedman: chi2 {overall.chi2:.2f}, {p_text(overall.p)}; critical difference {overall.critical:.2f}."
    return text


def better_lines(comparison: Comparison) -> list[str]:
    """A line for each method that a test says is better than others: Wilcoxon with Holm's correction."""
    lines = []
    for one in sorted(comparison.methods, key=lambda method: comparison.ranks[method]):
        worse = [other for other in comparison.methods if other != one and comparison.is_better(one, other)]
        if worse:
            everything = len(worse) == len(comparison.methods) - 1 and len(worse) > 1
            whom = "all others" if everything else ", ".join(worse)
            lines.append(f"{one} is better than {whom}")
    return lines


def p_text(p: float) -> str:
    """A probability as text.

    >>> p_text(0.0002), p_text(0.25)
    ('p < 0.001', 'p = 0.250')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def spread_grid(judged: Judged) -> Grid:
    """For each metric with a better side: mean, standard deviation and bootstrap interval of every row."""
    columns = [column for column in judged.report.columns if column.part == "value" and column.better != "none"]
    rows = []
    for row in judged.report.rows:
        cells = []
        for column in columns:
            one = row.summaries[column.key]
            spread = f" ± {one.sd:.3f}" if math.isfinite(one.sd) else ""
            interval = f" ({one.low:.3f} to {one.high:.3f})" if math.isfinite(one.low) else ""
            cells.append(Cell(f"{one.mean:.3f}{spread}{interval}" if math.isfinite(one.mean) else NO_VALUE))
        rows.append((row.method.name, tuple(cells)))
    headings = tuple(GridColumn(column.heading(judged.protocol), column.metric.name) for column in columns)
    return Grid(headings, (Section("", tuple(rows)),), ())


def tests_grid(judged: Judged) -> Grid:
    """For each number: Friedman's p, the critical difference, the best mean, and what is not told apart from it."""
    columns = ("Friedman p", "critical difference", "best mean", "not told apart from it")
    rows = []
    for key, found in judged.comparisons.items():
        others = [method for method in found.top if method != found.best]
        if not found.can_tell:
            told = "no test can tell, too few scenes"
        elif len(others) == len(found.methods) - 1:
            told = "no other" if not others else "all others"
        else:
            told = ", ".join(others) or "none"
        p = "n/a" if math.isnan(found.p) else p_text(found.p).removeprefix("p ").removeprefix("= ")
        critical = "n/a" if math.isnan(found.critical) else f"{found.critical:.2f}"
        rows.append((key, tuple(map(Cell, (p, critical, shown(found.best), shown(told, most=2000))))))
    footer = (
        "Friedman: p that all methods are alike; told apart: Wilcoxon's signed-rank test, two-sided, at "
        f"{ALPHA:g} after Holm's correction over all pairs of methods",
    )
    return Grid(tuple(GridColumn(name, name) for name in columns), (Section("", tuple(rows)),), footer, names="number")


def timing_line(timings: Timings) -> str:
    """On what it was measured."""
    return (
        f"Seconds for one pair from pixels to pixels, models in turns in one run; {timings.machine}, "
        f"{timings.threads} threads, {timings.device}, load average {timings.load:.2f} before. Ratio: to "
        f"{timings.reference}."
    )


def timing_grid(timings: Timings) -> Grid:
    """Medians, spread and ratios."""
    columns = ("size", "ms", "fastest", "slowest", "turns", "ratio")
    rows = tuple(
        (
            row.method,
            tuple(
                Cell(text)
                for text in (
                    row.size,
                    *(f"{1e3 * value:.1f}" for value in (row.median, row.low, row.high)),
                    str(row.turns),
                    f"{row.ratio:.2f}",
                )
            ),
        )
        for row in timings.rows
    )
    return Grid(tuple(GridColumn(name, name) for name in columns), (Section("", rows),), ())


def latex(judged: Judged) -> str:
    """The table of one set under one protocol, with booktabs."""
    legend = (
        "Bold: the best mean, and every mean that Wilcoxon's test with Holm's correction does not tell apart from it."
    )
    return latex_text(tested_grid(judged), judged.report, legend)


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
