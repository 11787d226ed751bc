"""The scores of all runs side by side: mean and spread over seeds, difference to the full model, the paper's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from polyfuse.ablation.measured import read_measures
from polyfuse.ablation.plan import Pictures, Run, budget_of
from polyfuse.ablation.work import columns_of_study, read_scores
from polyfuse.evaluation.published import PublishedTable, published_variants
from polyfuse.evaluation.report import Column
from polyfuse.evaluation.summary import Summary, summarise
from polyfuse.train import Recipe
from polyfuse.train.variants import Study, Variant

CLEAR = 2.0
"""Standard errors by which a difference must differ from zero to be more than the luck of the seeds."""


@dataclass(frozen=True)
class Entry:
    """The numbers of one column of one row."""

    ours: Summary
    """Mean and spread over the seeds of our mean over all pictures."""
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
    """What the row changes."""
    values: Mapping[int, Mapping[str, float]]
    """Mean over all pictures by seed and column, those that are measured too; NaN where there is none."""
    entries: Mapping[str, Entry]
    """Numbers by column."""
    measured: Mapping[str, Entry]
    """The same of what the study measures of the networks, by `Measures.key`."""


@dataclass(frozen=True)
class Comparison:
    """A whole study, as far as it is done."""

    study: Study
    """The study that is compared."""
    lines: tuple[Line, ...]
    """The rows, the unchanged model first."""
    num_seeds: int
    """Seeds of each row in the plan; fewer may be done."""
    num_pairs: int
    """Number of pairs that are scored."""
    pairs_sha256: str
    """SHA-256 of the pair list."""
    budget: str
    """What was trained on and for how long."""
    model: Mapping[str, Any]
    """Options of the unchanged network that differ from its family's."""
    printed: PublishedTable | None
    """The paper's table; None where it has none for these pictures."""
    notes: tuple[str, ...]
    """What a reader of the table must know."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns of the table."""
        return columns_of_study(self.study)

    @property
    def agreement(self) -> tuple[int, int]:
        """Clear differences where the paper prints one that is not zero, and how many of them have its sign."""
        entries = [entry for line in self.lines for entry in line.entries.values()]
        both = [entry for entry in entries if entry.is_clear and entry.printed_difference]
        return len(both), sum(entry.agrees for entry in both)


def compare(study: Study, base: Recipe, runs: Sequence[Run], pictures: Pictures, dataset: str | None) -> Comparison:
    """Put the scores of all runs together, from their files alone.

    Args:
        study: The study.
        base: Recipe of the unchanged model.
        runs: From `make_plan`.
        pictures: What they are scored on; a run that is not is left out.
        dataset: From `find_dataset`: whose published rows to show, None for none.
    """
    summaries: dict[str, dict[int, dict[str, Any]]] = {run.variant.name: {} for run in runs}
    for run in runs:
        scores = read_scores(study, run, pictures)
        if scores is not None:
            summaries[run.variant.name][run.recipe.seed] = scores["rows"][0]["summary"]
    values = {name: {seed: _means(study, cells) for seed, cells in seeds.items()} for name, seeds in summaries.items()}
    measured_keys = [measures.key(column) for measures in study.measures for column in measures.columns]
    for run in runs:
        if run.recipe.seed in values[run.variant.name] and study.measures:
            measured = read_measures(study, run, pictures) or {}
            values[run.variant.name][run.recipe.seed] |= {key: measured.get(key, math.nan) for key in measured_keys}
    printed = published_variants(study.paper, dataset, study.protocol) if dataset is not None else None
    keys, lines = [column.key for column in columns_of_study(study)], []
    for variant in {run.variant.name: run.variant for run in runs}.values():
        entries = {key: _entry(study, variant, key, values, printed) for key in keys}
        measured_entries = {key: _entry(study, variant, key, values, None) for key in measured_keys}
        lines.append(Line(variant, values[variant.name], entries, measured_entries))
    return Comparison(
        study=study,
        lines=tuple(lines),
        num_seeds=len({run.recipe.seed for run in runs}),
        num_pairs=len(pictures.pairs),
        pairs_sha256=pictures.sha256,
        budget=budget_of(base),
        model=base.model,
        printed=printed,
        notes=tuple(_left_out(study, summaries)),
    )


def _means(study: Study, cells: Mapping[str, Any]) -> dict[str, float]:
    """Mean over all pictures by column."""
    means = {column.key: cells[column.key]["mean"] for column in columns_of_study(study)}
    return {key: math.nan if mean is None else mean for key, mean in means.items()}


def _left_out(study: Study, summaries: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> Iterator[str]:
    """One line for each column that has no value for some pictures."""
    for key in (column.key for column in columns_of_study(study)):
        counts = {name: sum(cells[key]["left_out"] for cells in seeds.values()) for name, seeds in summaries.items()}
        texts = [f"{count} of {name}" for name, count in counts.items() if count]
        if texts:
            yield f"{key.replace('_', ' ')}: no finite value, left out of the mean: {', '.join(texts)}"


def _entry(
    study: Study,
    variant: Variant,
    key: str,
    values: Mapping[str, Mapping[int, Mapping[str, float]]],
    printed: PublishedTable | None,
) -> Entry:
    """The numbers of column `key` in the row of `variant`."""
    ours, full = (summarise([means[key] for means in values[v.name].values()]) for v in (variant, study.full))
    rows = {} if printed is None else printed.rows
    value, unchanged = (rows.get(v.printed, {}).get(key) for v in (variant, study.full))
    is_full = variant is study.full
    return Entry(
        ours,
        difference=math.nan if is_full else ours.mean - full.mean,
        error=math.nan if is_full else math.hypot(*(s.sd / math.sqrt(s.n) if s.n else math.nan for s in (ours, full))),
        printed=None if value is None else Decimal(value),
        printed_difference=None if is_full or not value or not unchanged else Decimal(value) - Decimal(unchanged),
    )
