"""The comparison of inputs for segmentation as a table, as CSV and as a document for programs."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import asdict
from typing import Any

from polyfuse.downstream.published import published_document, with_published
from polyfuse.downstream.segmentation.comparison import SegmentationReport
from polyfuse.downstream.spread import gain_cells, luck, mean_cells, plain
from polyfuse.evaluation.report import versions
from polyfuse.evaluation.tables import Grid, GridColumn, Section
from polyfuse.io.source import counted

_HEAD = ("mIoU ↑", "Δ better source", "mAcc ↑", "pixel acc ↑")


def grid(report: SegmentationReport) -> Grid:
    """Lay out the table: mean±sd over the seeds, best and second best of each column marked."""
    shown = [index for index, name in enumerate(report.classes.names) if name not in report.absent]
    headings = [*_HEAD, *(report.classes.names[index] for index in shown)]
    columns = [[row.miou for row in report.rows], [report.gain(index) for index in range(len(report.rows))]]
    columns += [[row.macc for row in report.rows], [row.pixel_accuracy for row in report.rows]]
    columns += [[row.iou(index) for row in report.rows] for index in shown]
    cells = [
        gain_cells(column, report.to_beat) if place == 1 else mean_cells(column, spread=place < len(_HEAD))
        for place, column in enumerate(columns)
    ]
    rows = tuple((row.row.name, tuple(column[place] for column in cells)) for place, row in enumerate(report.rows))
    groups = [GridColumn(heading, heading) for heading in headings]
    table = Grid(tuple(groups), (Section("", rows),), tuple(_footer(report)), names="input")
    return with_published(table, report.published)


def _footer(report: SegmentationReport) -> list[str]:
    """Lines below the table."""
    budget = report.budget
    source = report.rows[report.to_beat].row.name
    lines = [
        f"{report.network} from scratch on each row's pictures of {counted(report.num_train, 'pair')}, "
        f"{counted(budget.steps, 'step')} of {counted(budget.batch, 'crop')} of up to {budget.crop} pixels, "
        f"{counted(report.seeds, 'seed')}; tested on {counted(len(report.names), 'pair')}",
        f"Δ: mIoU less that of {source}, the better single source, seed by seed; (in brackets): {luck(report.seeds)}",
        "columns of classes: IoU over all test pictures together; mIoU and mAcc: means over the classes of the truth",
    ]
    if report.absent:
        lines.append(f"no test pixel is {', '.join(report.absent)}: in no mean")
    if report.classes.ignore is not None:
        names = report.classes.names
        ignored = names[report.classes.ignore] if report.classes.ignore < len(names) else str(report.classes.ignore)
        lines.append(f"not counted: {ignored}")
    return lines


def table_csv(report: SegmentationReport) -> str:
    """One line for each row and seed, numbers in full; empty where a class is absent."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["input", "kind", "seed", "mIoU", "mAcc", "pixel_accuracy", *report.classes.names])
    for row in report.rows:
        for seed, scores in enumerate(row.scores):
            values = [scores.miou, scores.macc, scores.pixel_accuracy, *scores.iou.tolist()]
            writer.writerow([row.row.name, row.row.kind, seed, *("" if math.isnan(v) else repr(v) for v in values)])
    return text.getvalue()


def document(report: SegmentationReport) -> dict[str, Any]:
    """The whole outcome as plain values; NaN is null."""
    return {
        "task": "segmentation",
        "network": report.network,
        "budget": asdict(report.budget),
        "seeds": report.seeds,
        "classes": list(report.classes.names),
        "ignored": report.classes.ignore,
        "absent": report.absent,
        "train_pairs": report.num_train,
        "test_pairs": list(report.names),
        "better_source": report.rows[report.to_beat].row.name,
        "published": published_document(report.published),
        "rows": [_row(report, index) for index in range(len(report.rows))],
        "versions": versions(),
    }


def _row(report: SegmentationReport, index: int) -> dict[str, Any]:
    """One row as plain values."""
    row = report.rows[index]
    gain = report.gain(index)
    return {
        "name": row.row.name,
        "kind": row.row.kind,
        "miou": plain(row.miou),
        "macc": plain(row.macc),
        "pixel_accuracy": plain(row.pixel_accuracy),
        "iou": {name: plain(row.iou(place)) for place, name in enumerate(report.classes.names)},
        "gain": {**plain(gain), "is_clear": gain.is_clear},
        "picture_miou": [[_number(row.picture_miou(seed, picture)) for picture in range(len(report.names))]
                         for seed in range(report.seeds)],
    }  # fmt: skip


def _number(value: float) -> float | None:
    """The number, None where it is none."""
    return value if math.isfinite(value) else None
