"""What the monitors of DAE-Fuse measure (spec daefuse 7): early signs of a training that goes wrong; log only."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.daefuse import DAEFuse, rules
from polyfuse.train.stage import FUSER, Batch, Parts, Readings, Watch

WINDOW = 31
"""Side of the means that are taken off before detail is compared, pixels."""
FLOOR = 1e-6
"""Added to denominators against division by zero."""
SOURCES = ("a", "b")
GRADIENT, SHARE = "generator.norm.fuser", "generator.note.adversarial_share"
"""Columns of the log: norm of the network's gradient; size of its adversarial part over that of the other losses."""
ALONE = "norm.fuser"
"""Column of the gradient norm where the network's turn is the only one."""


def reconstruction_watch(*, adversarial: bool) -> Watch:
    """Monitors of phase 1: black level, gradient, discriminators."""

    def measure(parts: Parts, batch: Batch) -> dict[str, float]:
        return {"black": black_level(_fuser(parts), batch.a)}

    def judge(readings: Readings, share: float) -> dict[str, str]:
        return {"black": rules.black_rule(readings["black"], share)} | _judge_turns(readings, adversarial)

    return Watch(measure, judge, _means(adversarial))


def fusion_watch(*, adversarial: bool) -> Watch:
    """Monitors of phase 2: balance of the sources, range, cross attention, gradient, discriminators."""

    def measure(parts: Parts, batch: Batch) -> dict[str, float]:
        fuser = _fuser(parts)
        fused = fuser(batch.a, batch.b)
        numbers = {
            "bias": modality_bias(fused, batch.a, batch.b),
            "intensity": intensity_bias(fused, batch.a, batch.b),
            "range": range_use(fused, batch.a, batch.b),
        }
        return numbers | {name: float(value) for name, value in fuser.attention_statistics(batch.a, batch.b).items()}

    def judge(readings: Readings, share: float) -> dict[str, str]:
        statuses = {
            "bias": rules.bias_rule(readings["bias"]),
            "intensity": rules.intensity_rule(readings["intensity"]),
            "range": rules.range_rule(readings["range"]),
        }
        if "entropy_a" in readings:  # not without cross attention
            statuses["entropy"] = rules.entropy_rule(readings["entropy_a"], readings["entropy_b"], share)
            statuses["contribution"] = rules.contribution_rule(
                readings["contribution_a"], readings["contribution_b"], share
            )
        return statuses | _judge_turns(readings, adversarial)

    return Watch(measure, judge, _means(adversarial))


def modality_bias(fused: Tensor, a: Tensor, b: Tensor) -> float:
    """(c_a - c_b) / (|c_a| + |c_b|), c_x the correlation of detail of `fused` and x: 1 is a's detail alone, -1 b's."""
    c_a, c_b = (_correlation(_detail(fused), _detail(source)) for source in (a, b))
    return (c_a - c_b) / (abs(c_a) + abs(c_b) + FLOOR)


def intensity_bias(fused: Tensor, a: Tensor, b: Tensor) -> float:
    """Distance from b as a share of those from both: 0 is a copy of b, 1 of a."""
    to_a, to_b = (float((fused - source).abs().mean()) for source in (a, b))
    return to_b / (to_a + to_b + FLOOR)


def range_use(fused: Tensor, a: Tensor, b: Tensor) -> float:
    """Range of `fused` between its quantiles of 0.1 and 99.9 %, over that of the pixel maximum; mean over pictures."""
    used, possible = (_range(picture) for picture in (fused, torch.maximum(a, b)))
    return float((used / (possible + FLOOR)).mean())


def black_level(fuser: DAEFuse, like: Tensor) -> float:
    """Mean reconstruction of one black picture of the size of `like`, in 1/255."""
    black = torch.zeros_like(like[:1])
    return 255 * float(torch.cat(fuser.reconstruct(black, black)).mean())


def _means(adversarial: bool) -> tuple[str, ...]:
    """Columns of the log whose means are readings too."""
    if not adversarial:
        return (ALONE,)
    logits = (f"discriminator.note.{name}_{source}" for name in ("accuracy", "gap") for source in SOURCES)
    return (GRADIENT, SHARE, *logits)


def _judge_turns(readings: Readings, adversarial: bool) -> dict[str, str]:
    """Status of the gradient norm and, in adversarial training, of each discriminator."""
    if not adversarial:
        return {"gradient": rules.norm_rule(readings[ALONE])}
    statuses = {"gradient": rules.norm_rule(readings[GRADIENT])}
    for source in SOURCES:
        accuracy, gap = (f"discriminator.note.{name}_{source}" for name in ("accuracy", "gap"))
        statuses[f"strong_{source}"] = rules.strong_rule(readings, accuracy, SHARE)
        statuses[f"dead_{source}"] = rules.dead_rule(readings, accuracy, gap)
    return statuses


def _fuser(parts: Parts) -> DAEFuse:
    return cast(DAEFuse, parts[FUSER])


def _detail(pictures: Tensor) -> Tensor:
    """Pictures less their local means, over squares that are cut off at the border."""
    return pictures - functional.avg_pool2d(pictures, WINDOW, 1, WINDOW // 2, count_include_pad=False)


def _correlation(one: Tensor, other: Tensor) -> float:
    """Pearson correlation, mean over pictures; 0 for a constant one."""
    one, other = (picture.flatten(1) - picture.flatten(1).mean(dim=1, keepdim=True) for picture in (one, other))
    return float(functional.cosine_similarity(one, other, dim=1).mean())


def _range(pictures: Tensor) -> Tensor:
    """Distance of the quantiles of 0.1 and 99.9 %, (N,)."""
    quantiles = torch.quantile(pictures.flatten(1), torch.tensor([0.001, 0.999], device=pictures.device), dim=1)
    return quantiles[1] - quantiles[0]
