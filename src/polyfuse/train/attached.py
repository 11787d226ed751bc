"""Losses that stages of any family can have beside their own: terms of the fused picture, and steadiness in time.

A new loss for all families takes a function in `polyfuse.losses` and a row of `ATTACHED`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from torch import Tensor

from polyfuse.errors import UsageError
from polyfuse.losses import fidelity, order, stronger
from polyfuse.losses.fidelity import fidelity_loss
from polyfuse.losses.order import order_distance
from polyfuse.losses.steadiness import RIM, steadiness
from polyfuse.losses.stronger import stronger_loss
from polyfuse.losses.terms import brightness_distance
from polyfuse.train.recipe import Recipe, StageConfig
from polyfuse.train.stage import FUSER, Batch, LoadFrozen, Parts, Stage, Training, Turn
from polyfuse.train.strict import check_known

ATTACHED: dict[str, Callable[[Tensor, Batch], Tensor]] = {
    "fidelity": lambda fused, batch: fidelity_loss(fused, batch.a, batch.b, batch_mean=batch.mean),
    "brightness": lambda fused, batch: brightness_distance(fused, batch.a, batch.b),
    "order": lambda fused, batch: order_distance(fused, batch.a, batch.b),
    "stronger": lambda fused, batch: stronger_loss(fused, batch.a, batch.b, batch_mean=batch.mean),
}
"""Losses of the fused picture for which every stage that fuses takes a weight; 0 by default, then not computed."""
SMALLEST = {"fidelity": fidelity.SMALLEST, "order": order.SIDE, "stronger": stronger.SMALLEST}
"""Shortest side of the crops that a loss can be computed of, pixels; the others take any."""
RECONSTRUCTION = "reconstruction"
"""Kind of the stages that make no fused picture."""


def split_losses(
    config: StageConfig, own: Collection[str], where: str, *, fuses: bool = True
) -> tuple[dict[str, float], dict[str, float]]:
    """The weights that a stage names: those of its family's own losses, and those of `ATTACHED`.

    Args:
        config: The stage.
        own: Names of the family's losses.
        where: Name of the table in messages.
        fuses: Whether the stage makes a fused picture.

    Raises:
        UsageError: If a loss is unknown, with the nearest name.
    """
    known = [*own, *(ATTACHED if fuses else ())]
    for name in config.losses:
        check_known(name, known, where)
    return (
        {name: weight for name, weight in config.losses.items() if name in own},
        {name: config.losses.get(name, 0.0) for name in ATTACHED if name not in own} if fuses else {},
    )


def loss_weights(config: StageConfig, defaults: dict[str, float], *, fuses: bool = True) -> dict[str, float]:
    """Weights of all losses of a stage, those of `ATTACHED` last.

    Raises:
        UsageError: If the stage names a loss that is unknown.
    """
    own, attached = split_losses(config, defaults, f"losses of stage {config.kind}", fuses=fuses)
    return defaults | own | attached


def attached_terms(fused: Tensor, batch: Batch, weights: Mapping[str, float]) -> dict[str, Tensor]:
    """Weighted terms of `ATTACHED`; those with weight 0 are left out."""
    return {name: weights[name] * term(fused, batch) for name, term in ATTACHED.items() if weights.get(name)}


def stages_of(training: Training, recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
    """The stages of a recipe as its family makes them, with "steadiness" where the recipe asks for it.

    Raises:
        UsageError: If a stage names what its family does not have, or the crops do not fit its losses.
    """
    stages = training.stages(recipe, load_frozen)
    side = min(recipe.data.crop.size, recipe.rhythm.validation_crop)
    for name, smallest in SMALLEST.items():
        if side < smallest and any(stage.losses.get(name) for stage in recipe.stages):
            raise UsageError(f"crops of {side} pixels are too small for the loss {name}: use {smallest} or more.")
    return [steadied(stage, recipe, index) for index, stage in enumerate(stages)]


def steadied(stage: Stage, recipe: Recipe, index: int) -> Stage:
    """The stage, with the loss "steadiness" in the fusion network's turn where the recipe gives it a weight.

    Args:
        stage: What the family made of the stage.
        recipe: The recipe.
        index: Place of the stage in it, from 0.

    Raises:
        UsageError: If the stage has only one of steadiness and twins, fuses nothing, or its crops are too small.
    """
    config, crop = recipe.stages[index], recipe.crop_of(index)
    if bool(config.steadiness) != bool(crop.twin):
        raise UsageError(
            f"stages.{index} has {'steadiness' if config.steadiness else 'twin'} alone: give a stage both steadiness "
            "and crop.twin, or neither."
        )
    if not config.steadiness:
        return stage
    if config.kind == RECONSTRUCTION:
        raise UsageError(f"stages.{index}.steadiness: stage {config.kind} makes no fused picture, drop it.")
    if crop.size <= 2 * RIM + crop.twin:
        raise UsageError(f"crops of {crop.size} pixels have no middle that moves: use more than {2 * RIM + crop.twin}.")

    def added(turn: Turn) -> Turn:
        def step(parts: Parts, batch: Batch) -> dict[str, Tensor]:
            loss = config.steadiness * steadiness(stage.draw(parts, batch), crop.twin)
            return turn.step(parts, batch) | {"steadiness": loss}

        return replace(turn, step=step) if FUSER in turn.parts else turn

    return replace(stage, turns=tuple(added(turn) for turn in stage.turns))
