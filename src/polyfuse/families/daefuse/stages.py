"""The two phases of DAE-Fuse: "reconstruction" of each source, then "fusion" (spec daefuse 3 and 4)."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import cast

from torch import Tensor

from polyfuse.families.daefuse import DAEFuse
from polyfuse.families.daefuse.adversarial import shown
from polyfuse.families.daefuse.game import JUDGE, Phase, turns
from polyfuse.families.daefuse.losses import FusionWeights, ReconstructionWeights, fusion_terms, reconstruction_terms
from polyfuse.families.daefuse.monitors import fusion_watch, reconstruction_watch
from polyfuse.families.daefuse.options import FusionOptions, ReconstructionOptions
from polyfuse.train.attached import attached_terms, split_losses
from polyfuse.train.fusion_stage import draw
from polyfuse.train.recipe import StageConfig
from polyfuse.train.stage import FUSER, Batch, Parts, Stage, Turn, Watch
from polyfuse.train.strict import read_strict


def reconstruction_stage(config: StageConfig, options: ReconstructionOptions, where: str) -> Stage:
    """Phase 1: encoder and decoder; the fusion block takes no part and gets no gradient.

    Args:
        config: The stage.
        options: Its options.
        where: Its place in the recipe, for messages.
    """
    weights = read_strict(ReconstructionWeights, config.losses, f"{where}.losses")

    def make(parts: Parts, batch: Batch) -> tuple[Tensor, ...]:
        return cast(DAEFuse, parts[FUSER]).reconstruct(batch.a, batch.b)

    def content(made: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        return reconstruction_terms(made[0], made[1], batch.a, batch.b, weights=weights)

    phase = Phase(make, content, partial(shown, view=options.view))
    stage_turns = turns(config, options, phase)
    return _stage(config, phase, stage_turns, reconstruction_watch(adversarial=_has_judges(stage_turns)))


def fusion_stage(config: StageConfig, options: FusionOptions, where: str) -> Stage:
    """Phase 2: all parts but what `options.freeze` names. Its validation losses are those of content alone."""
    own, attached = split_losses(config, asdict(FusionWeights()), f"{where}.losses")
    weights = read_strict(FusionWeights, own, f"{where}.losses")

    def make(parts: Parts, batch: Batch) -> tuple[Tensor, ...]:
        return (draw(parts, batch),)

    def content(made: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        terms = fusion_terms(made[0], batch.a, batch.b, weights=weights)
        return terms | attached_terms(made[0], batch, attached)

    phase = Phase(make, content, partial(shown, view=options.view, detail_source=options.detail_source))
    stage_turns = turns(config, options, phase, options.freeze)
    return _stage(config, phase, stage_turns, fusion_watch(adversarial=_has_judges(stage_turns)))


def _stage(config: StageConfig, phase: Phase, stage_turns: tuple[Turn, ...], watch: Watch) -> Stage:
    """The stage of a phase; validated by its content losses."""

    def validate(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        return phase.content(phase.make(parts, batch), batch)

    return Stage(config.kind, config.steps, stage_turns, validate, draw, watch=watch)


def _has_judges(stage_turns: tuple[Turn, ...]) -> bool:
    """Whether discriminators are trained."""
    return any(turn.name == JUDGE for turn in stage_turns)
