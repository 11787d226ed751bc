"""How FNet is trained (spec fnet 6 and 7).

Stage "reconstruction": FNet and IFNet together, so that both sources can be told from the fused picture.
Stage "fusion": FNet alone, by intensity, gradient and structure, with a new optimiser.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from torch import Tensor, nn

from polyfuse.families.fnet.inverse import IFNet, IFNetConfig
from polyfuse.families.fnet.network import FNet, FNetConfig
from polyfuse.losses.terms import reconstruction_terms
from polyfuse.train.attached import loss_weights
from polyfuse.train.fusion_stage import draw, fusion_stage
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
from polyfuse.train.strict import check_known, read_strict

INVERSE = "inverse"


def _build(recipe: Recipe) -> dict[str, nn.Module]:
    """FNet and, where a stage needs it, IFNet."""
    config, inverse_config = _configs(recipe)
    parts: dict[str, nn.Module] = {FUSER: FNet(config)}
    if any(stage.kind == "reconstruction" for stage in recipe.stages):
        parts[INVERSE] = IFNet(inverse_config)
    for part in parts.values():
        cast(FNet | IFNet, part).precision = recipe.precision
    return parts


def _configs(recipe: Recipe) -> tuple[FNetConfig, IFNetConfig]:
    """Configuration of both networks: IFNet's coder has FNet's options except those in [parts.inverse.coder]."""
    config: FNetConfig = read_strict(FNetConfig, recipe.model, "model")
    for name in recipe.parts:
        check_known(name, [INVERSE], "parts")
    values = recipe.parts.get(INVERSE, {})
    read_strict(IFNetConfig, values, "parts.inverse")  # first as written: messages then name what the user wrote
    coder = asdict(config.coder) | values.get("coder", {})
    inverse_config: IFNetConfig = read_strict(IFNetConfig, values | {"coder": coder}, "parts.inverse")
    return config, inverse_config


def _stages(recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
    """The stages of `recipe`."""
    kinds = {"reconstruction": _reconstruction, "fusion": fusion_stage}
    check_kinds(recipe, kinds, "FNet")
    check_no_teacher(recipe, "FNet")
    return [kinds[stage.kind](stage) for stage in recipe.stages]


def _reconstruction(config: StageConfig) -> Stage:
    """Stage I: FNet and IFNet, one Adam over both."""
    own = {"intensity_a": 1.0, "gradient_a": 1.0, "intensity_b": 1.0, "gradient_b": 1.0}
    weights = loss_weights(config, own, fuses=False)

    def losses(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        a, b = parts[INVERSE](parts[FUSER](batch.a, batch.b))
        intensity_a, gradient_a = reconstruction_terms(a, batch.a)
        intensity_b, gradient_b = reconstruction_terms(b, batch.b)
        terms = {
            "intensity_a": intensity_a,
            "gradient_a": gradient_a,
            "intensity_b": intensity_b,
            "gradient_b": gradient_b,
        }
        return {name: weights[name] * term for name, term in terms.items()}

    turn = Turn("both", (FUSER, INVERSE), losses, config.optimiser)
    return Stage(config.kind, config.steps, (turn,), losses, draw)


TRAINING = Training(_build, _stages)
