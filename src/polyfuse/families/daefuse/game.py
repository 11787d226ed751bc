"""Adversarial training as two turns of a stage: the discriminators', then the network's (spec daefuse 3.3 and 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from polyfuse.families.daefuse.adversarial import (
    GRADIENT_FLOOR,
    balance,
    discriminator_loss,
    equalising_weights,
    generator_loss,
    gradient_norm,
)
from polyfuse.families.daefuse.config import SOURCES
from polyfuse.families.daefuse.options import DISCRIMINATORS, Options
from polyfuse.train.recipe import StageConfig
from polyfuse.train.stage import FUSER, Batch, Parts, Turn

JUDGE, MAKER = "discriminator", "generator"
NOTES = ("adversarial_weight", "adversarial_share")
"""Names of what the network's turn logs beside its losses."""
THRESHOLD = {"bce": 0.0, "lsgan": 0.5, "hinge": 0.0}
"""A discriminator takes a picture for a source if its logit is above this."""


@dataclass(frozen=True)
class Phase:
    """What differs between the two phases of training."""

    make: Callable[[Parts, Batch], tuple[Tensor, ...]]
    """The network's pictures: one for each discriminator, or one for both."""
    content: Callable[[tuple[Tensor, ...], Batch], dict[str, Tensor]]
    """Weighted losses of these pictures, without the adversarial one."""
    show: Callable[[Tensor, str], Tensor]
    """What the discriminator of a source sees of a picture."""


def turns(config: StageConfig, options: Options, phase: Phase, frozen: tuple[str, ...] = ()) -> tuple[Turn, ...]:
    """The discriminators' turn, then the network's; the latter alone where no discriminator is trained.

    Args:
        config: The stage.
        options: Its options.
        phase: Its pictures and losses.
        frozen: Discriminators, and modules of the network, that stay as they are.
    """
    judges = tuple(name for name in DISCRIMINATORS if name not in frozen)
    modules = tuple(f"{FUSER}.{name}" for name in frozen if name not in DISCRIMINATORS)

    def judge(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            made = phase.make(parts, batch)
        return _judging_losses(parts, batch, made, options, phase)

    def make(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        made = phase.make(parts, batch)
        losses = phase.content(made, batch)
        return losses | _adversarial(parts, batch, made, losses, options, phase) if options.adversarial else losses

    maker = Turn(MAKER, (FUSER,), make, config.optimiser, noted=NOTES, frozen=modules)
    if not options.adversarial or not judges:
        return (maker,)
    notes = tuple(f"{name}_{source}" for name in ("accuracy", "gap") for source in SOURCES)
    return Turn(JUDGE, judges, judge, options.discriminator, noted=notes), maker


def _judging_losses(
    parts: Parts, batch: Batch, made: tuple[Tensor, ...], options: Options, phase: Phase
) -> dict[str, Tensor]:
    """Losses of the discriminators; notes: share of pictures judged right, mean logit of sources less that of fakes."""
    values = {}
    for source, real, fake in zip(SOURCES, (batch.a, batch.b), _by_source(made), strict=True):
        both = torch.cat([phase.show(real, source), phase.show(fake, source)])
        real_logits, fake_logits = parts[f"disc_{source}"](both).chunk(2)
        values[f"loss_{source}"] = discriminator_loss(real_logits, fake_logits, options.form)
        threshold = THRESHOLD[options.form]
        right = torch.cat([real_logits > threshold, fake_logits <= threshold])
        values[f"accuracy_{source}"] = right.to(real_logits.dtype).mean()
        values[f"gap_{source}"] = (real_logits.mean() - fake_logits.mean()).detach()
    return values


def _adversarial(
    parts: Parts,
    batch: Batch,
    made: tuple[Tensor, ...],
    content: dict[str, Tensor],
    options: Options,
    phase: Phase,
) -> dict[str, Tensor]:
    """Weighted adversarial loss; notes: its weight, and its share of the gradient at the pictures."""
    fakes = zip(SOURCES, _by_source(made), strict=True)
    losses = torch.stack(
        [generator_loss(parts[f"disc_{source}"](phase.show(fake, source)), options.form) for source, fake in fakes]
    )
    weights = equalising_weights(losses) if getattr(options, "equalise", False) else torch.ones_like(losses)
    loss = (weights * losses).sum()
    content_norm = gradient_norm(torch.stack(list(content.values())).sum(), made)
    adversarial_norm = gradient_norm(loss, made)
    if options.balance == "gradient":
        weight = batch.mean(balance(content_norm, adversarial_norm, options.share, options.largest))
    else:
        weight = torch.full_like(loss, options.weight)
    values = weight * loss, weight, weight * adversarial_norm / content_norm.clamp(min=GRADIENT_FLOOR)
    return dict(zip(("adversarial", *NOTES), (values[0], values[1].detach(), values[2].detach()), strict=True))


def _by_source(made: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One picture for the discriminator of each source."""
    return made if len(made) == len(SOURCES) else made * len(SOURCES)
