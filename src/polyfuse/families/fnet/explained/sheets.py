"""The sheets of an FNet: an overview that tells the whole story, sheets for each part, and the order of them all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from polyfuse.drawing.canvas import (
    CAPTION,
    FAINT,
    HEADING,
    MINUS,
    SMALL,
    TITLE,
    Canvas,
    energy_scale,
    light_scale,
    panel_height,
    signed_scale,
)
from polyfuse.drawing.maps import shown_limit
from polyfuse.drawing.panels import MARGIN
from polyfuse.drawing.pictures import Pictures
from polyfuse.families.fnet.explained.charts import histogram_chart, threshold_chart
from polyfuse.families.fnet.explained.findings import PARTS, FNetFindings, Part, part_titles

_GAP = 0.55
"""Inches between panels."""
_PANEL = 4.4
"""Inches, width of a panel of the overview."""
_COLUMNS = 4
"""Of the strongest maps."""


def draw(pictures: Pictures, findings: FNetFindings) -> Iterator[tuple[str, Canvas]]:
    """Name and sheet of every picture, drawn when it is asked for.

    Overview, a contribution and a code for each part, thresholds and histograms.
    """
    parts = findings.parts
    yield "overview", overview(pictures, parts)
    for part in PARTS:
        yield f"contribution_{part}", contribution_sheet(pictures, findings, part)
    for part in PARTS:
        yield f"code_{part}", code_sheet(pictures, parts, part)
    yield "thresholds", threshold_chart(pictures, parts)
    yield "histograms", histogram_chart(pictures, parts)


def overview(pictures: Pictures, parts: dict[str, Part]) -> Canvas:
    """Sources and result, what each part adds, and where each part found something."""
    a, b = pictures.names
    high = panel_height(pictures.source_a, _PANEL)
    row = 1.25 + high
    canvas = Canvas(2 * MARGIN + 3 * _PANEL + 2 * _GAP, 1.0 + 3 * row + 2 * 0.55 + 1.15)
    canvas.text(MARGIN, 0.3, f"How {pictures.record['model']} fused {a} with {b}", TITLE, weight="bold")
    top = 1.0
    _heading(canvas, top, "1", "The pictures", "two sources and the result")
    shown_pictures = ((f"a: {a}", pictures.source_a), (f"b: {b}", pictures.source_b), ("fused", pictures.fused))
    for column, (title, pixels) in enumerate(shown_pictures):
        _caption(canvas, column, top, title)
        canvas.picture(_left(column), top + 0.95, _PANEL, high, pixels)
    top += row
    _contributions_row(canvas, pictures, parts, top, high)
    top += row + 0.55
    _heading(canvas, top, "3", "Where each part found something", "bright: much, dark: little; each on its own scale")
    for column, name in enumerate(PARTS):
        energy = parts[name].energy
        _caption(canvas, column, top, part_titles(pictures.names)[name])
        shown = canvas.picture(_left(column), top + 0.95, _PANEL, high, energy, **energy_scale(energy))
        canvas.colour_bar(shown, _left(column), top + 0.95 + high + 0.1, _PANEL)
    canvas.text(MARGIN, top + row + 0.4, _footnote(pictures, parts), SMALL, color=FAINT)
    return canvas


def _contributions_row(canvas: Canvas, pictures: Pictures, parts: dict[str, Part], top: float, high: float) -> None:
    """Row 2 of the overview: the three summands of the fused picture on one scale."""
    titles = part_titles(pictures.names)
    means = [float(parts[name].contribution.mean()) for name in PARTS]
    terms = "".join(f"{mean:+.3f} " for mean in means).replace("+", "+ ").replace("-", f"{MINUS} ").removeprefix("+ ")
    line = (
        f"pixel by pixel they add up to the fused brightness (0 black, 1 white); on average {terms}= {sum(means):.3f}"
    )
    _heading(canvas, top, "2", "What each part adds to the fused picture", line)
    scale = light_scale(shown_limit(*(parts[name].contribution for name in PARTS)))
    for column, name in enumerate(PARTS):
        _caption(canvas, column, top, titles[name])
        shown = canvas.picture(_left(column), top + 0.95, _PANEL, high, parts[name].contribution, **scale)
        if column:
            x = _left(column) - _GAP / 2
            canvas.text(x, top + 0.95 + high / 2, "+", 26, ha="center", va="center", weight="bold")
    y = top + 0.95 + high + 0.1
    canvas.colour_bar(shown, _left(1), y, _PANEL)
    canvas.text(_left(1) - 0.15, y - 0.03, "blue takes brightness away", SMALL, ha="right", color=FAINT)
    canvas.text(_left(2) - _GAP + 0.15, y - 0.03, "grey to white adds brightness", SMALL, color=FAINT)


def _footnote(pictures: Pictures, parts: dict[str, Part]) -> str:
    """What the names of the parts mean, in two lines."""
    a, b = pictures.names
    channels = parts["u"].num_channels
    return (
        f"The network first describes {a} by itself and {b} by itself, each with {channels} learned maps, then what is "
        f"left of both with {channels} more.\nThe fused picture is drawn from these three descriptions and nothing "
        "else. The parts are named after this order of work:\nwhat both pictures show can still be described by one of "
        "the first two."
    )


def _left(column: int) -> float:
    return MARGIN + column * (_PANEL + _GAP)


def _heading(canvas: Canvas, top: float, number: str, title: str, line: str) -> None:
    canvas.text(MARGIN, top, f"{number}   {title}", HEADING, weight="bold")
    canvas.text(MARGIN + 0.33, top + 0.3, line, CAPTION, color=FAINT)


def _caption(canvas: Canvas, column: int, top: float, title: str) -> None:
    canvas.text(_left(column), top + 0.83, title, CAPTION, va="baseline", weight="bold")


def contribution_sheet(pictures: Pictures, findings: FNetFindings, name: str) -> Canvas:
    """What one part adds to the fused picture, on its own scale: the overview has all three on one."""
    part, width = findings.parts[name], 8.0
    high = panel_height(part.contribution, width)
    canvas = Canvas(width + 2 * MARGIN, high + 2.35)
    canvas.text(MARGIN, 0.3, part_titles(pictures.names)[name], HEADING, weight="bold")
    mean, total = float(part.contribution.mean()), float(findings.fused_luma.mean())
    line = f"what it adds to the fused brightness (0 black, 1 white): on average {mean:+.3f} of {total:.3f}"
    canvas.text(MARGIN, 0.65, line, CAPTION, color=FAINT)
    scale = light_scale(shown_limit(part.contribution))
    shown = canvas.picture(MARGIN, 1.05, width, high, part.contribution, **scale)
    canvas.colour_bar(shown, MARGIN, high + 1.17, width)
    line = "blue takes brightness away, black changes nothing, grey to white adds brightness"
    canvas.text(MARGIN, high + 1.65, line, SMALL, color=FAINT)
    return canvas


def code_sheet(pictures: Pictures, parts: dict[str, Part], name: str) -> Canvas:
    """The code of one part: energy, strongest channel, and the strongest sixteen."""
    part, width = parts[name], 4.7
    high = panel_height(part.energy, width)
    small = (2 * width + _GAP - (_COLUMNS - 1) * 0.2) / _COLUMNS
    small_high = panel_height(part.energy, small)
    rows = -(-len(part.channels) // _COLUMNS)
    below = high + 2.35
    canvas = Canvas(2 * (MARGIN + width) + _GAP, below + 0.75 + rows * (small_high + 0.35) + 0.2)
    canvas.text(
        MARGIN, 0.3, f"{part_titles(pictures.names)[name]}: its code, {part.num_channels} maps", TITLE, weight="bold"
    )
    _two_lines(canvas, MARGIN, 0.95, "Energy of all maps", "root mean square: where anything was found")
    shown = canvas.picture(MARGIN, 1.55, width, high, part.energy, **energy_scale(part.energy))
    canvas.colour_bar(shown, MARGIN, 1.65 + high, width)
    left, first = MARGIN + width + _GAP, part.strongest[0]
    _two_lines(
        canvas, left, 0.95, f"Strongest map, number {part.channels[0]}", "red positive, blue negative, white nothing"
    )
    shown = canvas.picture(left, 1.55, width, high, first, **signed_scale(first))
    canvas.colour_bar(shown, left, 1.65 + high, width)
    line = "each on its own scale; the number above a map is where red and blue are deepest"
    _two_lines(canvas, MARGIN, below, f"The {len(part.channels)} strongest maps", line)
    _montage(canvas, part.strongest, part.channels, below + 0.75, small, small_high)
    return canvas


def _two_lines(canvas: Canvas, left: float, top: float, title: str, line: str) -> None:
    canvas.text(left, top, title, CAPTION, weight="bold")
    canvas.text(left, top + 0.27, line, CAPTION, color=FAINT)


def _montage(
    canvas: Canvas, maps: NDArray[np.float32], channels: tuple[int, ...], top: float, width: float, height: float
) -> None:
    """Maps in rows of four, each on its own scale."""
    for index, (channel, values) in enumerate(zip(channels, maps, strict=True)):
        row, column = divmod(index, _COLUMNS)
        left, upper = MARGIN + column * (width + 0.2), top + row * (height + 0.35)
        canvas.text(left, upper + 0.18, f"map {channel}:  ±{shown_limit(values):.2g}", SMALL, va="baseline")
        canvas.picture(left, upper + 0.24, width, height, values, **signed_scale(values))
