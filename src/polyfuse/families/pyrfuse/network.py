"""PyrFuse: chooses inside a Laplacian pyramid whose detail to take. Ours; no paper describes it (spec pyrfuse 1 to 3).

Both sources are taken apart by the pyramid of Burt and Adelson (1983). At each level, coarse to fine,

    w = sigmoid(power log(energy a / energy b) + 2 correction)      share of a's detail
    o = sigmoid(kept)                                               share of the other one's that is kept too
    r = max(0, correlation of both details)                         what both show does not count twice
    detail = ((w + o (1 - w)) detail a + ((1 - w) + o w) detail b) / (1 + o r)

and `correction` and `kept` come from three convolutions of a few local measurements. The base, what is left at the
coarsest level, is a weighted mean of both bases. Nothing else adds to the picture: every detail comes from a source,
with a factor in [0, 1], and is at the place where the source has it. Two equal sources come back as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from polyfuse.errors import UsageError
from polyfuse.families.spec import check_fields
from polyfuse.ops.pyramid import blur, expand, shrink

LEAST_LEVELS = 3  # energies of the base are gathered from the third level on
FINEST_FOR_BASE = 2  # the two finest levels are noise more than structure
STEADY = 1e-6  # energy, white is 1: below it sources count as equally flat
TINY = 1e-12  # energy: keeps the correlation finite where a detail is zero
FLAT = 1e-4  # energy of the base below which brightness decides more than structure
BRIGHTER = 30.0  # where both bases are flat: steepness of the choice of the brighter one
POWER, KEPT = 2.0, 0.3  # of a fresh network
LAST_GAIN = 0.1  # a fresh network begins near the classical choice by energy
LEVEL_FEATURES, BASE_FEATURES = 7, 5


@dataclass(frozen=True)
class PyrFuseConfig:
    """Configuration of PyrFuse."""

    levels: int = 5
    """Levels of the pyramid, 3 to 8."""
    channels: int = 16
    """Channels of the hidden maps."""
    context: int = 8
    """Channels that each level hands to the next finer one."""
    keep_black: bool = False
    """Exactly black wherever both sources are, for medical pictures."""

    def __post_init__(self) -> None:
        """Refuse values that describe no network."""
        check_fields(self, levels=8)
        if self.levels < LEAST_LEVELS or min(self.channels, self.context) < 1:
            raise UsageError(f"levels must be {LEAST_LEVELS} to 8, channels and context positive: correct them.")

    @property
    def reach(self) -> int:
        """Pixels over which an input reaches an output, counted in spec pyrfuse 4."""
        return 15 * (1 << self.levels) - 8

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(**values)


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

    @classmethod
    def of(cls, a: Tensor, b: Tensor) -> Level:
        """The level that begins with the pictures a and b, (N, 1, h, w)."""
        coarser_a, coarser_b = shrink(a), shrink(b)
        x, y = a - expand(coarser_a, a.shape), b - expand(coarser_b, b.shape)
        return cls(x, y, coarser_a, coarser_b, blur(torch.cat([x * x, y * y, x * y], dim=1)))

    def features(self, context: Tensor) -> Tensor:
        """What the convolutions see, on the grid of the coarser level (spec pyrfuse 2)."""
        larger = self.detail_a.abs() - self.detail_b.abs()
        energy_a, energy_b, product, larger = shrink(torch.cat([self.energies, larger], dim=1)).split(1, dim=1)
        likeness = product / ((energy_a * energy_b).clamp_min(0).sqrt() + STEADY)
        shown = [
            log_ratio(energy_a, energy_b) / 4,
            torch.log(energy_a + energy_b + STEADY) / 8 + 1,
            likeness,
            8 * larger,
            self.coarser_a - self.coarser_b,
            self.coarser_a - 0.5,
            self.coarser_b - 0.5,
        ]
        return torch.cat([*shown, context], dim=1)


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
class Fusion:
    """A fused picture and how it was chosen."""

    fused: Tensor
    """(N, 1, H, W)."""
    base_weight: Tensor
    """Share of a's base, (N, 1, h, w) at the coarsest level."""
    levels: list[Level]
    """Finest first."""
    choices: list[Choice]
    """Finest first."""


class PyrFuseNetwork(nn.Module):
    """The network as plain modules; `PyrFuse` makes it a `FusionModel`.

    Args:
        config: Configuration; default is the one that weights are trained for.
    """

    def __init__(self, config: PyrFuseConfig | None = None) -> None:
        super().__init__()
        self.config = config or PyrFuseConfig()
        channels, context = self.config.channels, self.config.context
        self.detail = convolutions(LEVEL_FEATURES + context, channels, 2 + context)
        self.base = convolutions(BASE_FEATURES, channels, 1 + context)
        self.power = nn.Parameter(torch.tensor(POWER))
        with torch.no_grad():
            cast(nn.Conv2d, self.detail[-1]).bias[1] = math.log(KEPT / (1 - KEPT))  # type: ignore[index]

    def fuse(self, a: Tensor, b: Tensor) -> Fusion:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size; the result is not clamped."""
        levels, x, y = [], a, b
        for _ in range(self.config.levels):
            levels.append(Level.of(x, y))
            x, y = levels[-1].coarser_a, levels[-1].coarser_b
        base_weight, context = self._base(levels)
        fused = base_weight * x + (1 - base_weight) * y
        choices: list[Choice] = []
        for index, level in reversed(list(enumerate(levels))):
            choice, context = self._choose(level, context, is_finest=index == 0)
            detail = choice.factor_a * level.detail_a + choice.factor_b * level.detail_b
            fused = detail + expand(fused, detail.shape)
            choices.insert(0, choice)
        return Fusion(fused, base_weight, levels, choices)

    def _base(self, levels: list[Level]) -> tuple[Tensor, Tensor]:
        """Share of a's base, and the context for the coarsest level (spec pyrfuse 3)."""
        a, b = levels[-1].coarser_a, levels[-1].coarser_b
        energies = torch.zeros_like(levels[FINEST_FOR_BASE].energies[:, :2])
        for level in levels[FINEST_FOR_BASE:]:
            energies = shrink(level.energies[:, :2] + energies)
        return base_share(a, b, energies, self.base)

    def _choose(self, level: Level, context: Tensor, *, is_finest: bool) -> tuple[Choice, Tensor]:
        """What is chosen at one level, and the context for the next finer one (spec pyrfuse 2)."""
        found = self.detail(level.features(context))
        # at the finest level nobody is left to hand the context to
        found = expand(found[:, :2] if is_finest else found, level.detail_a.shape)
        correction, kept, context = found[:, :1], found[:, 1:2], found[:, 2:]
        energy_a, energy_b, product = level.energies.split(1, dim=1)
        weight = torch.sigmoid(self.power * log_ratio(energy_a, energy_b) + 2 * correction)
        alike = (product / (energy_a.sqrt() * energy_b.sqrt() + TINY)).clamp(0, 1)
        return Choice(weight, torch.sigmoid(kept), alike), context


def base_share(a: Tensor, b: Tensor, energies: Tensor, convolve: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Share of a's base, and the context for the coarsest level (spec pyrfuse 3).

    Args:
        a: Base of a, (N, 1, h, w).
        b: Base of b.
        energies: What was gathered of the details of a and of b, (N, 2, h, w).
        convolve: From features to a correction and the context.
    """
    energy_a, energy_b = blur(energies).split(1, dim=1)
    total, ratio = energy_a + energy_b, log_ratio(energy_a, energy_b)
    shown = [ratio / 4, torch.log(total + STEADY) / 8 + 1, a - b, (a + b) / 2 - 0.5, torch.maximum(a, b) - 0.5]
    found = convolve(torch.cat(shown, dim=1))
    correction, context = found[:, :1], found[:, 1:]
    structured = total / (total + FLAT)
    return torch.sigmoid(structured * ratio + (1 - structured) * BRIGHTER * (a - b) + correction), context


def log_ratio(energy_a: Tensor, energy_b: Tensor) -> Tensor:
    """Logarithm of the ratio of two energies, 0 where both are flat."""
    return torch.log((energy_a + STEADY) / (energy_b + STEADY))


def convolutions(inputs: int, channels: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions with ReLU and a pointwise one; borders repeat the edge pixel."""
    last = nn.Conv2d(channels, outputs, 1)
    with torch.no_grad():
        last.weight *= LAST_GAIN
        last.bias.zero_()  # type: ignore[union-attr]
    return nn.Sequential(
        nn.Conv2d(inputs, channels, 3, padding=1, padding_mode="replicate"),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1, padding_mode="replicate"),
        nn.ReLU(),
        last,
    )
