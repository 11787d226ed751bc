"""What PyrFuse is put together from: the levels of both sources, a choice, and the picture that the choices make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from polyfuse.ops.pyramid import blur, expand, shrink
from polyfuse.ops.recording import is_recording

STEADY = 1e-6
"""Energy, white is 1: below it sources count as equally flat."""
TINY = 1e-12
"""Energy: keeps the correlation finite where a detail is zero."""
LAST_GAIN = 0.1
"""A fresh network begins near the classical choice by energy."""


@dataclass(frozen=True, eq=False)
class Level:
    """Both sources at one level of the pyramid, before anything is chosen; all (N, 1, h, w)."""

    detail_a: Tensor
    """What the next coarser level of a lacks."""
    detail_b: Tensor
    """The same of b."""
    coarser_a: Tensor
    """The next coarser level of a, (N, 1, ceil(h / 2), ceil(w / 2))."""
    coarser_b: Tensor
    """The same of b."""
    energies: Tensor
    """(N, 3, h, w): local energy of a's detail, of b's, and their local product."""
    gathered: Tensor
    """(N, 4, ...) on the grid of the coarser level: those three, and how much larger a's details are than b's."""

    @classmethod
    def of(cls, a: Tensor, b: Tensor) -> Level:
        """The level that begins with the pictures a and b, (N, 1, h, w)."""
        coarser_a, coarser_b = shrink(a), shrink(b)
        x, y = a - expand(coarser_a, a.shape), b - expand(coarser_b, b.shape)
        energies = blur(torch.cat([x * x, y * y, x * y], dim=1))
        gathered = shrink(torch.cat([energies, x.abs() - y.abs()], dim=1))
        return cls(x, y, coarser_a, coarser_b, energies, gathered)

    def features(self, context: Tensor) -> Tensor:
        """What the first look's convolutions see, on the grid of the coarser level (spec pyrfuse 2)."""
        shown = [
            self.energy_features(),
            8 * self.gathered[:, 3:],
            self.coarser_a - self.coarser_b,
            self.coarser_a - 0.5,
            self.coarser_b - 0.5,
        ]
        return torch.cat([*shown, context], dim=1)

    def energy_features(self) -> Tensor:
        """Ratio, sum and likeness of both details, (N, 3, h, w) on the grid of the coarser level."""
        energy_a, energy_b, product = self.gathered[:, :3].split(1, dim=1)
        shown = [
            log_ratio(energy_a, energy_b) / 4,
            torch.log(energy_a + energy_b + STEADY) / 8 + 1,
            product / ((energy_a * energy_b).clamp_min(0).sqrt() + STEADY),
        ]
        return torch.cat(shown, dim=1)

    def choose(self, power: Tensor, found: Tensor) -> Choice:
        """What is chosen, given correction and the logit of kept, (N, 2, h, w) at this level."""
        energy_a, energy_b, product = self.energies.split(1, dim=1)
        weight = torch.sigmoid(power * log_ratio(energy_a, energy_b) + 2 * found[:, :1])
        alike = (product / (energy_a.sqrt() * energy_b.sqrt() + TINY)).clamp(0, 1)
        return Choice(weight, torch.sigmoid(found[:, 1:]), alike)


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen at one level; (N, 1, h, w) each."""

    weight: Tensor
    """Share of a's detail, w, in [0, 1]."""
    kept: Tensor
    """Share of the other one's detail that is kept too, o, in [0, 1]."""
    alike: Tensor
    """Local correlation of both details where it is positive, in [0, 1]: what both show does not count twice."""

    @property
    def factor_a(self) -> Tensor:
        """Factor of a's detail, in [0, 1]."""
        return (self.weight + self.kept * (1 - self.weight)) / (1 + self.kept * self.alike)

    @property
    def factor_b(self) -> Tensor:
        """Factor of b's detail, in [0, 1]."""
        return ((1 - self.weight) + self.kept * self.weight) / (1 + self.kept * self.alike)


@dataclass(frozen=True, eq=False)
class Composition:
    """A picture put together from the levels of both sources, and everything that decided it."""

    base_logit: Tensor
    """Logit of the share of a's base, (N, 1, h, w) at the coarsest level."""
    corrections: list[Tensor]
    """Correction and the logit of kept of each level, (N, 2, h, w) on the next coarser one's grid, finest first."""
    choices: list[Choice]
    """What follows from them, finest first."""
    base: Tensor
    """The fused base, (N, 1, h, w)."""
    pictures: list[Tensor]
    """The result at each level, finest first: (N, 1, H, W), then half of it and so on."""

    @classmethod
    def of(cls, levels: list[Level], power: Tensor, base_logit: Tensor, corrections: list[Tensor]) -> Self:
        """Put together what the corrections choose; `power` is the exponent of the ratio of energies."""
        share = torch.sigmoid(base_logit)
        base = share * levels[-1].coarser_a + (1 - share) * levels[-1].coarser_b
        choices: list[Choice] = []
        pictures: list[Tensor] = []
        for level, found in zip(reversed(levels), reversed(corrections), strict=True):
            choice = level.choose(power, expand(found, level.detail_a.shape))
            detail = choice.factor_a * level.detail_a + choice.factor_b * level.detail_b
            pictures.insert(0, detail + expand(pictures[0] if pictures else base, detail.shape))
            choices.insert(0, choice)
        return cls(base_logit, corrections, choices, base, pictures)


def log_ratio(energy_a: Tensor, energy_b: Tensor) -> Tensor:
    """Logarithm of the ratio of two energies, 0 where both are flat."""
    return torch.log((energy_a + STEADY) / (energy_b + STEADY))


class Convolutions(nn.Sequential):
    """Layers one after the other; where nothing is learned or recorded, with the channels last, a third faster."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, outputs, h, w)."""
        learns = torch.is_grad_enabled() and (x.requires_grad or any(p.requires_grad for p in self.parameters()))
        fast = not learns and not is_recording()
        if fast:
            x = x.contiguous(memory_format=torch.channels_last)
        for layer in self:
            x = layer(x)
        return x.contiguous() if fast else x


def convolutions(inputs: int, channels: int, outputs: int) -> Convolutions:
    """Two 3 x 3 convolutions with ReLU and a pointwise one; borders repeat the edge pixel."""
    last = nn.Conv2d(channels, outputs, 1)
    with torch.no_grad():
        last.weight *= LAST_GAIN
        last.bias.zero_()  # type: ignore[union-attr]
    return Convolutions(
        nn.Conv2d(inputs, channels, 3, padding=1, padding_mode="replicate"),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1, padding_mode="replicate"),
        nn.ReLU(),
        last,
    )
