"""A stage that fuses, with the loss of steadiness added: fine-tuning for clips, whatever the network."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from polyfuse.errors import UsageError
from polyfuse.losses.steadiness import RIM, steadiness
from polyfuse.train.recipe import Recipe
from polyfuse.train.stage import FUSER, Batch, Parts, Stage, Turn

RECONSTRUCTION = "reconstruction"
"""Kind of the stages that make no fused picture."""


def steadied(stage: Stage, recipe: Recipe, index: int) -> Stage:
    """The stage, its turn of the fusing network with "steadiness" where the recipe gives it a weight.

    Args:
        stage: What the family made of the stage.
        recipe: The recipe.
        index: Place of the stage in it, from 0.

    Raises:
        UsageError: If the crops have no next frames, or next frames have no use, or crops have no middle.
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
