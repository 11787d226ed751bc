"""Ablation studies: a family's study has rows that each change a recipe in one point, and metrics to compare."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from torch import Tensor

from polyfuse.errors import UsageError
from polyfuse.train.recipe import Recipe, StageConfig


@dataclass(frozen=True)
class Variant:
    """One row: everything in which its recipe differs from that of the unchanged model."""

    name: str
    """What `--rows` takes, and the name of its folder."""
    summary: str
    """What is changed, in a few words."""
    printed: str = ""
    """Its row in the paper's table; empty where it has none."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """Changed options of the network."""
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Changed options of the networks that only help in training."""
    losses: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Changed weights of losses, by kind of stage."""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Changed options of stages, by kind of stage."""
    without: str | None = None
    """Kind of the stages left out."""
    keeps_steps: bool = False
    """Whether the first stage that stays takes the steps of those left out."""
    keeps_start: bool = False
    """Whether the first stage that stays begins with the first rate and warm-up of those left out."""
    trained_in: str | None = None
    """Kind of the stage without which the change would have no effect."""


@dataclass(frozen=True)
class Measures:
    """Numbers of a trained network itself, beside the scores of its pictures; a table of their own."""

    name: str
    """What is measured, in a few words; heading of the table."""
    columns: Mapping[str, Literal["up", "down", "none"]]
    """Direction by column."""
    measure: Callable[[Any, Tensor, Tensor], Mapping[str, float]]
    """From a model and a pair, (1, 1, H, W) each, to numbers by column; those that its network lacks are missing."""
    stage: str | None = None
    """Kind of the stage at whose end the network is measured; None for the last. Rows without it are not measured."""

    def key(self, column: str) -> str:
        """What a column is called outside its table."""
        return f"{self.name}: {column}"


@dataclass(frozen=True)
class Study:
    """The ablation study of a family."""

    family: str
    """Name of the family."""
    full: Variant
    """The unchanged model, which every row is compared with."""
    rows: tuple[Variant, ...]
    """The others, in the paper's order."""
    recipe: str
    """Bundled recipe with the paper's setting."""
    budget: str
    """What the paper trained on and for how long."""
    paper: str
    """The paper of the table, as the published rows name it."""
    metrics: tuple[str, ...]
    """Columns of the table; the paper's, where it has one."""
    protocol: str
    """Protocol of these metrics, that of the paper's numbers."""
    balances: tuple[str, ...] = ()
    """Metrics whose balance between the two sources is a column too."""
    measures: tuple[Measures, ...] = ()
    """What is measured of the networks themselves."""

    def choose(self, names: list[str] | None) -> list[Variant]:
        """The unchanged model and the rows of these names, in the paper's order; None stands for all.

        Raises:
            UsageError: If there is no such row, with the nearest names.
        """
        if names is None:
            return [self.full, *self.rows]
        known = {variant.name.lower(): variant for variant in (self.full, *self.rows)}
        for name in names:
            if name.lower() not in known:
                raise UsageError(f"the study of {self.family} has no row {name!r}: {self._advice(name)}")
        wanted = {name.lower() for name in names} | {self.full.name.lower()}
        return [variant for name, variant in known.items() if name in wanted]

    def _advice(self, name: str) -> str:
        """End of an error message: the nearest names, or all."""
        known = {variant.name.lower(): variant.name for variant in self.rows}
        near = [known[match] for match in difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)]
        return f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known.values())}."


def variant_recipe(base: Recipe, variant: Variant, seed: int) -> Recipe:
    """The recipe of one row.

    Args:
        base: Recipe of the unchanged model.
        variant: The row.
        seed: Seed of initial weights, crops and their order.

    Raises:
        UsageError: If `base` leaves the change without effect.
    """
    kinds = {stage.kind for stage in base.stages}
    needed = [
        kind for kind in (*variant.losses, *variant.options, variant.without, variant.trained_in) if kind is not None
    ]
    for kind in needed:
        if kind not in kinds:
            raise UsageError(
                f"{variant.name} ({variant.summary}) needs a recipe with a stage {kind!r}: give another --recipe, or "
                f"name --rows without {variant.name}."
            )
    stages = tuple(_changed(stage, variant) for stage in base.stages if stage.kind != variant.without)
    if variant.keeps_steps and stages:
        left_out = sum(stage.steps for stage in base.stages) - sum(stage.steps for stage in stages)
        stages = (replace(stages[0], steps=stages[0].steps + left_out), *stages[1:])
    if variant.keeps_start and stages:
        first = base.stages[0].optimiser
        optimiser = replace(stages[0].optimiser, rate=first.rate, warmup=first.warmup)
        stages = (replace(stages[0], optimiser=optimiser), *stages[1:])
    model, parts = _merged(base.model, variant.model), _merged(base.parts, variant.parts)
    changed = replace(base, stages=stages, model=model, parts=parts)
    asks_for_change = variant.model or variant.parts or needed
    if asks_for_change and changed == base:
        raise UsageError(
            f"{variant.name} ({variant.summary}) is what the recipe does already: give another --recipe, or name "
            f"--rows without {variant.name}."
        )
    return replace(changed, name=_named(base.name, variant) if asks_for_change else base.name, seed=seed)


def _changed(stage: StageConfig, variant: Variant) -> StageConfig:
    """A stage with the losses and options of a row."""
    losses = {**stage.losses, **variant.losses.get(stage.kind, {})}
    return replace(stage, losses=losses, options=_merged(stage.options, variant.options.get(stage.kind, {})))


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested tables with `changes` made in them."""
    both = {**values, **changes}
    for name, change in changes.items():
        if isinstance(change, Mapping):
            both[name] = _merged(values.get(name, {}), change)
    return both


def _named(name: str, variant: Variant) -> str:
    """Name of weights that are not the family's usual ones: "fnet.road" becomes "fnet-ae2.road"."""
    family, dot, domain = name.partition(".")
    return f"{family}-{variant.name.lower()}{dot}{domain}"
