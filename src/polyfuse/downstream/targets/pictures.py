"""Sheets of pairs on which the rows differ most: each row's picture, the target outlined, what is found tinted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyfuse.downstream.rows import Contestants
from polyfuse.downstream.targets.comparison import TargetReport
from polyfuse.downstream.targets.measures import Mask, grown, salient
from polyfuse.drawing.canvas import Canvas
from polyfuse.drawing.panels import Panel, Row, sheet
from polyfuse.io import atomic_path
from polyfuse.transforms.colour import luma

_PANEL, _COLUMNS = 3.8, 4
_OUTLINE, _FOUND = (40, 230, 90), (255, 60, 40)
_LINE = 2
"""Pixels of the outline, all outside of the target."""
_TINT = 0.55
"""Share of the colour where something is found."""


def draw(
    report: TargetReport, contestants: Contestants, masks: Mapping[str, Mask], folder: Path, count: int
) -> Iterator[Path]:
    """Draw a sheet for each of the pairs that differ most, yielding each path when its file is complete.

    Raises:
        DependencyError: If matplotlib is missing.
        OutputError: If a file cannot be written.
    """
    for index in report.most_different(count):
        canvas = _sheet(report, contestants, masks[report.names[index]], index)
        path = folder / f"{report.names[index]}.png"
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_bytes(canvas.png())
        yield path


def _sheet(report: TargetReport, contestants: Contestants, target: Mask, index: int) -> Canvas:
    """The sheet of one pair."""
    pair = contestants.pairs[index]
    panels = []
    for row in contestants.rows:
        score = report.scores[row.name][index]
        title = f"{row.name}  {score.contrast:.2f}  F {score.f_measure:.2f}"
        panels.append(Panel(title, marked(contestants.picture(row, pair), target)))
    lines = [
        Row("Inputs" if start == 0 else "", "name, contrast of the target, F-measure" if start == 0 else "",
            panels[start : start + _COLUMNS])
        for start in range(0, len(panels), _COLUMNS)
    ]  # fmt: skip
    text = "green: outline of the target; red: what the plain detector finds"
    return sheet(report.names[index], text, lines, _PANEL)


def marked(picture: NDArray[np.uint8], target: Mask) -> NDArray[np.uint8]:
    """A picture with found pixels tinted and the target outlined.

    Args:
        picture: (H, W, 3) RGB.
        target: (H, W).

    Returns:
        (H, W, 3) RGB.
    """
    found = salient(luma(picture.astype(np.float64) / 255) * 255)
    shown = picture.astype(np.float64)
    shown[found] = (1 - _TINT) * shown[found] + _TINT * np.array(_FOUND)
    shown[grown(target, _LINE) & ~target] = _OUTLINE
    return np.rint(shown).astype(np.uint8)
