"""A score with its spread over seeds or pairs, and what it is beside the better single source."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from polyfuse.downstream.rows import Row
from polyfuse.evaluation.tables import NO_VALUE, Cell, Mark

CLEAR = 2.0
"""How many of its standard errors a mean difference must be from zero to count as more than luck of the seeds."""
DIGITS = 3


@dataclass(frozen=True)
class Spread:
    """A score over the seeds."""

    values: tuple[float, ...]
    """One a seed, in [0, 1] or NaN."""

    @property
    def mean(self) -> float:
        """Over the seeds; NaN if one is."""
        return math.fsum(self.values) / len(self.values) if all(map(math.isfinite, self.values)) else math.nan

    @property
    def sd(self) -> float:
        """Standard deviation over the seeds, with n - 1; NaN for one seed."""
        finite = all(map(math.isfinite, self.values))
        return statistics.stdev(self.values) if finite and len(self.values) > 1 else math.nan

    def minus(self, other: Spread) -> Spread:
        """Differences seed by seed: two rows of one seed saw the same crops from the same first weights."""
        return Spread(tuple(one - two for one, two in zip(self.values, other.values, strict=True)))

    @property
    def is_clear(self) -> bool:
        """Whether the mean is further from zero than twice its standard error; never for one seed."""
        return self.mean != 0 and abs(self.mean) > CLEAR * self.sd / math.sqrt(len(self.values))

    def text(self, digits: int = DIGITS) -> str:
        """Mean and spread, as `0.512±0.004`."""
        if not math.isfinite(self.mean):
            return NO_VALUE
        return f"{self.mean:.{digits}f}" + (f"±{self.sd:.{digits}f}" if math.isfinite(self.sd) else "")

    def difference_text(self, digits: int = DIGITS) -> str:
        """`+0.012`, in brackets where it may be luck of the seeds."""
        if not math.isfinite(self.mean):
            return NO_VALUE
        text = f"{self.mean:+.{digits}f}"
        text = text[1:] if float(text) == 0 else text
        return text if self.is_clear else f"({text})"


def better_source(rows: Sequence[Row], scores: Sequence[Spread]) -> int:
    """Index of the single source with the higher mean, which every other row has to beat."""
    sources = [index for index, row in enumerate(rows) if row.kind == "source"]
    return max(sources, key=lambda index: (not math.isnan(scores[index].mean), scores[index].mean))


def mean_cells(column: Sequence[Spread], *, spread: bool = False, marks: bool = True) -> list[Cell]:
    """Cells of a column in which more is better: the best and the second best as printed are marked.

    Args:
        column: A score for each row.
        spread: Whether the standard deviation stands beside the mean.
        marks: Off where neither side is better. Nothing is marked either where all are equal.
    """
    printed = [f"{value.mean:.{DIGITS}f}" for value in column]
    order = sorted({float(text) for text in printed if text != "nan"}, reverse=True) if marks else []
    names: dict[float, Mark] = dict(zip(order, ("best", "second"), strict=False)) if len(order) > 1 else {}
    texts = [
        value.text() if spread else text.replace("nan", NO_VALUE) for value, text in zip(column, printed, strict=True)
    ]
    return [Cell(text, names.get(float(key), "")) for text, key in zip(texts, printed, strict=True)]


def gain_cells(gains: Sequence[Spread], to_beat: int) -> list[Cell]:
    """Cells of the differences to the better source, which has none itself."""
    return [Cell("" if place == to_beat else gain.difference_text()) for place, gain in enumerate(gains)]


def plain(spread: Spread) -> dict[str, Any]:
    """Mean, spread and single values for a document; None where there is no number."""
    values = [value if math.isfinite(value) else None for value in (spread.mean, spread.sd, *spread.values)]
    return {"mean": values[0], "sd": values[1], "values": values[2:]}


def luck(seeds: int) -> str:
    """What brackets around a difference mean."""
    return "within twice its standard error, it may be luck of the seeds" if seeds > 1 else "one seed shows no spread"
