"""A sheet of pictures: rows with a heading, panels with a title and the scale of their colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.drawing.canvas import CAPTION, FAINT, HEADING, SMALL, TITLE, Canvas, panel_height
from polyfuse.drawing.pictures import Pictures

MARGIN, GAP = 0.5, 0.4
"""Inches, around the sheet and between panels."""
_HEAD, _TITLES, _BAR, _LEGEND, _BETWEEN = 0.95, 0.35, 0.5, 0.25, 0.5
"""Inches: heading above the panels, or their titles alone; colour bars below them, legend, space between rows."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of a row."""

    title: str
    """What it is."""
    pixels: NDArray[Any]
    """8-bit values for a picture, (H, W) or (H, W, 3); numbers for a map, (H, W)."""
    scale: Mapping[str, Any] = field(default_factory=dict)
    """Colours of a map, from `polyfuse.drawing.canvas`; nothing for a picture."""


@dataclass(frozen=True, eq=False)
class Row:
    """Panels beside each other under one heading."""

    title: str
    """What the row shows; a row with neither title nor line goes on with the one above."""
    line: str
    """What that means."""
    panels: Sequence[Panel]
    """From left to right."""
    legend: str = ""
    """What the colours mean."""

    @property
    def head(self) -> float:
        """Inches above the panels."""
        return _HEAD if self.title or self.line else _TITLES

    def height(self, width: float) -> float:
        """Inches that the row takes with panels of that width."""
        bars = _BAR if any(panel.scale for panel in self.panels) else 0.0
        return self.head + panel_height(self.panels[0].pixels, width) + bars + (_LEGEND if self.legend else 0.0)


def sheet(title: str, line: str, rows: Sequence[Row], width: float, foot: str = "", below: float = 0.0) -> Canvas:
    """Rows of panels under a title.

    Args:
        title: Of the sheet.
        line: One or more lines under it.
        rows: From top to bottom.
        width: Of a panel, inches.
        foot: Small print at the end.
        below: Inches left free at the bottom.
    """
    columns = max(len(row.panels) for row in rows)
    top = 0.95 + 0.25 * (line.count("\n") + 1) if line else 0.95
    foot_height = 0.2 * (foot.count("\n") + 1) + 0.3 if foot else 0.0
    height = top + sum(row.height(width) + _BETWEEN for row in rows) + foot_height + below
    canvas = Canvas(2 * MARGIN + columns * width + (columns - 1) * GAP, height)
    canvas.text(MARGIN, 0.3, title, TITLE, weight="bold")
    canvas.text(MARGIN, 0.78, line, CAPTION, color=FAINT)
    for row in rows:
        _draw(canvas, row, top, width)
        top += row.height(width) + _BETWEEN
    canvas.text(MARGIN, top - 0.1, foot, SMALL, color=FAINT)
    return canvas


def left_of(column: int, width: float) -> float:
    """Where a column of panels begins, inches."""
    return MARGIN + column * (width + GAP)


def _draw(canvas: Canvas, row: Row, top: float, width: float) -> None:
    """Draw one row from `top` downward: heading, panels, colour bars and legend."""
    canvas.text(MARGIN, top, row.title, HEADING, weight="bold")
    canvas.text(MARGIN, top + 0.3, row.line, CAPTION, color=FAINT)
    high = panel_height(row.panels[0].pixels, width)
    for column, panel in enumerate(row.panels):
        left = left_of(column, width)
        canvas.text(left, top + row.head - 0.1, panel.title, CAPTION, va="baseline", weight="bold")
        shown = canvas.picture(left, top + row.head, width, high, panel.pixels, **panel.scale)
        if panel.scale:
            canvas.colour_bar(shown, left, top + row.head + high + 0.1, width)
    if row.legend:
        canvas.text(MARGIN, top + row.height(width) - _LEGEND + 0.05, row.legend, SMALL, color=FAINT)


def as_picture8(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values in [0, 1], others cut off, as a grey 8-bit picture."""
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def pictures_row(pictures: Pictures, title: str) -> Row:
    """Both sources and the result."""
    a, b = pictures.names
    panels = (
        Panel(f"a: {a}", pictures.source_a),
        Panel(f"b: {b}", pictures.source_b),
        Panel("fused", pictures.fused),
    )
    return Row(title, "two sources and the result", panels)
