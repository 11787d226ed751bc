"""How DAE-Fuse is trained: in two phases, each by the network against two discriminators."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from polyfuse.errors import UsageError
from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig, Discriminator
from polyfuse.families.daefuse.discriminator import SpectralNorm
from polyfuse.families.daefuse.options import (
    DISCRIMINATORS,
    KINDS,
    MODULES,
    FusionOptions,
    Options,
    ReconstructionOptions,
    stage_options,
)
from polyfuse.families.daefuse.stages import fusion_stage, reconstruction_stage
from polyfuse.train.recipe import Recipe, StageConfig
from polyfuse.train.stage import FUSER, LoadFrozen, Stage, Training, check_kinds, check_no_teacher
from polyfuse.train.strict import check_known, read_strict

DISC = "disc"
"""Table in [parts] that is for both discriminators."""


@dataclass(frozen=True)
class DiscriminatorOptions:
    """Options of the discriminators beside their widths, which go with the network's size."""

    spectral_norm: SpectralNorm = "none"
    """Layers that are held to a spectral norm of one."""


def _build(recipe: Recipe) -> dict[str, nn.Module]:
    """The network and, if a stage trains against them, discriminators; the network's initial weights are the same."""
    config, disc_options = _config_of(recipe), _disc_options(recipe)
    fuser = DAEFuse(config)
    fuser.precision = recipe.precision
    parts: dict[str, nn.Module] = {FUSER: fuser}
    if any(options.adversarial for options in stage_options(recipe)):
        parts |= {name: Discriminator(config.disc_channels, disc_options.spectral_norm) for name in DISCRIMINATORS}
    return parts


def _config_of(recipe: Recipe) -> DAEFuseConfig:
    """Configuration of the network: [model] has its fields, and `size`, "base" or "tiny", for those left out."""
    changes = dict(recipe.model)
    sized = DAEFuseConfig.of_size(changes.pop("size", "base")).to_json()
    for name in changes:
        check_known(name, [*sized, "size"], "model")
    config: DAEFuseConfig = read_strict(DAEFuseConfig, sized | changes, "model")
    return config


def _disc_options(recipe: Recipe) -> DiscriminatorOptions:
    """Options of the discriminators."""
    for name in recipe.parts:
        check_known(name, [DISC], "parts")
    options: DiscriminatorOptions = read_strict(DiscriminatorOptions, recipe.parts.get(DISC, {}), f"parts.{DISC}")
    return options


def _stages(recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
    """The stages of `recipe`; discriminators begin anew in a stage that shows them another view than their last one."""
    check_kinds(recipe, KINDS, "DAE-Fuse", options=True)
    check_no_teacher(recipe, "DAE-Fuse")
    stages, view = [], None
    for index, (config, options) in enumerate(zip(recipe.stages, stage_options(recipe), strict=True)):
        where = f"stages.{index}"
        _check_frozen(recipe, options, where)
        stage = _stage(config, options, where)
        if options.adversarial:
            stage = replace(stage, fresh=DISCRIMINATORS if view not in (None, options.view) else ())
            view = options.view
        stages.append(stage)
    return stages


def _stage(config: StageConfig, options: Options, where: str) -> Stage:
    """The stage of either kind of options."""
    if isinstance(options, FusionOptions):
        return fusion_stage(config, options, where)
    return reconstruction_stage(config, options, where)


def _check_frozen(recipe: Recipe, options: Options, where: str) -> None:
    """Refuse to freeze modules that the network lacks, or all that it has.

    Raises:
        UsageError: If a name is unknown (with the nearest one), or nothing is left to train.
    """
    if isinstance(options, ReconstructionOptions):
        return
    missing = {"both": None, "cnn": "low", "vit": "high"}[_config_of(recipe).branches]
    modules = [name for name in MODULES if name != missing]
    for name in options.freeze:
        check_known(name, [*modules, *DISCRIMINATORS], f"{where}.options.freeze")
    if set(modules) <= set(options.freeze):
        raise UsageError(f"{where}.options.freeze leaves nothing to train: drop a module from it.")


TRAINING = Training(_build, _stages)
