"""PyrFuse-T: the choice of PyrFuse, made on a grid of half the size. Ours (spec pyrfuse 7).

At each level of the pyramid the factors of both details are found on the grid of the next coarser level, from energies
that are gathered there, and expanded. The finest level, three quarters of all pixels, has no convolutions: its
`correction` and `kept` are the first two channels of what the next level hands on. Everything else is as in PyrFuse:
every detail comes from a source, with a factor in [0, 1], and two equal sources come back as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from polyfuse.errors import UsageError
from polyfuse.families.pyrfuse import fast
from polyfuse.families.pyrfuse.network import BASE_FEATURES, KEPT, POWER, PyrFuseConfig, base_choice
from polyfuse.families.pyrfuse.pieces import STEADY, TINY, Choice, convolutions, log_ratio
from polyfuse.ops import native_pyramid
from polyfuse.ops.precision import Precision
from polyfuse.ops.pyramid import expand, shrink

FEATURES = 6
FIRST_FOR_BASE = 2  # finer levels are noise more than structure
FOR_FINEST = 2  # channels of the context that are correction and kept of the finest level


@dataclass(frozen=True)
class PyrFuseTConfig(PyrFuseConfig):
    """Configuration of PyrFuse-T: that of PyrFuse, with a `context` of 2 channels or more."""

    def __post_init__(self) -> None:
        """Refuse values that describe no network."""
        super().__post_init__()
        if self.context < FOR_FINEST:
            raise UsageError(f"context must be {FOR_FINEST} or more, for the finest level: correct it.")
        if self.looks:
            raise UsageError(
                f"PyrFuse-T takes no further looks, {self.looks} are asked for: drop them, or use PyrFuse."
            )

    @property
    def reach(self) -> int:
        """Pixels over which an input reaches an output, counted in spec pyrfuse 7."""
        return 14 * (1 << self.levels) - 12


@dataclass(frozen=True, eq=False)
class Coarse:
    """What one level of the pyramid leaves on the grid of the next coarser one; all (N, 1, h, w) unless said."""

    a: Tensor
    """a, low-passed."""
    b: Tensor
    """b, low-passed."""
    energies: Tensor
    """(N, 3, h, w): local energy of a's detail, of b's, and their local product."""

    @classmethod
    def of(cls, a: Tensor, b: Tensor) -> Coarse:
        """What the pictures a and b, (N, 1, H, W), leave; h = ceil(H / 2), w = ceil(W / 2)."""
        coarser_a, coarser_b = shrink(a), shrink(b)
        if native_pyramid.takes(a, b):
            return cls(coarser_a, coarser_b, native_pyramid.energies(a, b, coarser_a, coarser_b))
        x, y = a - expand(coarser_a, a.shape), b - expand(coarser_b, b.shape)
        return cls(coarser_a, coarser_b, shrink(torch.cat([x * x, y * y, x * y], dim=1)))

    def features(self, context: Tensor) -> Tensor:
        """What the convolutions see (spec pyrfuse 7)."""
        energy_a, energy_b, product = self.energies.split(1, dim=1)
        shown = [
            log_ratio(energy_a, energy_b) / 4,
            torch.log(energy_a + energy_b + STEADY) / 8 + 1,
            product / ((energy_a * energy_b).sqrt() + STEADY),
            self.a - self.b,
            self.a - 0.5,
            self.b - 0.5,
        ]
        return torch.cat([*shown, context], dim=1)

    def choose(self, power: Tensor, found: Tensor) -> Choice:
        """What is chosen of both details, given correction and the logit of kept, (N, 2, h, w)."""
        energy_a, energy_b, product = self.energies.split(1, dim=1)
        weight = torch.sigmoid(power * log_ratio(energy_a, energy_b) + 2 * found[:, :1])
        alike = (product / (energy_a.sqrt() * energy_b.sqrt() + TINY)).clamp(0, 1)
        return Choice(weight, torch.sigmoid(found[:, 1:2]), alike)


def combine(a: Tensor, b: Tensor, coarse: Coarse, fused: Tensor, factors: Tensor) -> Tensor:
    """One level of the result: the expanded coarser one and both details, each times its expanded factor.

    Args:
        a: Source, (N, 1, H, W).
        b: Source, same shape.
        coarse: What this level left on the coarser grid.
        fused: Result on the coarser grid, (N, 1, h, w).
        factors: Factors of a's and b's detail there, (N, 2, h, w).

    Returns:
        (N, 1, H, W).
    """
    if native_pyramid.takes(a, b, fused, factors):
        return native_pyramid.combine(a, b, coarse.a, coarse.b, fused, factors)
    factor_a, factor_b = expand(factors, a.shape).split(1, dim=1)
    from_a, from_b = factor_a * (a - expand(coarse.a, a.shape)), factor_b * (b - expand(coarse.b, a.shape))
    made: Tensor = from_a + from_b + expand(fused, a.shape)
    return made


@dataclass(frozen=True, eq=False)
class Fusion:
    """A fused picture and how it was chosen."""

    fused: Tensor
    """(N, 1, H, W)."""
    base_weight: Tensor
    """Share of a's base, (N, 1, h, w) at the coarsest level."""
    sources: list[tuple[Tensor, Tensor]]
    """a and b at each level, finest first, (N, 1, h, w)."""
    coarse: list[Coarse]
    """What each level left on the coarser grid, finest first."""
    choices: list[Choice]
    """What was chosen there, finest first."""


class PyrFuseTNetwork(nn.Module):
    """The network as plain modules; `PyrFuseT` makes it a `FusionModel`.

    Args:
        config: Configuration; default is the one that weights are trained for.
    """

    precision: Precision = "float32"
    """Arithmetic of the convolutions; "bf16" keeps their maps in bfloat16, all of the pyramid stays float32."""

    def __init__(self, config: PyrFuseTConfig | None = None) -> None:
        super().__init__()
        self.config = config or PyrFuseTConfig()
        channels, context = self.config.channels, self.config.context
        self.detail = convolutions(FEATURES + context, channels, 2 + context)
        self.base = convolutions(BASE_FEATURES, channels, 1 + context)
        self.power = nn.Parameter(torch.tensor(POWER))
        kept = math.log(KEPT / (1 - KEPT))
        with torch.no_grad():  # of the level itself, and of the finest one, which takes it from the context
            cast(nn.Conv2d, self.detail[-1]).bias[[1, 3]] = kept  # type: ignore[index]

    def fuse(self, a: Tensor, b: Tensor) -> Fusion:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size; the result is not clamped."""
        sources, coarse = [(a, b)], []
        for _ in range(self.config.levels):
            coarse.append(Coarse.of(*sources[-1]))
            sources.append((coarse[-1].a, coarse[-1].b))
        base_weight, context = self._base(coarse)
        choices = self._choices(coarse, context)
        x, y = sources.pop()
        fused = base_weight * x + (1 - base_weight) * y
        for (x, y), level, choice in zip(reversed(sources), reversed(coarse), reversed(choices), strict=True):
            fused = combine(x, y, level, fused, torch.cat([choice.factor_a, choice.factor_b], dim=1))
        return Fusion(fused, base_weight, sources, coarse, choices)

    def _choices(self, coarse: list[Coarse], context: Tensor) -> list[Choice]:
        """What is chosen at each level, finest first; `context` is (N, C, h, w) on the coarsest grid."""
        choices = []
        for index, level in reversed(list(enumerate(coarse))):
            found = self._convolved(self.detail, level.features(context)) if index else context
            choices.append(level.choose(self.power, found[:, :2]))
            if index:
                # the finest level reads no more of it
                handed = found[:, 2:] if index > 1 else found[:, 2 : 2 + FOR_FINEST]
                context = expand(handed, coarse[index - 1].a.shape)
        return choices[::-1]

    def _convolved(self, network: nn.Sequential, features: Tensor) -> Tensor:
        """What one of the two networks gives for its features, in float32."""
        return fast.convolved(network, features) if self.precision == "bf16" else cast(Tensor, network(features))

    def _base(self, coarse: list[Coarse]) -> tuple[Tensor, Tensor]:
        """Share of a's base, and the context for the coarsest level (spec pyrfuse 3 and 7)."""
        energies = coarse[FIRST_FOR_BASE].energies[:, :2]
        for level in coarse[FIRST_FOR_BASE + 1 :]:
            energies = shrink(energies) + level.energies[:, :2]
        logit, context = base_choice(coarse[-1].a, coarse[-1].b, energies, partial(self._convolved, self.base))
        return torch.sigmoid(logit), context
