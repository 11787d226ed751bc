"""Options of DAE-Fuse's stages, [stages.options] in a recipe. The paper gives none of them; the values are ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from polyfuse.families.daefuse.adversarial import AdversarialForm
from polyfuse.train.recipe import OptimiserConfig, Recipe
from polyfuse.train.strict import read_strict

MODULES = ("shallow", "high", "low", "fusion", "decoder")
"""Modules of the network."""
DISCRIMINATORS = ("disc_a", "disc_b")


@dataclass(frozen=True)
class GameOptions:
    """Options of adversarial training in both phases."""

    adversarial: bool = True
    """False is the ablation without discriminators: they are not trained, and the network does not see them."""
    form: AdversarialForm = "bce"
    """Adversarial losses: cross entropy with real pictures at 0.9, least squares, or hinge."""
    balance: Literal["gradient", "fixed"] = "gradient"
    """Weight of the adversarial loss: by the ratio of gradients at the network's output, or `weight`."""
    share: float = 0.1
    """Size of the adversarial gradient at the output over that of the other losses, with balance "gradient"."""
    largest: float = 1.0
    """Largest weight, with balance "gradient"."""
    weight: float = 0.02
    """The weight, with balance "fixed"."""
    discriminator: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(kind="rmsprop"))
    """Optimiser of the discriminators. Source: RMSprop as reported of the paper."""


@dataclass(frozen=True)
class ReconstructionOptions(GameOptions):
    """Options of stage "reconstruction"."""

    view: Literal["image", "detail"] = "detail"
    """What discriminators see: pictures, or what a blur takes off them, in which they tell sources apart better."""


@dataclass(frozen=True)
class FusionOptions(GameOptions):
    """Options of stage "fusion"."""

    view: Literal["image", "structure"] = "image"
    """What discriminators see: pictures, or of one source its blur and of the other what the blur takes off."""
    detail_source: Literal["a", "b"] = "b"
    """The source of which "structure" shows detail: b for infrared and visible, a for MRI with PET or SPECT."""
    equalise: bool = False
    """Weigh the two adversarial losses by their sizes, 0.5 to 2, so that neither source is left behind."""
    freeze: tuple[str, ...] = ()
    """Modules and discriminators that stay as they are."""


Options = ReconstructionOptions | FusionOptions
KINDS: dict[str, type[Any]] = {"reconstruction": ReconstructionOptions, "fusion": FusionOptions}


def stage_options(recipe: Recipe) -> list[Options]:
    """Options of all stages.

    Raises:
        UsageError: If one is unknown (with the nearest name) or wrong.
    """
    return [
        read_strict(KINDS[stage.kind], stage.options, f"stages.{index}.options")
        for index, stage in enumerate(recipe.stages)
    ]
