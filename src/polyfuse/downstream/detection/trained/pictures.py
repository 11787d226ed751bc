"""Sheets of test pairs on which the rows differ most: each row's picture with true boxes and what was found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyfuse.downstream.detection.found import Found
from polyfuse.downstream.detection.matching import RIGHT, WRONG, match
from polyfuse.downstream.detection.trained.comparison import DetectionReport, RowDetections
from polyfuse.downstream.rows import Contestants
from polyfuse.drawing.panels import Panel, Row, sheet
from polyfuse.io import atomic_path

SEED = 0
"""Whose detectors are shown, and by whose finds pairs are chosen."""
SHOWN = 0.3
"""Least score of a box that is shown and counted here."""
_PANEL, _COLUMNS, _SCALE = 3.8, 4, 2
"""Inches of a panel, panels in a line, and how often a picture is enlarged so that lines stay thin."""
_TRUE, _RIGHT, _WRONG = (60, 230, 90), (70, 150, 255), (255, 70, 50)

Rgb = NDArray[np.uint8]


def draw(report: DetectionReport, contestants: Contestants, folder: Path, count: int) -> Iterator[Path]:
    """Draw a sheet for each of the pairs that differ most, yielding each path when its file is complete.

    Args:
        report: What was found.
        contestants: Of the test pairs.
        folder: Where NAME.png is written; made if missing.
        count: How many pairs.

    Raises:
        DependencyError: If matplotlib is missing.
        OutputError: If a file cannot be written.
    """
    names = [pair.name for pair in contestants.pairs]
    scores = np.array([[picture_score(row, report, name) for name in names] for row in report.rows])
    ranges = scores.max(axis=0) - scores.min(axis=0)
    for index in np.argsort(-ranges, kind="stable")[:count]:
        pair = contestants.pairs[int(index)]
        panels = []
        for place, row in enumerate(report.rows):
            picture = contestants.picture(contestants.rows[place], pair)
            title = f"{row.row.name}  {scores[place, index]:.2f}"
            panels.append(Panel(title, with_boxes(picture, report, row.found[SEED][pair.name], pair.name)))
        lines = [
            Row("Inputs" if start == 0 else "", "name, F1 of boxes on this pair" if start == 0 else "",
                panels[start : start + _COLUMNS])
            for start in range(0, len(panels), _COLUMNS)
        ]  # fmt: skip
        text = f"seed {SEED}, boxes with a score from {SHOWN}; green: true, blue: found and right, red: found and wrong"
        canvas = sheet(pair.name, text, lines, _PANEL)
        path = folder / f"{pair.name.replace('/', '_')}.png"
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_bytes(canvas.png())
        yield path


def picture_score(row: RowDetections, report: DetectionReport, name: str) -> float:
    """F1 of one picture at overlap 0.5 and the score that is shown; 1 where there is nothing and nothing is found."""
    right = wrong = true = 0
    for label in report.labels:
        verdicts = _verdicts(row.found[SEED][name], report, label, name)
        right, wrong = right + int((verdicts == RIGHT).sum()), wrong + int((verdicts == WRONG).sum())
        true += report.truth.num_boxes(label, [name])
    return 2 * right / (right + wrong + true) if right + wrong + true else 1.0


def _verdicts(found: Found, report: DetectionReport, label: str, name: str) -> NDArray[np.int8]:
    """What becomes of the boxes of one class that are shown, best first."""
    true = [box for box in report.truth.boxes[name] if box.label == label]
    return match(found.above(SHOWN).of_class(label), true).verdicts


def with_boxes(picture: Rgb, report: DetectionReport, found: Found, name: str) -> Rgb:
    """A picture, enlarged, with true and found boxes.

    Args:
        picture: (H, W, 3) RGB.
        report: Holds the true boxes.
        found: What was found in it.
        name: Of the pair.
    """
    shown = picture.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)
    for box in report.truth.boxes[name]:
        _frame(shown, np.array(box.edges), _TRUE)
    for label in report.labels:
        of_class = found.above(SHOWN).of_class(label)
        verdicts = _verdicts(found, report, label, name)
        for edges, verdict in zip(of_class.edges, verdicts, strict=False):
            _frame(shown, edges, _RIGHT if verdict == RIGHT else _WRONG)
    return shown


def _frame(picture: Rgb, edges: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    """Draw a frame one pixel wide."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = np.clip(np.rint(edges * _SCALE), 0, [width - 1, height - 1] * 2).astype(int)
    picture[[y0, y1], x0 : x1 + 1] = colour
    picture[y0 : y1 + 1, [x0, x1]] = colour
