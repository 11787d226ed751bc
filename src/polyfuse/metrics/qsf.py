"""QSF: spatial frequency of the fused picture against the most the sources offer."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.statistics import Plane, Statistics

WEIGHTS = (1.0, 1.0, 1 / math.sqrt(2), 1 / math.sqrt(2))
"""Weights of the steps to the right, downwards and along both diagonals: one over the length of the step."""


def _steps(plane: Plane) -> tuple[Tensor, ...]:
    """Absolute differences between neighbours in four directions."""

    def measure() -> tuple[Tensor, ...]:
        x = plane.values
        return (
            (x[:, :, 1:] - x[:, :, :-1]).abs_(),
            (x[:, 1:] - x[:, :-1]).abs_(),
            (x[:, 1:, 1:] - x[:, :-1, :-1]).abs_(),
            (x[:, 1:, :-1] - x[:, :-1, 1:]).abs_(),
        )

    return plane.once("steps", measure)


def _frequency(steps: tuple[Tensor, ...], num_pixels: int) -> Tensor:
    """Root of the weighted sum of squares over the number of pixels, (N,)."""
    sums = [step.square().sum(dim=(1, 2)) * weight for step, weight in zip(steps, WEIGHTS, strict=True)]
    return (torch.stack(sums).sum(dim=0) / num_pixels).sqrt()


def _relative(pictures: Statistics, *, without_steps: float) -> Tensor:
    fused = pictures.fused
    frequency = fused.once("frequency of steps", lambda: _frequency(_steps(fused), fused.num_pixels))
    largest = tuple(map(torch.maximum, _steps(pictures.a), _steps(pictures.b)))
    reference = _frequency(largest, fused.num_pixels)
    ratio = (frequency - reference) / reference
    return torch.where((frequency == 0) & (reference == 0), without_steps, ratio)


def _variant(note: str, without_steps: float) -> Joint:
    return Joint(note=note, compute=partial(_relative, without_steps=without_steps))


qsf = Metric(
    name="QSF",
    title="spatial frequency error",
    direction="zero",
    bounds=(-1.0, float("inf")),
    cost="b",
    formula="QSF = (SF_F - SF_R) / SF_R, SF = sqrt(sum of squared steps right, down and (over sqrt 2) along the "
    "diagonals / number of pixels), R having the larger step of A and B everywhere",
    source="Zheng, Essock, Hansen, Haun 2007",
    rewards="As much detail as the stronger source has at each pixel; negative means lost detail, positive added.",
    fooled="Noise and sharpening add steps whatever the sources show: a sharpened average comes as near to zero as "
    "published networks.",
    quirks="Zero is best, yet tables often print it as larger is better.",
    variants={
        "canonical": _variant("0 where no picture has any detail, infinite where only the fused one has", 0.0),
        "liu2012": _variant("no value where no picture has any detail", torch.nan),
    },
)
