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
from polyfuse.families.pyrfuse.looks import Look
from polyfuse.families.pyrfuse.pieces import STEADY, Choice, Composition, Level, convolutions, log_ratio
from polyfuse.families.pyrfuse.slope import SEEN_LEVELS, Sources
from polyfuse.families.spec import check_fields
from polyfuse.ops.pyramid import blur, expand, shrink

LEAST_LEVELS = 3  # energies of the base are gathered from the third level on
FINEST_FOR_BASE = 2  # the two finest levels are noise more than structure
FLAT = 1e-4  # energy of the base below which brightness decides more than structure
BRIGHTER = 30.0  # where both bases are flat: steepness of the choice of the brighter one
POWER, KEPT = 2.0, 0.3  # of a fresh network
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
    looks: int = 0
    """Further looks at the result, each of which corrects the choice."""

    def __post_init__(self) -> None:
        """Refuse values that describe no network."""
        check_fields(self, levels=8, looks=16)
        if self.levels < LEAST_LEVELS or min(self.channels, self.context) < 1 or self.looks < 0:
            raise UsageError(
                f"levels must be {LEAST_LEVELS} to 8, channels and context positive, looks not negative: correct them."
            )

    @property
    def reach(self) -> int:
        """Pixels over which an input reaches an output, counted in spec pyrfuse 4 and 8."""
        coarsest, seen = 1 << self.levels, 1 << min(self.levels, SEEN_LEVELS)
        return 15 * coarsest - 8 + self.looks * (12 * coarsest + 2 * seen)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(**values)


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
        self.looks = nn.ModuleList(Look(channels, context) for _ in range(self.config.looks))
        with torch.no_grad():
            cast(nn.Conv2d, self.detail[-1]).bias[1] = math.log(KEPT / (1 - KEPT))  # type: ignore[index]

    def fuse(self, a: Tensor, b: Tensor) -> Fusion:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size; the result is not clamped."""
        levels, x, y = [], a, b
        sources: list[Sources] = []
        for _ in range(self.config.levels):
            levels.append(Level.of(x, y))
            if self.looks:
                sources.append(Sources.of(x, y, levels[-1]))
            x, y = levels[-1].coarser_a, levels[-1].coarser_b
        made = Composition.of(levels, self.power, *self._first(levels))
        for look in self.looks:
            made = Composition.of(levels, self.power, *look(made, levels, sources))
        return Fusion(made.pictures[0], torch.sigmoid(made.base_logit), levels, made.choices)

    def _first(self, levels: list[Level]) -> tuple[Tensor, list[Tensor]]:
        """The first look: the base's logit, and correction and kept of each level, finest first (spec pyrfuse 2, 3)."""
        a, b = levels[-1].coarser_a, levels[-1].coarser_b
        energies = torch.zeros_like(levels[FINEST_FOR_BASE].energies[:, :2])
        for level in levels[FINEST_FOR_BASE:]:
            energies = shrink(level.energies[:, :2] + energies)
        base_logit, context = base_choice(a, b, energies, self.base)
        corrections: list[Tensor] = []
        for index, level in reversed(list(enumerate(levels))):
            found = self.detail(level.features(context))
            corrections.insert(0, found[:, :2])
            if index:  # at the finest level nobody is left to hand the context to
                context = expand(found[:, 2:], level.detail_a.shape)
        return base_logit, corrections


def base_choice(a: Tensor, b: Tensor, energies: Tensor, convolve: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Logit of the share of a's base, and the context for the coarsest level (spec pyrfuse 3).

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
    return structured * ratio + (1 - structured) * BRIGHTER * (a - b) + correction, context
