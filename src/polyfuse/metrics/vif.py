"""VIF: pixel-domain visual information fidelity, summed over both sources."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.metrics.metric import Added, Metric
from polyfuse.metrics.statistics import Match, Plane
from polyfuse.ops.windows import correlate_window, gaussian_window

NUM_SCALES = 4
NOISE = 2.0
"""Variance of the visual noise, on 0..255."""
TINY = 1e-10
MIN_SIZE = 41
"""Shortest side that leaves a sample on the fourth scale."""


@dataclass(frozen=True)
class Windows:
    """How local moments are taken."""

    shifted: bool = False
    """Whether the Gaussian is sampled off centre over a zero border, as the survey's code does."""
    saturated: bool = False
    """Whether products are cut at 255 on the first scale, as 8-bit integers do."""

    def weights(self, scale: int) -> list[float]:
        """Window of a scale (1 to 4): 17, 9, 5, 3 taps, sigma a fifth of that."""
        size = 2 ** (NUM_SCALES + 1 - scale) + 1
        if not self.shifted:
            window = gaussian_window(size, size / 5, dtype=torch.float64, device=torch.device("cpu"))
            return [float(weight) for weight in window]
        samples = [math.exp(-(x**2) / (2 * (size / 5) ** 2)) for x in self._off_centre(size)]
        return [sample / sum(samples) for sample in samples]

    @staticmethod
    def _off_centre(size: int) -> list[float]:
        """`size` points evenly spaced from -(size + 1) / 2 to (size - 1) / 2."""
        start, stop = -(size + 1) / 2, (size - 1) / 2
        return [start + (stop - start) * index / (size - 1) for index in range(size)]

    def mean(self, x: Tensor, scale: int, *, step: int = 1) -> Tensor:
        """Local mean of (N, H, W): smaller by the window, or of the same size where the border is zero."""
        weights = self.weights(scale)
        if self.shifted:
            x = functional.pad(x, (len(weights) // 2,) * 4)
        return correlate_window(x, weights, step=step)

    def product(self, x: Tensor, y: Tensor, scale: int) -> Tensor:
        """Pointwise product on a scale."""
        product = x * y
        return product.clamp(max=255) if self.saturated and scale == 1 else product


CENTRED, SHIFTED, SATURATED = Windows(), Windows(shifted=True), Windows(saturated=True)


def _picture(plane: Plane, scale: int, windows: Windows) -> Tensor:
    """The picture of a scale: smoothed with that scale's window and halved, from the one before."""
    if scale == 1:
        return plane.values
    return plane.once(
        ("vif picture", scale, windows), lambda: windows.mean(_picture(plane, scale - 1, windows), scale, step=2)
    )


def _moments(plane: Plane, scale: int, windows: Windows) -> tuple[Tensor, Tensor]:
    """Local mean and variance on a scale."""

    def measure() -> tuple[Tensor, Tensor]:
        x = _picture(plane, scale, windows)
        mean = windows.mean(x, scale)
        variance = windows.mean(windows.product(x, x, scale), scale).addcmul_(mean, mean, value=-1).clamp_(min=0)
        return mean, variance

    return plane.once(("vif moments", scale, windows), measure)


@dataclass(frozen=True, eq=False)
class Channel:
    """The distortion channel from a source to the fused picture on one scale: fused = gain * source + noise."""

    variance: Tensor
    """(N, h, w): local variance of the source, zero where it is flat."""
    gain: Tensor
    """(N, h, w), not negative."""
    noise: Tensor
    """(N, h, w): variance of what the gain does not explain, at least 1e-10."""


def channel(match: Match, scale: int, windows: Windows) -> Channel:
    """Estimate the channel; the order of the tests is part of the definition."""
    source, fused = (_picture(plane, scale, windows) for plane in (match.source, match.fused))
    mean_source, variance_source = _moments(match.source, scale, windows)
    mean_fused, variance_fused = _moments(match.fused, scale, windows)
    covariance = windows.mean(windows.product(source, fused, scale), scale).addcmul_(mean_source, mean_fused, value=-1)
    flat_source, flat_fused = variance_source < TINY, variance_fused < TINY
    gain = covariance / (variance_source + TINY)
    noise = (variance_fused - gain * covariance).masked_fill_(flat_fused, 0)
    gain.masked_fill_(flat_source | flat_fused, 0)
    noise = torch.where(flat_source & ~flat_fused | (gain < 0), variance_fused, noise)
    return Channel(variance_source.masked_fill(flat_source, 0), gain.clamp_(min=0), noise.clamp_(min=TINY))


def _fidelity(match: Match, *, windows: Windows, flat: float) -> Tensor:
    """Information the fused picture keeps of the source over what the source has, (N,)."""
    kept = match.source.values.new_zeros(match.source.values.shape[0])
    present = kept.clone()
    for scale in range(1, NUM_SCALES + 1):
        estimate = channel(match, scale, windows)
        signal = estimate.gain.square().mul_(estimate.variance).div_(estimate.noise + NOISE)
        kept += signal.log1p_().sum(dim=(1, 2))
        present += (estimate.variance / NOISE).log1p_().sum(dim=(1, 2))
    return torch.where(present > 0, kept / present, flat)


def _variant(note: str, windows: Windows, flat: float) -> Added:
    return Added(note=note, term=partial(_fidelity, windows=windows, flat=flat), min_size=MIN_SIZE)


_PLAIN = _variant("sum of both; a flat source counts 1", CENTRED, 1.0)

vif = Metric(
    name="VIF",
    title="visual information fidelity",
    direction="up",
    bounds=(0.0, float("inf")),
    cost="b",
    formula="VIF = vifp(A,F) + vifp(B,F); vifp = sum log(1 + g^2 v / (w + 2)) / sum log(1 + v / 2) over four scales, "
    "with g the local gain from source to fused picture, v the source's local variance, w what the gain leaves "
    "unexplained",
    source="Sheikh, Bovik 2006, pixel domain",
    rewards="Local contrast that follows a source's.",
    fooled="A copy of one source has one perfect term; a sharpened copy even more than 1. Look at the smaller term.",
    quirks="The survey's code samples its Gaussians off centre over a zero border; the Linfeng workbook cut products "
    "at 255.",
    variants={
        "canonical": _PLAIN,
        "cddfuse": _PLAIN,
        "fnet": _PLAIN,
        "smfnet": _PLAIN,
        "linfeng": _variant("sum of both; no value for a flat source", CENTRED, torch.nan),
        "linfeng_workbook": _variant("8-bit integers: products end at 255 on the first scale", SATURATED, torch.nan),
        "survey": _variant("window off centre, zero border", SHIFTED, torch.nan),
    },
)
