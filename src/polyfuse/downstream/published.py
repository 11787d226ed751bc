"""What papers print of detection and segmentation, to stand below our rows where task and data set are the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from polyfuse.errors import UsageError
from polyfuse.evaluation.published import (
    CAVEAT,
    PublishedTable,
    find_dataset,
    find_paper,
    guess_dataset,
    published_results,
)
from polyfuse.evaluation.tables import Cell, Grid, Section

Task = Literal["detection", "segmentation"]
_SETS: dict[Task, str] = {"detection": "M3FD", "segmentation": "MFNet"}
"""The one data set that the papers print each task for."""
_MEANS = {"mAP50": "AP50", "mAP50:95": "AP", "mIoU": "mIoU", "mAcc": "mAcc"}
"""Headings, without arrows, of published means over classes."""


def find_published(
    papers: Iterable[str], task: Task, dataset: str | None, folder: Path
) -> tuple[tuple[PublishedTable, ...], tuple[str, ...]]:
    """The published tables that compare with a run, and what their numbers are.

    Args:
        papers: Values of `--compare`; none gives no tables.
        task: What is measured.
        dataset: Name of the data set; None: guessed from `folder`.
        folder: Where the pictures are.

    Raises:
        UsageError: If a paper is unknown, prints nothing of the task, or prints it for another data set.
    """
    names = list(dict.fromkeys(find_paper(paper) for paper in papers))
    if not names:
        return (), ()
    wanted = _SETS[task]
    given = find_dataset(dataset) if dataset is not None else guess_dataset(folder)
    if given != wanted:
        what = "the data set is not known" if given is None else f"this is {given}"
        raise UsageError(
            f"papers print {task} for {wanted} alone and {what}: drop --compare, or pass --dataset {wanted} if it is "
            "that."
        )
    tables, notes = published_results(names, task, wanted)
    silent = [name for name in names if name not in {table.paper for table in tables}]
    if silent:
        raise UsageError(f"{silent[0]} prints no {task}: drop it from --compare.")
    return tuple(tables), (*notes, CAVEAT)


def with_published(grid: Grid, tables: Sequence[PublishedTable]) -> Grid:
    """The table with published rows below, in the columns of the same meaning.

    Classes go by their names, whatever the case; what has no column here is left out.
    """
    places = {column.heading.removesuffix(" ↑").lower(): index for index, column in enumerate(grid.columns)}
    sections = []
    for table in tables:
        rows = []
        for method, values in table.rows.items():
            cells = [Cell("")] * len(grid.columns)
            for metric, value in values.items():
                place = places.get(_heading(metric).lower())
                if place is not None:
                    cells[place] = Cell(value)
            rows.append((method, tuple(cells)))
        sections.append(Section(table.title, tuple(rows)))
    return replace(grid, sections=(*grid.sections, *sections))


def _heading(metric: str) -> str:
    """The heading, without an arrow, of the column that a published number belongs to."""
    if metric in _MEANS:
        return _MEANS[metric]
    kind, _, label = metric.partition(" ")
    return {"AP50": f"{label} AP50", "IoU": label}.get(kind, metric)


def published_document(tables: Sequence[PublishedTable]) -> list[dict[str, Any]]:
    """The published tables as plain JSON values, numbers as printed."""
    return [
        {"paper": table.paper, "table": table.table, "dataset": table.dataset, "rows": table.rows} for table in tables
    ]
