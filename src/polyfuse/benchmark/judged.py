"""What came of one set under one protocol: the report of its scores, and what tests say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from polyfuse.benchmark.plan import ALWAYS, Plan, Work
from polyfuse.benchmark.results import Kept, Store
from polyfuse.benchmark.statistics import Comparison, Values, compare, compare_by_all
from polyfuse.benchmark.work import collected
from polyfuse.evaluation import Collected, Evaluation, Method, Report, make_report
from polyfuse.evaluation.published import PublishedTable, published_tables
from polyfuse.evaluation.report import Column
from polyfuse.evaluation.run import Task
from polyfuse.evaluation.tables import Cell, Grid, make_grid
from polyfuse.io.source import counted

MATCHING, NONE = "matching", "none"
LEGEND = (
    "**bold**: the best mean, and every mean that Wilcoxon's signed-rank test with Holm's correction does not tell "
    "apart from it at 5 %"
)


@dataclass(frozen=True)
class Judged:
    """One set under one protocol."""

    work: Work
    """The set."""
    report: Report
    """Its scores, with intervals over groups."""
    comparisons: Mapping[str, Comparison]
    """Tests by key of the column, for those with a better side."""
    overall: Comparison | None
    """The test of all ranked metrics together."""

    @property
    def protocol(self) -> str:
        """Whose conventions the scores follow."""
        return self.report.task.protocol

    @property
    def can_tell(self) -> bool:
        """Whether there are groups enough for tests."""
        return self.overall is not None and self.overall.can_tell

    @property
    def words(self) -> str:
        """What the unit of tests is, in a sentence."""
        number = self.num_groups
        pairs = counted(len(self.work.set.pairs), "pair")
        more = "" if self.can_tell else " That is too few for any test to tell methods apart."
        if number == len(self.work.set.pairs):
            return f"Tests and intervals are over {pairs}, each a scene of its own.{more}"
        shown = "1 scene or patient" if number == 1 else f"{number} different scenes or patients"
        return f"{pairs} show {shown}: tests and intervals are over these.{more}"

    @property
    def num_groups(self) -> int:
        """Scenes, streets or patients."""
        return self.work.set.num_groups


def judge(plan: Plan, work: Work, store: Store) -> tuple[list[Judged], list[str]]:
    """Summarise and test what is there of a set.

    Returns:
        One for each protocol, and a line for each result that is not there.
    """
    kept = collected(plan, work, store, work.set.pairs)
    rows = plan.rows_of(work.set.name)
    lacking = [
        f"{work.set.name}, {row.name}: no result for {counted(len(missing), 'pair')} ({', '.join(missing[:3])}"
        f"{', ...' if len(missing) > 3 else ''})"
        for row in rows
        if (missing := [name for name, found in kept.items() if row.name not in found])
    ]
    return [_judged(plan, work, rows, kept, protocol) for protocol in plan.metrics], lacking


def _judged(
    plan: Plan, work: Work, rows: list[Method], kept: Mapping[str, Mapping[str, Kept]], protocol: str
) -> Judged:
    """One protocol."""
    names = set(plan.metrics[protocol])
    pictures = [
        (pair, row, _only(found[row.name], protocol, names))
        for pair, found in kept.items()
        for row in rows
        if row.name in found
    ]
    digests = [(pair.name, work.digests[pair.name]) for pair in work.set.pairs]
    groups = {pair.name: work.set.group_of(pair.name) for pair in work.set.pairs}
    published, notes = _published(plan, work, protocol)
    report = make_report(
        Collected(digests, pictures),
        Task(plan.metrics[protocol], protocol, baselines=True),  # type: ignore[arg-type]
        rows,
        published=published,
        settings={"set": work.set.name, "groups": len(set(groups.values()))},
        groups=groups,
    )
    report = replace(report, notes=(*work.set.notes, *report.notes, *notes))
    columns = [column for column in report.columns if column.better != "none"]
    values = {column.key: _values(report, column) for column in columns}
    directions = {column.key: column.better for column in columns}
    comparisons = {
        column.key: found
        for column in columns
        if column.better != "none" and (found := compare(column.key, values[column.key], groups, column.better))
    }
    unasked = set(ALWAYS) - set(plan.suite.metrics) if plan.suite.metrics else set()
    ranked = {name: values[name] for name in report.ranked if name not in unasked}
    return Judged(work, report, comparisons, compare_by_all(ranked, groups, directions))


def _only(kept: Kept, protocol: str, names: set[str]) -> Evaluation:
    """The numbers that this suite asks for."""
    found = kept.scores[protocol]
    return replace(
        found,
        values={name: value for name, value in found.values.items() if name in names},
    )


def _values(report: Report, column: Column) -> Values:
    """One number of every method, by pair; baselines are left out."""
    values: dict[str, dict[str, float]] = {row.method.name: {} for row in report.rows if row.method.kind == "method"}
    for pair, method, evaluation in report.pictures:
        if method.kind == "method":
            values[method.name][pair] = column.of(evaluation)
    return values


def _published(plan: Plan, work: Work, protocol: str) -> tuple[list[PublishedTable], list[str]]:
    """Rows of papers for this set, and notes on what is not shown."""
    asked, found = plan.suite.compare, work.set
    if found.dataset is None or NONE in asked:
        return [], []
    if MATCHING not in asked:
        return published_tables(asked, found.dataset, protocol)
    if not found.is_whole:
        return [], [f"published rows are for {counted(found.count, 'pair')} and not shown beside {len(found.pairs)}"]
    return published_tables(found.papers, found.dataset, protocol)


def tested_grid(judged: Judged) -> Grid:
    """The table of a report, marked by tests in place of the means alone."""
    grid = make_grid(judged.report)
    methods = {row.method.name for row in judged.report.rows if row.method.kind == "method"}

    def marked(name: str, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        made = []
        for column, cell in zip(grid.columns, cells, strict=True):
            tested = judged.comparisons.get(column.source.key) if column.source is not None else None
            is_top = tested is not None and tested.can_tell and name in tested.top and len(tested.top) < len(methods)
            made.append(Cell(cell.text, "best" if is_top else ""))
        return tuple(made)

    first, *others = grid.sections
    rows = tuple((name, marked(name, cells)) for name, cells in first.rows)
    return replace(grid, sections=(replace(first, rows=rows), *others), legend=LEGEND)
