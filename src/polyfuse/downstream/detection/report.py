"""A comparison as a table, CSV, Markdown and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyfuse._version import __version__
from polyfuse.downstream.detection.run import Comparison, RowResult
from polyfuse.downstream.detection.scoring import DRAWS, LEVEL, SEED, SIZES, ClassScore
from polyfuse.downstream.published import published_document, with_published
from polyfuse.errors import OutputError
from polyfuse.evaluation.documents import markdown_text
from polyfuse.evaluation.records import as_text
from polyfuse.evaluation.tables import NO_VALUE, Cell, Grid, GridColumn, Mark, Section
from polyfuse.io import write_text
from polyfuse.io.source import counted, shown

FILES = ("table.md", "rows.csv", "results.json")
MEAN = "mean"
"""What the lines of a mean over classes are called in the CSV file."""


def grid(comparison: Comparison) -> Grid:
    """The table: means over classes, difference to the best source, AP50 of each class, AP by size."""
    columns = [GridColumn("AP50 ↑", "mean"), GridColumn("AP ↑", "mean"), GridColumn("recall ↑", "mean")]
    columns.append(GridColumn("AP50 to best source, 95 %", "difference"))
    labels = [label for label in comparison.truth.classes if label in comparison.rows[0].score.classes]
    labels = labels if len(labels) > 1 else []  # of a single class the means say it all
    columns += [GridColumn(f"{label} AP50 ↑", f"class {label}") for label in labels]
    columns += [GridColumn(f"AP {size} ↑", "size") for size in SIZES]
    values = [_values(row, labels) for row in comparison.rows]
    marks = [_marks([row[index] for row in values]) for index in range(len(values[0]))]
    methods: list[tuple[str, tuple[Cell, ...]]] = []
    trivial: list[tuple[str, tuple[Cell, ...]]] = []
    for place, row in enumerate(comparison.rows):
        cells = [Cell(_text(value), marks[index][place]) for index, value in enumerate(values[place])]
        cells.insert(3, Cell(_difference(comparison, row.name)))
        (trivial if row.kind in ("source", "baseline") else methods).append((row.name, tuple(cells)))
    sections = [Section("", tuple(methods)), Section("sources and baselines" if methods else "", tuple(trivial))]
    table = Grid(tuple(columns), tuple(s for s in sections if s.rows), tuple(_footer(comparison)), "row")
    return with_published(table, comparison.published)


def _values(row: RowResult, labels: Sequence[str]) -> list[float]:
    """The numbers of a row, without the difference."""
    means, classes = row.score.means, row.score.classes
    sizes = [means.sizes[size] for size in SIZES]
    return [means.ap50, means.ap, means.recall, *(classes[label].ap50 for label in labels), *sizes]


def _text(value: float) -> str:
    return NO_VALUE if math.isnan(value) else f"{value:.3f}"


def _marks(column: Sequence[float]) -> list[Mark]:
    """Best and second best, by the printed numbers; all rows take part, sources too."""
    texts = [_text(value) for value in column]
    order = sorted({text for text in texts if text != NO_VALUE}, reverse=True)
    names: dict[str, Mark] = dict(zip(order, ("best", "second"), strict=False)) if len(order) > 1 else {}
    return [names.get(text, "") for text in texts]


def _difference(comparison: Comparison, name: str) -> str:
    """Difference to the best source with its interval."""
    if name == comparison.best_source:
        return "best source"
    if name not in comparison.differences:
        return ""
    difference = comparison.differences[name]
    return f"{difference.mean:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def _footer(comparison: Comparison) -> list[str]:
    """Lines below the table."""
    truth = comparison.truth
    boxes = ", ".join(f"{label} {truth.num_boxes(label)}" for label in comparison.counted)
    lines = [
        f"n = {counted(len(truth.boxes), 'picture')}; means over {boxes} true boxes",
        f"AP50 at overlap 0.5, AP over overlaps 0.5 to 0.95, recall at a score of {comparison.recall_score:g}",
    ]
    if comparison.differences:
        lines.append(f"interval of {DRAWS} draws of pictures, the same for both rows, seed {SEED}")
        lines.append("an interval that holds 0 shows no difference to the best source")
    return lines + list(comparison.notes)


def document(comparison: Comparison) -> dict[str, Any]:
    """Everything as plain JSON values; numbers that are not defined are null."""
    return {
        "polyfuse": __version__,
        "settings": dict(comparison.settings),
        "classes": list(comparison.counted),
        "best_source": comparison.best_source,
        "recall_score": comparison.recall_score,
        "bootstrap": {"draws": DRAWS, "level": LEVEL, "seed": SEED},
        "rows": [_row(comparison, row) for row in comparison.rows],
        "pictures": list(comparison.truth.boxes),
        "published": published_document(comparison.published),
        "notes": list(comparison.notes),
    }


def _row(comparison: Comparison, row: RowResult) -> dict[str, Any]:
    """One row as plain values."""
    difference, pictures = comparison.differences.get(row.name), {"pictures": len(comparison.truth.boxes)}
    return {
        "name": row.name,
        "kind": row.kind,
        **_numbers(row.score.means),
        **pictures,
        "classes": {label: {**_numbers(score), **pictures} for label, score in row.score.classes.items()},
        "to_best_source": None
        if difference is None
        else {key: _finite(value) for key, value in vars(difference).items()},
    }


def _numbers(score: ClassScore) -> dict[str, Any]:
    """The scores of a class, or the means."""
    sizes = {f"AP_{size}": _finite(value) for size, value in score.sizes.items()}
    numbers = {"AP50": score.ap50, "AP": score.ap, "recall": score.recall}
    return {**{key: _finite(value) for key, value in numbers.items()}, **sizes, "boxes": score.boxes}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def rows_csv(comparison: Comparison) -> str:
    """One line for each row and class, and for the mean of each row; `nan` where there is no value."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    head = ["row", "kind", "class", "AP50", "AP", "recall", *(f"AP_{size}" for size in SIZES), "boxes", "pictures"]
    writer.writerow([*head, "difference", "low", "high"])
    for row in comparison.rows:
        difference = comparison.differences.get(row.name)
        against = ["", "", ""] if difference is None else [repr(value) for value in vars(difference).values()]
        for label, score in ((MEAN, row.score.means), *row.score.classes.items()):
            numbers = [score.ap50, score.ap, score.recall, *(score.sizes[size] for size in SIZES)]
            line = [as_text(row.name), row.kind, as_text(label), *map(repr, numbers), str(score.boxes)]
            writer.writerow([*line, str(len(comparison.truth.boxes)), *(against if label == MEAN else ["", "", ""])])
    return file.getvalue()


def check_ready(folder: Path, *, overwrite: bool) -> None:
    """Check, before any work, that the report can be written.

    Raises:
        OutputError: If `folder` is a file, or one of the report's files exists and `overwrite` is off.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise OutputError(f"{shown(folder)} is a file: name a folder.")
    existing = [folder / name for name in FILES if os.path.lexists(folder / name)]
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more exist" if len(existing) > 1 else " exists"
        raise OutputError(f"{shown(existing[0])}{more}: pass --overwrite to replace them, or choose another --out.")


def save(comparison: Comparison, folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Write table, CSV and JSON, yielding each path once its file is complete.

    Raises:
        OutputError: If one cannot be written.
    """
    numbers = json.dumps({"schema": 1, **document(comparison)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    contents = (markdown_text(grid(comparison)), rows_csv(comparison), numbers)
    for name, text in zip(FILES, contents, strict=True):
        yield write_text(folder / name, text, overwrite=overwrite)
