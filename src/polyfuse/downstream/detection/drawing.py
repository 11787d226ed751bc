"""Pictures of a comparison: the pairs on which rows differ most, with boxes found, missed and wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from polyfuse.downstream.detection.found import NOTHING
from polyfuse.downstream.detection.matching import RIGHT, WRONG, match
from polyfuse.downstream.detection.run import Comparison, RowResult
from polyfuse.downstream.detection.truth import Edges
from polyfuse.downstream.rows import TRIVIAL, Contestants, Pixels8
from polyfuse.drawing.panels import Panel, Row, sheet
from polyfuse.io import atomic_path

PICTURES = "pictures"
"""Folder, in that of a run, with a sheet for each pair drawn."""
FOUND_COLOUR, MISSED_COLOUR, WRONG_COLOUR, IGNORED_COLOUR = (60, 220, 90), (255, 60, 60), (255, 200, 0), (150, 150, 150)
_WIDTH = 4.4
"""Of a panel, inches."""
_COLUMNS = 4
_LEGEND = "green: true box that was found; red, dashed: missed; yellow: found where nothing is; grey: to be ignored"


@dataclass(frozen=True)
class Judged:
    """The boxes of one picture in one row by what became of them."""

    found: tuple[Edges, ...]
    """True boxes that were found."""
    missed: tuple[Edges, ...]
    """True boxes that were not."""
    wrong: tuple[Edges, ...]
    """Found boxes where nothing is."""
    ignored: tuple[Edges, ...]
    """True boxes that count for nothing."""


def judged(comparison: Comparison, row: RowResult, name: str) -> Judged:
    """What became of the boxes of a picture, of the classes that count and with the score that recall asks for."""
    kinds: dict[str, list[Edges]] = {"found": [], "missed": [], "wrong": [], "ignored": []}
    for label in comparison.counted:
        true = [box for box in comparison.truth.boxes[name] if box.label == label]
        some = row.found.get(name, NOTHING).of_class(label).above(comparison.recall_score)
        matched = match(some, true)
        taken = {int(index) for index, v in zip(matched.takes, matched.verdicts, strict=True) if v == RIGHT}
        for index, box in enumerate(true):
            kinds["ignored" if box.ignored else "found" if index in taken else "missed"].append(box.edges)
        for edges, verdict in zip(some.edges.tolist(), matched.verdicts, strict=False):
            if verdict == WRONG:
                kinds["wrong"].append((edges[0], edges[1], edges[2], edges[3]))
    return Judged(*(tuple(kinds[kind]) for kind in ("found", "missed", "wrong", "ignored")))


def most_different(comparison: Comparison, number: int) -> list[str]:
    """Pictures on which rows differ most in boxes found less boxes wrong, the widest spread first."""
    spreads = []
    for name in comparison.truth.boxes:
        each = [judged(comparison, row, name) for row in comparison.rows]
        values = [len(one.found) - len(one.wrong) for one in each]
        spreads.append((min(values) - max(values), name))
    order = sorted(range(len(spreads)), key=lambda index: spreads[index][0])
    return [spreads[index][1] for index in order[:number] if spreads[index][0] < 0]


def draw(
    comparison: Comparison, contestants: Contestants, folder: Path, number: int, *, overwrite: bool
) -> Iterator[Path]:
    """Draw a sheet for each of the pairs on which rows differ most, yielding each path once its file is complete.

    Args:
        comparison: What was found.
        contestants: The pictures; rows that are not among them have none and are left out.
        folder: Of the run.
        number: Sheets at most.
        overwrite: Whether existing files may be replaced.

    Raises:
        DependencyError: If matplotlib is missing.
        OutputError: If a file cannot be written.
    """
    pairs = {pair.name: pair for pair in contestants.pairs}
    rows = {row.name: row for row in contestants.rows}
    shown_rows = [row for row in comparison.rows if row.name in rows]
    for name in most_different(comparison, number) if shown_rows else ():
        panels: dict[bool, list[Panel]] = {True: [], False: []}
        for row in shown_rows:
            boxes = judged(comparison, row, name)
            picture = with_boxes(contestants.picture(rows[row.name], pairs[name]), boxes)
            true = len(boxes.found) + len(boxes.missed)
            title = f"{row.name}: {len(boxes.found)} of {true} found, {len(boxes.wrong)} wrong"
            panels[row.name in TRIVIAL].append(Panel(title, picture))
        content = sheet(name, "", _sheet_rows(panels, comparison), _WIDTH, _LEGEND).png()
        path = folder / PICTURES / f"{quote(name, safe=' +')}.png"
        with atomic_path(path, overwrite) as temporary:
            temporary.write_bytes(content)
        yield path


def _sheet_rows(panels: dict[bool, list[Panel]], comparison: Comparison) -> list[Row]:
    """Sources and baselines in a row of their own, then methods."""
    line = f"{', '.join(comparison.counted)}; score at least {comparison.recall_score:g}, overlap at least 0.5"
    rows = []
    for is_trivial, title in ((True, "Each source alone, average, maximum"), (False, "Methods")):
        some = panels[is_trivial]
        rows += [Row(title, line, some[at : at + _COLUMNS]) for at in range(0, len(some), _COLUMNS)]
    return rows


def with_boxes(picture: Pixels8, boxes: Judged) -> Pixels8:
    """The picture, twice as large where it is small, with outlines of all boxes."""
    factor = 2 if max(picture.shape[:2]) < 800 else 1
    canvas = np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1)
    for group, colour, dashed in (
        (boxes.ignored, IGNORED_COLOUR, True),
        (boxes.wrong, WRONG_COLOUR, False),
        (boxes.missed, MISSED_COLOUR, True),
        (boxes.found, FOUND_COLOUR, False),
    ):
        for edges in group:
            _outline(canvas, [factor * edge for edge in edges], colour, dashed=dashed)
    return canvas


def _outline(canvas: Pixels8, edges: list[float], colour: tuple[int, int, int], *, dashed: bool) -> None:
    """Draw the border of a box, three pixels wide, inside the picture."""
    height, width = canvas.shape[:2]
    x0, x1 = (int(np.clip(round(edge), 0, width)) for edge in (edges[0], edges[2]))
    y0, y1 = (int(np.clip(round(edge), 0, height)) for edge in (edges[1], edges[3]))
    rows, columns = np.mgrid[y0:y1, x0:x1]
    border = (rows - y0 < 3) | (y1 - rows <= 3) | (columns - x0 < 3) | (x1 - columns <= 3)
    if dashed:
        border &= _dashes(rows + columns)
    canvas[y0:y1, x0:x1][border] = colour


def _dashes(steps: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where dashes are: eight pixels of twelve."""
    dashes: NDArray[np.bool_] = steps % 12 < 8
    return dashes
