"""QY: similarity to both sources where they agree, to the nearer one where they do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.ncie import between_sources
from polyfuse.metrics.statistics import Match, Plane, Statistics
from polyfuse.ops.windows import correlate, correlate_window, gaussian_window

SIZE, SIGMA = 7, 1.5
AGREEMENT = 0.75
"""Where the sources are at least this similar, both count."""
FLAT = 1e-9
"""Variances below this are taken for rounding errors."""
SURVEY_GUARD = 1e-10


def _gaussian() -> list[float]:
    window = gaussian_window(SIZE, SIGMA, dtype=torch.float64, device=torch.device("cpu"))
    return [float(weight) for weight in window]


def _mean(x: Tensor) -> Tensor:
    """Mean under the 7x7 Gaussian where it lies inside; (N, H - 6, W - 6)."""
    return correlate_window(x, _gaussian())


def _stacked_rows(x: Tensor) -> Tensor:
    """Sum over seven rows of Gaussian means along each, zero border; weights sum to 7; (N, H, W)."""
    padded = functional.pad(x, (SIZE // 2,) * 4)
    return correlate(correlate(padded, [1.0] * SIZE, -2), _gaussian(), -1)


@dataclass(frozen=True)
class Locally:
    """Local moments and similarity under the window of one toolbox."""

    mean: Callable[[Tensor], Tensor]
    """Local mean."""
    c1: float
    """Constant of the luminance factor."""
    c2: float
    """Constant of the contrast and structure factor."""
    settled: bool = True
    """Whether variances below 1e-9, and the covariances there, count as zero, so that flat areas have a value."""

    def moments(self, plane: Plane) -> tuple[Tensor, Tensor]:
        """Local mean and variance."""

        def measure() -> tuple[Tensor, Tensor]:
            x = plane.values
            mean = self.mean(x)
            variance = self.mean(x * x).addcmul_(mean, mean, value=-1)
            return mean, variance.masked_fill_(variance < FLAT, 0) if self.settled else variance

        return plane.once(("locally", self.mean, self.settled), measure)

    def covariance(self, match: Match) -> Tensor:
        """Local covariance of source and fused picture."""

        def measure() -> Tensor:
            (mean_x, variance_x), (mean_y, variance_y) = self.moments(match.source), self.moments(match.fused)
            covariance = self.mean(match.source.values * match.fused.values).addcmul_(mean_x, mean_y, value=-1)
            return covariance.masked_fill_((variance_x == 0) | (variance_y == 0), 0) if self.settled else covariance

        return match.once(("locally", self.mean, self.settled), measure)

    def similarity(self, match: Match) -> Tensor:
        """Structural similarity of source and fused picture at each position."""

        def measure() -> Tensor:
            (mean_x, variance_x), (mean_y, variance_y) = self.moments(match.source), self.moments(match.fused)
            means, energy = mean_x * mean_y, (mean_x * mean_x).addcmul_(mean_y, mean_y)
            similar = (2 * means).add_(self.c1).div_(energy.add_(self.c1))
            similar *= (2 * self.covariance(match)).add_(self.c2)
            return similar.div_((variance_x + variance_y).add_(self.c2))

        return match.once(("similarity", self), measure)


def share(one: Tensor, other: Tensor) -> Tensor:
    """Share of `one` in the sum of both; a half where the sum is zero."""
    total = one + other
    return torch.where(total == 0, 0.5, one / total)


def _guarded_share(one: Tensor, other: Tensor) -> Tensor:
    return one / (one + other + SURVEY_GUARD)


def _similarity(pictures: Statistics, *, locally: Locally, share: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    weight = share(locally.moments(pictures.a)[1], locally.moments(pictures.b)[1])
    one, other = locally.similarity(pictures.match_a), locally.similarity(pictures.match_b)
    agree = locally.similarity(between_sources(pictures)) >= AGREEMENT
    return torch.where(agree, torch.lerp(other, one, weight), torch.maximum(one, other)).mean(dim=(1, 2))


CANONICAL = Locally(_mean, c1=1e-8 * 255**2, c2=1e-8 * 255**2)
LIU = Locally(_mean, c1=2e-16, c2=2e-16)
_SURVEY = Locally(_stacked_rows, c1=1e-4, c2=9e-4, settled=False)


def _variant(note: str, locally: Locally) -> Joint:
    return Joint(note=note, compute=partial(_similarity, locally=locally, share=share), min_size=SIZE)


qy = Metric(
    name="QY",
    title="similarity with agreement of the sources",
    direction="up",
    bounds=(-1.0, 1.0),
    cost="b",
    formula="QY = mean over local windows of l ssim(A,F) + (1 - l) ssim(B,F) where ssim(A,B) >= 0.75, else of the "
    "larger of the two; l = vA / (vA + vB), v the local variance",
    source="Yang, Zhang, Wang, Liu 2008",
    rewards="Local structure of both sources where they agree, of either one where they do not.",
    fooled="A copy of one source has 0.999 against 0.73 and 0.82 of two published networks on six VIFB pairs: where "
    "the sources differ, one of them is enough.",
    quirks="The code of Liu et al. has constants of 2e-16, so in flat areas it divides rounding errors by rounding "
    "errors: 8.7 instead of 0.80 on one picture.",
    variants={
        "canonical": _variant("constants of 1e-8 times 255^2; sources weigh the same where both are flat", CANONICAL),
        "liu2012": _variant("constants of 2e-16, variances below 1e-9 taken as zero", LIU),
        "survey": Joint(note="Gaussian along rows only, summed over seven rows, zero border; can leave -1..1",
                        compute=partial(_similarity, locally=_SURVEY, share=_guarded_share)),
    },
)  # fmt: skip
