"""What a family gives the loop: parts (networks), and stages made of turns.

A turn is one optimiser step: which parts it trains, how the weighted losses come from a batch, which optimiser. Most
stages have one turn; an adversarial stage has two, "discriminator" and "generator", taken one after the other on every
batch. The loop knows nothing beyond this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from polyfuse.errors import UsageError
from polyfuse.train.recipe import OptimiserConfig, Recipe

Parts = Mapping[str, nn.Module]
"""The networks of a family by name; "fuser" is the one that is averaged, validated and exported."""
FUSER = "fuser"
Readings = Mapping[str, Sequence[float]]
"""Readings of monitors by name, "step" among them."""


@dataclass(frozen=True, eq=False)
class Batch:
    """This process's share of one batch."""

    a: Tensor
    """(N, 1, H, W) in [0, 1]."""
    b: Tensor
    """Same shape."""
    mean: Callable[[Tensor], Tensor] = lambda value: value
    """Mean of a tensor over all processes, for losses that depend on the whole batch; carries no gradient."""


@dataclass(frozen=True)
class Turn:
    """One optimiser step of a stage."""

    name: str
    """Name of the optimiser in log and checkpoint."""
    parts: tuple[str, ...]
    """Which parts it trains; the others are frozen meanwhile."""
    step: Callable[[Parts, Batch], dict[str, Tensor]]
    """Weighted losses by name; their sum is minimised."""
    optimiser: OptimiserConfig
    """Optimiser and rate."""
    children: tuple[str, ...] = ()
    """Child modules of its only part, each clipped and logged by itself; empty: all parts are clipped together."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Factor of the rate of a child, where it is not 1."""
    keeps_moments: bool = False
    """Whether to go on with the optimiser of the stage before, if that had a turn of this name."""
    noted: tuple[str, ...] = ()
    """Names of values of `step` that are logged and not minimised."""
    frozen: tuple[str, ...] = ()
    """Modules and parameters within its parts that stay as they are, e.g. "fuser.decoder". The loop adds those that the
    family froze when it built the parts."""


@dataclass(frozen=True)
class Watch:
    """Monitors: numbers that show early that a training goes wrong."""

    measure: Callable[[Parts, Batch], dict[str, float]]
    """Numbers of the parts as they are, not averaged, on a fixed batch of validation crops."""
    judge: Callable[[Readings, float], dict[str, str]]
    """"ok", "warn" or "fail" by monitor, from all readings of the stage, the newest last, and the share of it done."""
    means: tuple[str, ...] = ()
    """Names of logged values whose means over the steps since the reading before are readings too."""


@dataclass(frozen=True)
class Stage:
    """One stage of training."""

    name: str
    """Name in log and file names."""
    steps: int
    """How many batches it takes."""
    turns: tuple[Turn, ...]
    """Optimiser steps on each batch, in this order."""
    validate: Callable[[Parts, Batch], dict[str, Tensor]]
    """Weighted losses of the averaged parts on validation crops; the sum decides which weights are the best."""
    draw: Callable[[Parts, Batch], Tensor]
    """The fused picture, (N, 1, H, W), for the sample sheet."""
    origin: str = ""
    """What else the weights come from, e.g. a teacher with its hash; goes into the weights file."""
    fresh: tuple[str, ...] = ()
    """Parts that begin this stage with the weights they had at the beginning of the run."""
    watch: Watch | None = None
    """Monitors of the stage; None if it has none."""


class Configured(Protocol):
    """What the loop needs of the "fuser" beside `nn.Module`; a `FusionModel` has it."""

    def configuration(self) -> dict[str, Any]:
        """Its configuration as JSON, for the weights file."""
        ...


LoadFrozen = Callable[[Path], nn.Module]
"""Loads a network that is not trained, e.g. a teacher, whatever its family: a frozen `FusionModel`."""


@dataclass(frozen=True)
class Training:
    """How to train one family. The part "fuser" that `build` makes is a `FusionModel`."""

    build: Callable[[Recipe], dict[str, nn.Module]]
    """Fresh parts; random values come from the global generator, which the loop seeds and restores."""
    stages: Callable[[Recipe, LoadFrozen], list[Stage]]
    """The stages of a recipe."""


def check_kinds(recipe: Recipe, kinds: Collection[str], network: str, *, options: bool = False) -> None:
    """Refuse kinds of stages, and options, that the family does not have.

    Args:
        recipe: What is to be run.
        kinds: Kinds of stages that the family has.
        network: Name of the family for messages.
        options: Whether its stages read their own options.

    Raises:
        UsageError: Naming the stage.
    """
    for index, stage in enumerate(recipe.stages):
        if stage.kind not in kinds:
            raise UsageError(f"stages.{index}.kind is {stage.kind!r}: {network} has {' and '.join(kinds)}.")
        if stage.options and not options:
            raise UsageError(f"stages.{index}.options has {next(iter(stage.options))!r}: {network} has none, drop it.")


def check_no_teacher(recipe: Recipe, network: str) -> None:
    """Refuse a teacher where no stage learns from one.

    Raises:
        UsageError: Naming the network.
    """
    if recipe.teacher is not None:
        raise UsageError(f"teacher is given, but {network} learns from none: drop it.")
