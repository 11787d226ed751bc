"""Later looks of PyrFuse: each sees what the result lost, and corrects the choice. Ours (spec pyrfuse 8).

A look finds, level by level and place by place, which way `correction` and `kept` raise what is lost. It takes a step
the other way, and adds what three small convolutions make of that and of a few local measurements. The picture is then
put together anew, from the sources' own details.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyfuse.families.pyrfuse.pieces import Choice, Composition, Level, convolutions
from polyfuse.families.pyrfuse.slope import Sources, beyond, slopes_of, standings_of
from polyfuse.ops.pyramid import blur, expand, shrink

FIRST_STEP = 0.5
"""A fresh look's step, of a correction, where every pixel around asks for the same."""
FAINT, FAINT_SLOPE = 1e-10, 1e-7
"""Squares, of slope times detail and of a slope, below which a look takes no step: rounding would decide where to."""
SMALL_SLOPE = 1e-4
"""Square of a slope that counts as none; where much is lost it is about 1."""
LEVEL_FEATURES, BASE_FEATURES = 15, 7


class Look(nn.Module):
    """One look: from a result to the corrections of a better one.

    Args:
        channels: Channels of the hidden maps.
        context: Channels that each level hands to the next finer one.
    """

    def __init__(self, channels: int, context: int) -> None:
        super().__init__()
        self.detail = convolutions(LEVEL_FEATURES + context, channels, 2 + context)
        self.base = convolutions(BASE_FEATURES, channels, 1 + context)
        self.steps = nn.Parameter(torch.full((3,), FIRST_STEP))

    def forward(self, made: Composition, levels: list[Level], sources: list[Sources]) -> tuple[Tensor, list[Tensor]]:
        """The base's logit, (N, 1, h, w), and correction and kept of each level, (N, 2, h, w), finest first."""
        standings = standings_of(made.pictures, sources)
        *slopes, base_slope = slopes_of(made.pictures, standings)
        base_logit, context = self._base(base_slope, made, levels[-1])
        cuts = [shrink(beyond(made.pictures[0]))]
        while len(cuts) < len(levels):
            cuts.append(shrink(cuts[-1]))
        corrections: list[Tensor] = []
        for index, level in reversed(list(enumerate(levels))):
            before = made.corrections[index]
            ways, size = _ways(slopes[index], level, made.choices[index])
            shown = [ways, size, before / 4, sources[index].features, standings[index].features, 8 * cuts[index],
                     level.coarser_a - level.coarser_b, context]  # fmt: skip
            found = self.detail(torch.cat(shown, dim=1))
            corrections.insert(0, before - self.steps[:2, None, None] * ways + found[:, :2])
            if index:  # at the finest level nobody is left to hand the context to
                context = expand(found[:, 2:], level.detail_a.shape)
        return base_logit, corrections

    def _base(self, slope: Tensor, made: Composition, last: Level) -> tuple[Tensor, Tensor]:
        """The base's logit, and the context for the coarsest level."""
        a, b = last.coarser_a, last.coarser_b
        product, square, size = blur(torch.cat([slope * (a - b), slope * slope, (a - b).square()], dim=1)).split(1, 1)
        way = _likeness(product, square, size)
        shown = [way, _size(square), made.base_logit / 4, a - b, a - 0.5, b - 0.5, made.base - 0.5]
        found = self.base(torch.cat(shown, dim=1))
        return made.base_logit - self.steps[2] * way + found[:, :1], found[:, 1:]


def _ways(slope: Tensor, level: Level, choice: Choice) -> tuple[Tensor, Tensor]:
    """Which way correction and kept raise what is lost, (N, 2, h, w) in [-1, 1], and the size of the slope."""
    a, b, w, r = level.detail_a, level.detail_b, choice.weight, choice.alike
    along_weight = a - b
    along_kept = ((1 - w) - r * w) * a + (w - r * (1 - w)) * b
    products = [slope * along_weight, slope * along_kept, slope * slope, along_weight.square(), along_kept.square()]
    of_weight, of_kept, square, size_weight, size_kept = shrink(torch.cat(products, dim=1)).split(1, dim=1)
    ways = torch.cat([_likeness(of_weight, square, size_weight), _likeness(of_kept, square, size_kept)], dim=1)
    return ways, _size(square)


def _likeness(product: Tensor, square: Tensor, other: Tensor) -> Tensor:
    """How far a slope and a map go together, in [-1, 1], from the local means of their product and of both squares."""
    return product / ((square.clamp_min(0) + FAINT_SLOPE) * other.clamp_min(0) + FAINT).sqrt()


def _size(square: Tensor) -> Tensor:
    """Size of a slope for the convolutions, from about -1 to 1."""
    return torch.log(square + SMALL_SLOPE) / 8
