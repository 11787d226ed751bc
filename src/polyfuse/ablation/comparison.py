"""The scores of all runs side by side: mean and spread over seeds, difference to the unchanged model, the paper's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from polyfuse.ablation.plan import Run
from polyfuse.ablation.study import Study, Variant
from polyfuse.data.pack import Pack
from polyfuse.evaluation.published import PublishedTable, published_variants
from polyfuse.evaluation.summary import Summary, summarise
from polyfuse.train import Recipe

CLEAR = 2.0
"""Standard errors by which a difference must differ from zero to be more than the luck of the seeds."""


@dataclass(frozen=True)
class Entry:
    """One metric of one row."""

    ours: Summary
    """Over the seeds, of the mean over all pictures."""
    difference: float
    """Our mean minus the unchanged model's; NaN where one is missing."""
    error: float
    """Standard error of the difference; NaN with fewer than two seeds on a side."""
    printed: Decimal | None
    """The paper's value."""
    printed_difference: Decimal | None
    """The paper's value minus its unchanged model's."""

    @property
    def is_clear(self) -> bool:
        """Whether the difference is more than the luck of the seeds, as far as known."""
        return abs(self.difference) > CLEAR * self.error

    @property
    def agrees(self) -> bool:
        """Whether the paper's difference goes the same way; False where it prints none."""
        return self.printed_difference is not None and self.difference * float(self.printed_difference) > 0


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    variant: Variant
    """Which."""
    values: Mapping[int, Mapping[str, float]]
    """Mean over all pictures by seed and metric; NaN where there is none."""
    entries: Mapping[str, Entry]
    """By metric."""


@dataclass(frozen=True)
class Comparison:
    """A whole study, as far as it is done."""

    study: Study
    """Which."""
    lines: tuple[Line, ...]
    """The unchanged model first."""
    num_seeds: int
    """Asked for."""
    num_pairs: int
    """Pictures scored."""
    pairs_sha256: str
    """Of the pair list."""
    budget: str
    """What was trained on and for how long."""
    printed: PublishedTable | None
    """The paper's table; None where it has none for these pictures."""
    notes: tuple[str, ...]
    """What a reader of the table must know."""

    @property
    def agreement(self) -> tuple[int, int]:
        """Clear differences where the paper prints one that is not zero, and how many of them have its sign."""
        entries = [entry for line in self.lines for entry in line.entries.values()]
        both = [entry for entry in entries if entry.is_clear and entry.printed_difference]
        return len(both), sum(entry.agrees for entry in both)


def compare(
    study: Study, base: Recipe, runs: Sequence[Run], scores: Sequence[dict[str, Any] | None], dataset: str | None
) -> Comparison:
    """Put the scores of all runs together.

    Args:
        study: The study.
        base: Recipe of the unchanged model.
        runs: From `make_plan`.
        scores: From `read_scores`, one for each run; None where there are none.
        dataset: From `find_dataset`: whose published rows to show, None for none.
    """
    found: dict[str, dict[int, dict[str, Any]]] = {run.variant.name: {} for run in runs}
    for run, document in zip(runs, scores, strict=True):
        if document is not None:
            found[run.variant.name][run.recipe.seed] = document
    variants = {run.variant.name: run.variant for run in runs}
    values = {
        name: {seed: _means(study, document) for seed, document in by_seed.items()} for name, by_seed in found.items()
    }
    summaries = {
        name: {m: summarise([means[m] for means in by_seed.values()]) for m in study.metrics}
        for name, by_seed in values.items()
    }
    printed = published_variants(study.paper, dataset, study.protocol) if dataset is not None else None
    full = summaries[study.full.name]
    first = next((document for document in scores if document is not None), None)
    return Comparison(
        study,
        tuple(
            Line(variant, values[name], {m: _entry(study, variant, m, summaries[name][m], full[m], printed)
                                         for m in study.metrics})
            for name, variant in variants.items()
        ),
        len({run.recipe.seed for run in runs}),
        0 if first is None else first["pairs"]["n"],
        "" if first is None else first["pairs"]["sha256"],
        budget_of(base),
        printed,
        tuple(
            f"{run.name}: {note}"
            for run, document in zip(runs, scores, strict=True)
            if document is not None
            for note in document["notes"]
        ),
    )  # fmt: skip


def _means(study: Study, document: Mapping[str, Any]) -> dict[str, float]:
    """Mean over all pictures by metric."""
    cells = document["rows"][0]["summary"]
    return {name: math.nan if cells[name]["mean"] is None else cells[name]["mean"] for name in study.metrics}


def _entry(
    study: Study, variant: Variant, metric: str, ours: Summary, full: Summary, printed: PublishedTable | None
) -> Entry:
    """One metric of one row."""
    rows = {} if printed is None else printed.rows
    value, unchanged = (rows.get(v.printed, {}).get(metric) for v in (variant, study.full))
    is_full = variant is study.full
    return Entry(
        ours,
        math.nan if is_full else ours.mean - full.mean,
        math.nan if is_full or min(ours.n, full.n) < 2 else math.hypot(*(s.sd / math.sqrt(s.n) for s in (ours, full))),
        None if value is None else Decimal(value),
        None if is_full or value is None or unchanged is None else Decimal(value) - Decimal(unchanged),
    )


def budget_of(recipe: Recipe) -> str:
    """What a recipe trains on and for how long, in words."""
    packs = [Pack(Path(path)) for path in recipe.data.train]
    sets = sorted({f"{item.set}/{item.split}" for pack in packs for item in pack.items})
    stages = ", ".join(f"{stage.kind} {stage.steps}" for stage in recipe.stages)
    size, num_pairs = recipe.data.crop.size, sum(len(pack.items) for pack in packs)
    return f"{stages} steps of {recipe.data.batch} crops of {size}x{size} out of {num_pairs} pairs of {', '.join(sets)}"
