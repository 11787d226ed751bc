"""A `ClaimsReport` as text for readers and as CSV for programs."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from polyfuse.errors import OutputError
from polyfuse.explain.claims import ClaimsReport, Estimate
from polyfuse.io import write_text
from polyfuse.io.atomic import check_all_apart
from polyfuse.io.source import counted, shown
from polyfuse.ops.bootstrap import LEVEL, RESAMPLES

CLAIMS, STATISTICS, PAIRS = "claims.csv", "statistics.csv", "pairs.csv"
"""Files in the folder: a line for each claim, for each mean, for each number of each pair."""
DIGITS = 3
NO_VALUE = "n/a"


def claims_text(report: ClaimsReport) -> str:
    """The statistics as tables of equal columns, then the claims with their verdicts."""
    lines = [
        f"{report.record['model']}: what its paper claims, on {counted(len(report.pairs), 'pair')}",
        f"mean [{LEVEL:.0%} interval of {RESAMPLES} bootstrap draws of the pairs]",
    ]
    for quantities, places in _tables(report):
        rows = [
            [place, *(_text(values[name]) if name in values else NO_VALUE for name in quantities)]
            for place, values in places.items()
        ]
        lines += ["", *_aligned([["", *quantities], *rows])]
    numbers = {source: index for index, source in enumerate(dict.fromkeys(c.source for c, _ in report.claims), start=1)}
    claims = [
        [f"{claim.text} ({numbers[claim.source]})", value.verdict, _text(value), claim.formula]
        for claim, value in report.claims
    ]
    lines += ["", *_aligned([["claim", "verdict", "margin", "which is above 0 where it is true"], *claims]), ""]
    return "\n".join([*lines, *(f"({number}) {shown(source)}" for source, number in numbers.items())]) + "\n"


def _tables(report: ClaimsReport) -> Iterator[tuple[tuple[str, ...], dict[str, dict[str, Estimate]]]]:
    """Tables by their quantities: a place joins the first table that has all of its quantities, or begins one."""
    by_place: dict[str, dict[str, Estimate]] = {}
    for place, name, value in report.statistics():
        by_place.setdefault(place, {})[name] = value
    tables: dict[tuple[str, ...], dict[str, dict[str, Estimate]]] = {}
    for place, values in by_place.items():
        quantities = next((names for names in tables if set(values) <= set(names)), tuple(values))
        tables.setdefault(quantities, {})[place] = values
    yield from tables.items()


def _text(value: Estimate) -> str:
    """`0.912 [0.901, 0.920]`; the mean alone where there is no interval, or where it is the mean."""
    mean, low, high = (f"{number:.{DIGITS}f}" for number in (value.mean, value.low, value.high))
    return mean if value.n < 2 or low == high else f"{mean} [{low}, {high}]"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with their columns below one another, the first one ruled off."""
    printed = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*printed, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in printed]
    return [lines[0], "─" * max(map(len, lines)), *lines[1:]]


def save_claims(
    report: ClaimsReport, folder: str | os.PathLike[str], *, overwrite: bool = False, inputs: Iterable[Path] = ()
) -> Iterator[Path]:
    """Write claims.csv, statistics.csv and pairs.csv, yielding each path once its file is complete.

    Args:
        report: From `measure_claims`.
        folder: Made if missing.
        overwrite: Whether these files may be replaced.
        inputs: Files that are not replaced in any case.

    Raises:
        OutputError: If a file is there already or cannot be written; no file is left half-written.
    """
    texts = {CLAIMS: _claims_csv(report), STATISTICS: _statistics_csv(report), PAIRS: _pairs_csv(report)}
    check_all_apart([Path(folder) / name for name in texts], list(inputs))
    for name, text in texts.items():
        yield write_text(Path(folder) / name, text, overwrite=overwrite)


def check_claims_ready(folder: Path, *, overwrite: bool = False) -> None:
    """Tell before any work whether the tables could be saved there.

    Raises:
        OutputError: If `folder` is a file, or one of the tables is there and `overwrite` is off.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise OutputError(f"{shown(folder)} is a file: name a folder.")
    present = [name for name in (CLAIMS, STATISTICS, PAIRS) if os.path.lexists(folder / name)]
    if present and not overwrite:
        raise OutputError(f"{shown(folder)} holds {', '.join(present)} already: pass --overwrite to replace them.")


def _claims_csv(report: ClaimsReport) -> str:
    head = ["claim", "source", "margin", "mean", "low", "high", "n", "verdict"]
    facts = [
        [claim.text, claim.source, claim.formula, *_numbers(value), value.verdict] for claim, value in report.claims
    ]
    return _csv(head, facts)


def _statistics_csv(report: ClaimsReport) -> str:
    rows = ([place, name, *_numbers(value)] for place, name, value in report.statistics())
    return _csv(["place", "quantity", "mean", "low", "high", "n"], rows)


def _pairs_csv(report: ClaimsReport) -> str:
    rows = (
        [pair, place, name, repr(value)]
        for pair, measured in report.pairs
        for place, values in measured.items()
        for name, value in values.items()
    )
    return _csv(["pair", "place", "quantity", "value"], rows)


def _numbers(value: Estimate) -> list[str]:
    """The numbers in full; an empty cell where there is none."""
    return ["" if number is None else repr(number) for number in value.numbers().values()]


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return file.getvalue()
