"""Sheets of test pairs on which the rows differ most: sources, truth, and what each network made of its own input."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import device as torch_device

from polyfuse.downstream.rows import Contestants, Row
from polyfuse.downstream.segmentation.classes import Classes
from polyfuse.downstream.segmentation.comparison import SegmentationPlan, SegmentationReport
from polyfuse.downstream.segmentation.task import Mask, predict
from polyfuse.drawing.canvas import CAPTION, Canvas
from polyfuse.drawing.panels import MARGIN, Panel, sheet
from polyfuse.drawing.panels import Row as PanelRow
from polyfuse.io import atomic_path

SEED = 0
"""Whose networks are shown, and by whose scores pairs are chosen."""
_PANEL, _COLUMNS = 3.4, 4
"""Inches of a panel, and panels in a line."""
_LINE = 0.3
"""Inches of a line of the legend."""
_GOLDEN = 0.618034
"""Step of the hue from class to class, in turns: neighbours differ, however many classes there are."""
_UNCOUNTED = (40, 40, 40)

Rgb = NDArray[np.uint8]


def palette(num_classes: int) -> NDArray[np.uint8]:
    """(K, 3) colours of the classes, the same for the same number of them or more."""
    colours = [
        colorsys.hsv_to_rgb(index * _GOLDEN % 1, 0.75 if index % 2 else 0.5, 0.95 if index % 3 else 0.75)
        for index in range(num_classes)
    ]
    return np.round(np.array(colours) * 255).astype(np.uint8)


def coloured(mask: Mask, classes: Classes) -> Rgb:
    """A mask in the colours of its classes; what is not counted is dark grey.

    Args:
        mask: (H, W) class indices.
        classes: What they are.

    Returns:
        (H, W, 3) RGB.
    """
    colours = np.full((max(256, int(mask.max()) + 1), 3), _UNCOUNTED, np.uint8)
    colours[: len(classes.names)] = palette(len(classes.names))
    if classes.ignore is not None:
        colours[classes.ignore] = _UNCOUNTED
    picture: Rgb = colours[mask]
    return picture


def most_different(report: SegmentationReport, count: int) -> list[int]:
    """Indices of the test pictures whose mIoU differs most between the rows, the largest difference first."""
    scores = np.array(
        [[row.picture_miou(SEED, picture) for picture in range(len(report.names))] for row in report.rows]
    )
    ranges = np.nan_to_num(scores.max(axis=0) - scores.min(axis=0), nan=-1.0)
    return [int(index) for index in np.argsort(-ranges, kind="stable")[:count]]


def draw(
    plan: SegmentationPlan, report: SegmentationReport, folder: Path, count: int, *, overwrite: bool
) -> Iterator[Path]:
    """Draw a sheet for each of the pairs that differ most, yielding each path when its file is complete.

    Args:
        plan: What was done.
        report: Its outcome.
        folder: Where NAME.png is written; made if missing.
        count: How many pairs.
        overwrite: Whether existing files may be replaced.

    Raises:
        DependencyError: If matplotlib is missing.
        OutputError: If a file cannot be written.
    """
    chosen = most_different(report, count)
    contestants = plan.test.contestants
    predicted: dict[int, list[Mask]] = {index: [] for index in chosen}
    for row in contestants.rows:
        network = plan.network_of(row, SEED)
        for index in chosen:
            picture = contestants.picture(row, contestants.pairs[index])
            predicted[index].append(predict(network, picture, report.classes, torch_device(plan.device)))
    for index in chosen:
        canvas = _sheet(report, contestants, index, plan.test.truths[index], predicted[index])
        path = folder / f"{report.names[index].replace('/', '_')}.png"
        with atomic_path(path, overwrite) as temporary:
            temporary.write_bytes(canvas.png())
        yield path


def _sheet(
    report: SegmentationReport, contestants: Contestants, index: int, truth: Mask, predicted: list[Mask]
) -> Canvas:
    """The sheet of one pair."""
    pair, classes = contestants.pairs[index], report.classes
    sources = [Panel(row.name, contestants.picture(row, pair)) for row in contestants.rows if row.kind == "source"]
    lines = [
        PanelRow("The scene", "both sources and the true classes", [*sources, Panel("truth", coloured(truth, classes))])
    ]
    panels = [
        Panel(f"{_short(scores.row)}  {scores.picture_miou(SEED, index):.3f}", coloured(mask, classes))
        for scores, mask in zip(report.rows, predicted, strict=True)
    ]
    for start in range(0, len(panels), _COLUMNS):
        title = "What each network made of its own input" if start == 0 else ""
        line = "name of the row, and its mIoU on this pair alone" if start == 0 else ""
        lines.append(PanelRow(title, line, panels[start : start + _COLUMNS]))
    shown = [place for place in range(len(classes.names)) if place != classes.ignore]
    per_line = 7
    below = _LINE * (1 + (len(shown) - 1) // per_line) + 0.2
    text = f"{report.network}, seed {SEED}, {report.budget.steps} steps on {report.num_train} pairs"
    canvas = sheet(report.names[index], text, lines, _PANEL, below=below)
    colours = palette(len(classes.names)) / 255
    for place, number in enumerate(shown):
        row, column = divmod(place, per_line)
        left, top = MARGIN + column * (canvas.width - 2 * MARGIN) / per_line, canvas.height - below + row * _LINE
        canvas.text(left, top, "\N{BLACK SQUARE}", CAPTION + 4, color=tuple(colours[number]))
        canvas.text(left + 0.25, top + 0.04, classes.names[number], CAPTION)
    return canvas


def _short(row: Row) -> str:
    """Name of a row that fits above a panel."""
    return row.name if len(row.name) <= 24 else f"{row.name[:22]}…"
