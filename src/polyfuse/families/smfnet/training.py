"""How SMFNet is trained (spec smfnet 5): stage "reconstruction", each source from its own features; stage "fusion".

All five parts of the network are trained in both stages, each clipped by itself, by one Adam that goes on from stage to
stage; parts that a stage does not run have no gradient and stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import cast

from torch import Tensor, nn

from polyfuse.errors import UsageError
from polyfuse.families.smfnet import Features, SMFNet, SMFNetConfig
from polyfuse.families.smfnet.losses import (
    FusionWeights,
    LossRules,
    Pair,
    ReconstructionWeights,
    fusion_terms,
    reconstruction_terms,
)
from polyfuse.train.attached import attached_terms, loss_weights, split_losses
from polyfuse.train.fusion_stage import draw
from polyfuse.train.recipe import Recipe, StageConfig
from polyfuse.train.stage import (
    FUSER,
    Batch,
    LoadFrozen,
    Parts,
    Stage,
    Training,
    Turn,
    check_kinds,
    check_no_teacher,
)
from polyfuse.train.strict import read_strict


@dataclass(frozen=True)
class StageOptions(LossRules):
    """[stages.options]: which form each loss has, and how fast the fusion layers learn."""

    fusion_rate: float = 1.0
    """Factor of the rate of both fusion layers, whose published schedule begins with stage II while that of the others
    goes on."""


def _build(recipe: Recipe) -> dict[str, nn.Module]:
    """The network."""
    if recipe.parts:
        raise UsageError(f"SMFNet has one network and no parts.{next(iter(recipe.parts))}: drop it.")
    config: SMFNetConfig = read_strict(SMFNetConfig, recipe.model, "model")
    return {FUSER: SMFNet(config)}


def _stages(recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
    """The stages of `recipe`."""
    kinds = {"reconstruction": _reconstruction, "fusion": _fusion}
    check_kinds(recipe, kinds, "SMFNet", options=True)
    check_no_teacher(recipe, "SMFNet")
    graph = ("graph",) if read_strict(SMFNetConfig, recipe.model, "model").graph else ()
    children = ("encoder", "decoder", *graph, "fuse_base", "fuse_detail")
    return [kinds[stage.kind](stage, children) for stage in recipe.stages]


def _reconstruction(config: StageConfig, children: tuple[str, ...]) -> Stage:
    """Stage I: the decoder makes either source from its base, detail and graph features."""
    weights = ReconstructionWeights(**loss_weights(config, asdict(ReconstructionWeights()), fuses=False))
    options: StageOptions = read_strict(StageOptions, config.options, "stages.options")

    def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        a, b, features = cast(SMFNet, parts[FUSER]).reconstruct(batch.a, batch.b)
        return reconstruction_terms(a, b, batch.a, batch.b, *_by_branch(features), weights=weights, rules=options)

    return _stage(config, children, losses, options)


def _fusion(config: StageConfig, children: tuple[str, ...]) -> Stage:
    """Stage II: the fused picture has the intensity and gradient of whichever source has more."""
    own, attached = split_losses(config, asdict(FusionWeights()), f"losses of stage {config.kind}")
    weights = FusionWeights(**own)
    options: StageOptions = read_strict(StageOptions, config.options, "stages.options")

    def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        fused, features = cast(SMFNet, parts[FUSER]).fuse(batch.a, batch.b)
        terms = fusion_terms(fused, batch.a, batch.b, *_by_branch(features), weights=weights, rules=options)
        return terms | attached_terms(fused, batch, attached)

    return _stage(config, children, losses, options)


def _by_branch(features: Features) -> tuple[Pair, Pair, Pair | None]:
    """Pairs of features of a and of b: base, detail and, where there is one, graph."""
    graph = None if features.graph_a is None or features.graph_b is None else (features.graph_a, features.graph_b)
    return (features.base_a, features.base_b), (features.detail_a, features.detail_b), graph


def _stage(
    config: StageConfig,
    children: tuple[str, ...],
    losses: Callable[[Parts, Batch], dict[str, Tensor]],
    options: StageOptions,
) -> Stage:
    """A stage of one turn with these losses, which also validate it."""
    rates = {"fuse_base": options.fusion_rate, "fuse_detail": options.fusion_rate}
    turn = Turn(FUSER, (FUSER,), losses, config.optimiser, children=children, rates=rates, keeps_moments=True)
    return Stage(config.kind, config.steps, (turn,), losses, draw)


TRAINING = Training(_build, _stages)
