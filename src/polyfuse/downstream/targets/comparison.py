"""Every row measured on every masked target, and what comes out of it: rows of a table, CSV, a document."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from polyfuse.downstream.rows import Contestants, Row
from polyfuse.downstream.spread import Spread, better_source, gain_cells, mean_cells
from polyfuse.downstream.targets.measures import GAP, RING, Mask, TargetScore, score_target
from polyfuse.errors import InputError
from polyfuse.evaluation.report import versions
from polyfuse.evaluation.tables import Cell, Grid, GridColumn, Section
from polyfuse.io import Pair, find_pairs, natural_key, pairs_from_csv
from polyfuse.io.indices import read_indices
from polyfuse.io.pairs import list_pictures, listed
from polyfuse.io.source import counted, shown

COMPARED = ("contrast", "f_measure")
"""Measures with a column of differences to the better single source."""
_HEADINGS = {"contrast": "contrast ↑", "entropy": "entropy", "f_measure": "F ↑", "precision": "precision ↑",
             "recall": "recall ↑"}  # fmt: skip


def masked_pairs(a: Path, b: Path | None, masks: Path) -> list[tuple[Pair, Path]]:
    """Pairs of two folders, or of a table, each with the mask of its name.

    Raises:
        InputError: If a pair has no mask or a mask no pair.
    """
    pairs = pairs_from_csv(a) if b is None else find_pairs(a, b)
    if not masks.is_dir():
        raise InputError(f"{shown(masks)} is no folder: give the folder with the masks")
    by_name = {path.stem: path for path in list_pictures(masks)}
    names = {pair.name for pair in pairs}
    bare, spare = (sorted(alone, key=natural_key) for alone in (names - by_name.keys(), by_name.keys() - names))
    if bare:
        named = f"masks there are called such as {shown(spare[0])}; " if spare else ""
        raise InputError(
            f"{counted(len(bare), 'pair')} without a mask in {shown(masks)} ({listed(bare)}): {named}add masks of the "
            "pairs' names, or name the pairs as their masks in a table a,b,name"
        )
    if spare:
        raise InputError(
            f"{counted(len(spare), 'mask')} in {shown(masks)} without a pair ({listed(spare)}): add the pairs, under "
            "the names of their masks in a table a,b,name"
        )
    return [(pair, by_name[pair.name]) for pair in pairs]


def read_target(path: Path, size: tuple[int, int]) -> Mask:
    """A mask of targets: what is not 0.

    Args:
        path: The mask.
        size: Width and height of its pair.

    Raises:
        InputError: If it cannot be read, has another size, or marks nothing.
    """
    mask: Mask = read_indices(path) != 0
    if mask.shape[::-1] != size:
        raise InputError(
            f"{shown(path)} is {mask.shape[1]}x{mask.shape[0]} and the pair of its name {size[0]}x{size[1]}: give "
            "masks of the size of the pictures"
        )
    if not mask.any():
        raise InputError(f"{shown(path)} marks no target: leave that pair out")
    return mask


@dataclass(frozen=True)
class TargetReport:
    """What every row scored on every pair."""

    names: tuple[str, ...]
    """Of the pairs."""
    rows: tuple[Row, ...]
    """In the order of the contestants."""
    scores: Mapping[str, tuple[TargetScore, ...]]
    """By the name of the row, one a pair."""

    def over_pairs(self, row: Row, measure: str) -> Spread:
        """One measure of a row, over the pairs."""
        return Spread(tuple(float(getattr(score, measure)) for score in self.scores[row.name]))

    def to_beat(self, measure: str) -> int:
        """Index of the single source with the better mean."""
        return better_source(self.rows, [self.over_pairs(row, measure) for row in self.rows])

    def gain(self, row: Row, measure: str) -> Spread:
        """A row less the better single source, pair by pair."""
        return self.over_pairs(row, measure).minus(self.over_pairs(self.rows[self.to_beat(measure)], measure))

    def most_different(self, count: int) -> list[int]:
        """Indices of the pairs whose F-measure differs most between the rows, the largest difference first."""
        table = [self.over_pairs(row, "f_measure").values for row in self.rows]
        ranges = [max(column) - min(column) for column in zip(*table, strict=True)]
        return sorted(range(len(ranges)), key=lambda index: -ranges[index])[:count]


def measure_rows(contestants: Contestants, masks: Mapping[str, Mask]) -> Iterator[tuple[Row, Pair, TargetScore]]:
    """Measure every row on every pair, one picture in memory at a time.

    Args:
        contestants: Whose models have fused.
        masks: By the name of the pair.

    Raises:
        InputError: If a picture cannot be read, or nothing is left around a target.
    """
    for row in contestants.rows:
        for pair in contestants.pairs:
            try:
                yield row, pair, score_target(contestants.picture(row, pair), masks[pair.name])
            except InputError as error:
                raise InputError(f"{row.name}, {shown(pair.name)}: {error}") from error


def grid(report: TargetReport) -> Grid:
    """Lay out the table: means over the pairs, best and second best marked where there is a better side."""
    columns: list[tuple[str, list[Cell]]] = []
    for measure, heading in _HEADINGS.items():
        values = [report.over_pairs(row, measure) for row in report.rows]
        columns.append((heading, mean_cells(values, marks="↑" in heading)))
        if measure in COMPARED:
            to_beat = report.to_beat(measure)
            gains = [report.gain(row, measure) for row in report.rows]
            columns.append((f"Δ {report.rows[to_beat].name}", gain_cells(gains, to_beat)))
    rows = tuple((row.name, tuple(cells[place] for _, cells in columns)) for place, row in enumerate(report.rows))
    headings = tuple(GridColumn(heading, str(place)) for place, (heading, _) in enumerate(columns))
    return Grid(headings, (Section("", rows),), tuple(_footer(report)), names="input")


def _footer(report: TargetReport) -> list[str]:
    """Lines below the table."""
    return [
        f"means over {counted(len(report.names), 'pair')}, luma of 8 bits",
        f"contrast: |mean of target - mean of ring| / pooled standard deviation; the ring lies {GAP + 1} to {RING} "
        "pixels from the target",
        "F, precision, recall: of local contrast above Otsu's threshold, beta squared 0.3",
        "entropy: of the target, bits; noise raises it",
        "Δ: less the better single source, pair by pair; (in brackets): within twice its standard error over the pairs",
    ]


def table_csv(report: TargetReport) -> str:
    """One line for each row and pair, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(TargetScore)]
    writer.writerow(["input", "kind", "pair", *names])
    for row in report.rows:
        for pair, score in zip(report.names, report.scores[row.name], strict=True):
            writer.writerow([row.name, row.kind, pair, *(repr(getattr(score, name)) for name in names)])
    return text.getvalue()


def document(report: TargetReport) -> dict[str, Any]:
    """The whole outcome as plain values; what is no number is null."""
    return {
        "task": "targets",
        "pairs": list(report.names),
        "ring": [GAP + 1, RING],
        "better_source": {measure: report.rows[report.to_beat(measure)].name for measure in COMPARED},
        "rows": [_row(report, row) for row in report.rows],
        "versions": versions(),
    }


def _row(report: TargetReport, row: Row) -> dict[str, Any]:
    """One row as plain values."""
    means = {field.name: report.over_pairs(row, field.name).mean for field in fields(TargetScore)}
    gains = {measure: report.gain(row, measure) for measure in COMPARED}
    return {
        "name": row.name,
        "kind": row.kind,
        "means": means,
        "gain": {
            measure: {"mean": gain.mean, "sd": gain.sd if math.isfinite(gain.sd) else None, "is_clear": gain.is_clear}
            for measure, gain in gains.items()
        },
        "pairs": [asdict(score) for score in report.scores[row.name]],
    }
