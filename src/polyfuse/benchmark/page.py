"""The results page of a benchmark: the one place where its outcome is put into the words of `polyfuse.pages`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from polyfuse import pages
from polyfuse.benchmark import documents
from polyfuse.benchmark.diagram import can_be_drawn, critical_difference, described
from polyfuse.benchmark.documents import Outcome
from polyfuse.benchmark.files import fused_files
from polyfuse.benchmark.judged import Judged
from polyfuse.benchmark.results import Store, as_file_name
from polyfuse.benchmark.sheets import most_different
from polyfuse.evaluation.charts import rendered
from polyfuse.evaluation.report import Column
from polyfuse.evaluation.tables import Grid
from polyfuse.io import Pair
from polyfuse.metrics import METRICS

FOLDER = "page"
"""Folder, in that of a benchmark, with index.html."""


def num_pairs(outcome: Outcome) -> int:
    """How many pairs the page has pictures of."""
    return sum(len(_pairs(outcome, judged)) for judged in _first(outcome).values())


def save_page(outcome: Outcome, store: Store, on_pair: Callable[[str], None] | None = None) -> Path:
    """Write the page in place of an earlier one.

    Args:
        outcome: What came out.
        store: Where pictures are.
        on_pair: Called with the name of each pair once its pictures are written.

    Returns:
        The path of index.html.

    Raises:
        InputError: If a picture cannot be read.
        OutputError: If a file cannot be written.
    """
    first = _first(outcome)
    collections = [_collection(outcome, judged, store) for judged in first.values()]
    columns = {column.key: column for judged in first.values() for column in judged.report.columns}
    return pages.write_page(
        store.folder / FOLDER,
        outcome.title,
        collections,
        [_metric(column) for column in columns.values()],
        _sections(outcome, store),
        subtitle=", ".join(f"{work.set.name} ({work.set.size})" for work in outcome.plan.works),
        maps=outcome.plan.suite.page.maps,
        overwrite=True,
        on_pair=on_pair,
    )


def _first(outcome: Outcome) -> dict[str, Judged]:
    """What came out under the first protocol, by set; nothing where no pictures are kept."""
    first: dict[str, Judged] = {}
    for judged in outcome.judged if outcome.plan.suite.pictures else ():
        first.setdefault(judged.work.set.name, judged)
    return first


def _pairs(outcome: Outcome, judged: Judged) -> list[Pair]:
    """The pairs that are shown, in the order of the set."""
    most = outcome.plan.suite.page.pairs
    pairs = judged.work.set.pairs
    chosen = set(most_different(judged)[: most or len(pairs)])
    return [pair for pair in pairs if pair.name in chosen]


def _metric(column: Column) -> pages.MetricColumn:
    """A column of the scores of pairs."""
    better: pages.Better = "none" if column.better == "none" else "higher" if column.better == "up" else "lower"
    return pages.MetricColumn(column.key, better, 3, METRICS[column.metric.name].title)


def _collection(outcome: Outcome, judged: Judged, store: Store) -> pages.Collection:
    """The pairs of one set."""
    found, shown = judged.work.set, _pairs(outcome, judged)
    scores: dict[str, dict[str, dict[str, float | None]]] = {}
    for pair, method, evaluation in judged.report.pictures:
        if method.kind == "method":
            values = {column.key: column.of(evaluation) for column in judged.report.columns}
            numbers = {key: value if math.isfinite(value) else None for key, value in values.items()}
            scores.setdefault(pair, {})[method.name] = dict(numbers)
    pairs = tuple(
        pages.Pair(
            pair.name,
            pair.a,
            pair.b,
            fused_files(outcome.plan, judged.work, store, pair),
            scores.get(pair.name, {}),
            note=found.groups.get(pair.name, ""),
        )
        for pair in shown
    )
    some = "" if len(shown) == len(found.pairs) else f" {len(shown)} pairs, those on which methods differ most."
    return pages.Collection(found.name, pairs, found.name_a, found.name_b, f"{found.title}. {judged.words}{some}")


def _sections(outcome: Outcome, store: Store) -> list[pages.Section]:
    """The report."""
    sections = [_set_section(judged, store) for judged in outcome.judged]
    if outcome.timings is not None:
        items = (pages.Prose(documents.timing_line(outcome.timings)), _table(documents.timing_grid(outcome.timings)))
        sections.append(pages.Section("Timings", items))
    sections += [
        pages.Section(task.title, (_table(task.grid), pages.Prose(_lines(task.grid.footer)))) for task in outcome.tasks
    ]
    commands = [pages.Command(command) for command in outcome.commands]
    sections.append(pages.Section("How to make this again", commands))
    absent = [f"{one.name} is missing: get {one.where}" for one in outcome.plan.missing] + list(outcome.lacking)
    if absent:
        sections.append(pages.Section("Not here", (pages.Prose(_lines(absent)),)))
    return sections


def _set_section(judged: Judged, store: Store) -> pages.Section:
    """The part of one set under one protocol."""
    found = judged.work.set
    items: list[pages.contents.Item] = [
        pages.Prose(f"{found.title}. {found.size}. {judged.words}\n\n{documents.COPIES}"),
        _scores(judged),
    ]
    if judged.overall is not None:
        better = documents.better_lines(judged.overall)
        items.append(pages.Prose(f"{documents.overall_line(judged.overall)}\n\n{_lines(better)}"))
        items.append(_table(documents.tests_grid(judged)))
        if can_be_drawn(judged.overall):
            figure = critical_difference(judged.overall, f"{found.name}: all ranked metrics")
            svg = rendered(figure, "svg").decode("utf-8")
            items.append(pages.Chart(svg[svg.index("<svg") :], described(judged.overall)))
    sheet = store.folder / "sheets" / f"{as_file_name(found.name)}.png"
    if sheet.is_file():
        items.append(pages.Chart(sheet, f"Contact sheet of {found.name}: sources and methods, with magnified regions"))
    items.append(pages.Prose(_lines((*judged.report.notes, *(f"warning: {t}" for t in judged.report.warnings)))))
    return pages.Section(f"{found.name}, {judged.protocol}", items)


def _scores(judged: Judged) -> pages.Table:
    """Means of all rows; nothing is marked as best, since the tests say that."""
    report = judged.report
    rank = pages.MetricColumn("avg rank", "lower", 2)
    columns = [pages.MetricColumn("n", digits=0), *map(_metric, report.columns), rank]
    rows: list[tuple[str | float | int | None, ...]] = []
    muted = []
    for row in report.rows:
        if row.method.kind == "baseline":
            muted.append(len(rows))
        means = [row.summaries[column.key].mean for column in report.columns]
        finite = [mean if math.isfinite(mean) else None for mean in means]
        rows.append((row.method.name, row.num_pictures, *finite, row.rank))
    for table in report.published:
        for name, values in table.rows.items():
            muted.append(len(rows))
            told = [_number(values.get(c.metric.name)) if c.part == "value" else None for c in report.columns]
            rows.append((f"{name}, {table.title}", None, *told, None))
    return pages.Table(("method", *columns), tuple(rows), "Means", (), tuple(muted))


def _number(text: str | None) -> float | None:
    """A published number."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _table(grid: Grid) -> pages.Table:
    """A table as it is printed."""
    columns = (grid.names, *(column.heading for column in grid.columns))
    rows = [(name, *(cell.text for cell in cells)) for section in grid.sections for name, cells in section.rows]
    return pages.Table(columns, tuple(rows), best_rows=())


def _lines(texts: tuple[str, ...] | list[str]) -> str:
    """A list in prose."""
    return "\n".join(f"- {text}" for text in texts)
