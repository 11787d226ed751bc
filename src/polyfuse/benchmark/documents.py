"""The outcome of a benchmark as text: report.md and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from polyfuse.benchmark.judged import Judged, tested_grid
from polyfuse.benchmark.plan import Plan
from polyfuse.benchmark.statistics import ALPHA, Comparison
from polyfuse.benchmark.tasks import TaskTable
from polyfuse.benchmark.timing import Timings
from polyfuse.evaluation.documents import latex_text, markdown_text, one_line
from polyfuse.evaluation.report import versions
from polyfuse.evaluation.tables import NO_VALUE, Cell, Grid, GridColumn, Section
from polyfuse.io.source import counted, shown

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
    return plain(f"{counted(len(names), 'method')}: {', '.join(names)}. Sets: {sets}. {COPIES}")


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
        lines += [f"- {plain(text)}" for text in better_lines(judged.overall)]
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
    """A line for each method that a test says is better than others, else that none is: Wilcoxon, Holm's correction."""
    lines = []
    for one in sorted(comparison.methods, key=lambda method: comparison.ranks[method]):
        worse = [other for other in comparison.methods if other != one and comparison.is_better(one, other)]
        if worse:
            everything = len(worse) == len(comparison.methods) - 1 and len(worse) > 1
            whom = "all others" if everything else ", ".join(worse)
            lines.append(f"{one} is better than {whom}")
    return lines or ["No test tells any two methods apart."]


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
        f"Milliseconds for one pair from pixels to pixels, models in turns in one run; {timings.machine}, "
        f"{counted(timings.threads, 'thread')}, {timings.device}, load average {timings.load:.2f} before. Ratio: to "
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
