"""Writing an evaluation to a folder: tables, numbers and charts; no file is ever left half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from polyfuse.errors import OutputError
from polyfuse.evaluation.charts import box_chart, has_radar, radar_chart, rendered, require_matplotlib
from polyfuse.evaluation.documents import latex, markdown
from polyfuse.evaluation.records import document, picture_csv, summary_csv
from polyfuse.evaluation.report import Report
from polyfuse.io import atomic_path, write_text
from polyfuse.io.atomic import check_apart
from polyfuse.io.source import shown
from polyfuse.metrics import Metric

TEXTS = ("per_picture.csv", "summary.csv", "results.json", "table.md", "table.tex")
CHART_KINDS = ("png", "svg")


def check_ready(folder: Path, metrics: Sequence[Metric], *, charts: bool, overwrite: bool) -> None:
    """Check, before any work, that the files can be written.

    Raises:
        DependencyError: If charts are wanted and matplotlib is missing.
        OutputError: If `folder` is a file, or one of the files exists and `overwrite` is off.
    """
    if charts:
        require_matplotlib()
    if os.path.lexists(folder) and not folder.is_dir():
        raise OutputError(f"{shown(folder)} is a file: name a folder.")
    existing = _existing(folder, metrics, charts=charts)
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more exist" if len(existing) > 1 else " exists"
        raise OutputError(f"{shown(existing[0])}{more}: pass --overwrite to replace them, or choose another --out.")


def check_inputs_stay(folder: Path, metrics: Sequence[Metric], inputs: Iterable[Path], *, charts: bool) -> None:
    """Check, before any work, that no file of an evaluation would replace a picture that is scored.

    Raises:
        OutputError: If one would.
    """
    pictures = tuple(inputs)
    for path in _existing(folder, metrics, charts=charts):
        check_apart(path, pictures)


def _existing(folder: Path, metrics: Sequence[Metric], *, charts: bool) -> list[Path]:
    """Those of the files of an evaluation that are there."""
    names = list(TEXTS)
    if charts:
        stems = ["radar", *(f"box_{metric.name}" for metric in metrics)]
        names += [f"{stem}.{kind}" for stem in stems for kind in CHART_KINDS]
    return [folder / name for name in names if os.path.lexists(folder / name)]


def save(report: Report, folder: Path, *, charts: bool = True, overwrite: bool = False) -> Iterator[Path]:
    """Write the files of a report, yielding each path once its file is complete.

    Args:
        report: What to write.
        folder: Made if missing.
        charts: Draw the radar, where there are three metrics and two rows for it, and a box plot for each metric.
        overwrite: Whether existing files may be replaced.

    Raises:
        DependencyError: If matplotlib is missing and charts are wanted.
        OutputError: If a file cannot be written; none is left half-written.
    """
    check_ready(folder, report.metrics, charts=charts, overwrite=overwrite)
    numbers = json.dumps(document(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    contents = (picture_csv(report), summary_csv(report), numbers, markdown(report), latex(report))
    for name, text in zip(TEXTS, contents, strict=True):
        yield write_text(folder / name, text, overwrite=overwrite)
    if not charts:
        return
    if has_radar(report):
        yield from _chart(report, folder, "radar", None, overwrite)
    for metric in report.metrics:
        yield from _chart(report, folder, f"box_{metric.name}", metric, overwrite)


def _chart(report: Report, folder: Path, stem: str, metric: Metric | None, overwrite: bool) -> Iterator[Path]:
    """Write one chart as PNG and SVG: the box plot of `metric`, or the radar where it is None."""
    column = next((c for c in report.columns if c.part == "value" and c.metric is metric), None)
    figure = radar_chart(report) if column is None else box_chart(report, column)
    for kind in CHART_KINDS:
        path = folder / f"{stem}.{kind}"
        with atomic_path(path, overwrite) as temporary:
            temporary.write_bytes(rendered(figure, kind))
        yield path
