"""MEF MS-SSIM: structural similarity to the patch one would build from both sources, over three scales."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.ssim import gaussian_mean
from polyfuse.metrics.statistics import Plane, Statistics
from polyfuse.ops.windows import correlate_window

SIZE = 11
AREA = SIZE * SIZE
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001)
"""Weight of each scale, finest first, before the weights are made to sum to one."""
NO_CONTRAST = 0.001
"""Added to the contrast of a patch."""
STEEPEST = 10.0
"""Largest exponent of the contrasts in the weights."""
STABILITY = (0.03 * 255) ** 2
EPSILON = torch.finfo(torch.float64).eps
MIN_SIZE = 44


def halved(plane: Plane) -> Plane:
    """Means of 2x2 pixels; the last row or column of an odd side counts twice, so that side becomes (n + 1) / 2."""

    def halve() -> Plane:
        height, width = plane.values.shape[1:]
        whole = functional.pad(plane.values[None], (0, width % 2, 0, height % 2), mode="replicate")[0]
        return Plane(functional.avg_pool2d(whole, 2), plane.channels)

    return plane.once("halved", halve)


def mef_index(pictures: Statistics) -> Tensor:
    """The index, (N,), in [0, 1]."""
    # MS_SSIM of the linfeng protocol is this index too
    return pictures.match_a.once(("mef index", pictures.b), lambda: _index(pictures.fused, pictures.a, pictures.b))


def _index(fused: Plane, a: Plane, b: Plane) -> Tensor:
    """Product of the similarities of the scales."""
    result = torch.ones_like(fused.values[:, 0, 0])
    for level, weight in enumerate(SCALE_WEIGHTS):
        if level:
            fused, a, b = halved(fused), halved(a), halved(b)
        # ours: a negative similarity counts zero, where its power would not be a real number
        result *= _similarity(fused, a, b).clamp(min=0) ** (weight / sum(SCALE_WEIGHTS))
    return result


@dataclass(frozen=True, eq=False)
class _Energy:
    """Sums of squared deviations from the mean within each 11x11 patch."""

    a: Tensor
    """Energy of the first source."""
    b: Tensor
    """Energy of the second source."""
    cross: Tensor
    """Sum of the products of both deviations."""
    total: Tensor
    """Energy of the sum of the sources."""


def _patch_sums(x: Tensor) -> Tensor:
    """Sums over 11x11 patches. Unlike means they are exact for whole levels: a flat patch has exactly no energy."""
    return correlate_window(x, [1.0] * SIZE)


def _patches(plane: Plane) -> tuple[Tensor, Tensor]:
    """Sum and energy of each patch."""

    def measure() -> tuple[Tensor, Tensor]:
        total = _patch_sums(plane.values)
        return total, _patch_sums(plane.values * plane.values) - total * total / AREA

    return plane.once("mef patches", measure)


def _energies(a: Plane, b: Plane) -> _Energy:
    (sum_a, energy_a), (sum_b, energy_b) = _patches(a), _patches(b)
    cross = _patch_sums(a.values * b.values) - sum_a * sum_b / AREA
    return _Energy(energy_a, energy_b, cross, _patches(Plane(a.values + b.values))[1])


def _blend(a: Plane, b: Plane) -> tuple[Tensor, Tensor]:
    """Gains with which each source's deviation enters the desired patch."""
    energy = _energies(a, b)
    contrast_a, contrast_b = (part.clamp(min=0).sqrt() for part in (energy.a, energy.b))
    consistency = (energy.total.clamp(min=0).sqrt() + EPSILON) / (contrast_a + contrast_b + EPSILON)
    consistency = torch.where(consistency > 1, 1 - EPSILON, consistency)
    power = torch.tan(torch.pi / 2 * consistency).clamp(max=STEEPEST)
    contrast_a, contrast_b = contrast_a + NO_CONTRAST, contrast_b + NO_CONTRAST
    weight_a, weight_b = ((contrast / SIZE) ** power + EPSILON for contrast in (contrast_a, contrast_b))
    gain_a, gain_b = (
        weight / (weight_a + weight_b) / contrast
        for weight, contrast in ((weight_a, contrast_a), (weight_b, contrast_b))
    )
    length = gain_a**2 * energy.a + gain_b**2 * energy.b + 2 * gain_a * gain_b * energy.cross
    length = length.clamp(min=0).sqrt()
    stretch = torch.where(length > 0, torch.maximum(contrast_a, contrast_b) / length, 1.0)
    return gain_a * stretch, gain_b * stretch


def _gaussian_moments(plane: Plane) -> tuple[Tensor, Tensor]:
    """Local mean and variance under the Gaussian."""

    def measure() -> tuple[Tensor, Tensor]:
        mean = gaussian_mean(plane.values)
        return mean, gaussian_mean(plane.values * plane.values) - mean * mean

    return plane.once("mef moments", measure)


def _gaussian_covariance(x: Plane, y: Plane) -> Tensor:
    return gaussian_mean(x.values * y.values) - _gaussian_moments(x)[0] * _gaussian_moments(y)[0]


def _similarity(fused: Plane, a: Plane, b: Plane) -> Tensor:
    """Mean similarity of the fused picture to the desired patches on one scale, (N,)."""
    gain_a, gain_b = _blend(a, b)
    (_, variance_a), (_, variance_b), (_, variance) = (_gaussian_moments(plane) for plane in (a, b, fused))
    cross = _gaussian_covariance(a, b)
    desired = gain_a**2 * variance_a + gain_b**2 * variance_b + 2 * gain_a * gain_b * cross
    covariance = gain_a * _gaussian_covariance(a, fused) + gain_b * _gaussian_covariance(b, fused)
    return ((2 * covariance + STABILITY) / (desired + variance + STABILITY)).mean(dim=(1, 2))


mef_ssim = Metric(
    name="MEF_MS_SSIM",
    title="multi-exposure-fusion similarity",
    direction="up",
    bounds=(0.0, 1.0),
    cost="b",
    formula="mean of (2 c + C) / (vR + vF + C) over 11x11 patches, R the patch with the stronger source's contrast and "
    "a mixture of both sources' structure, vR and vF variances, c their covariance, C = (0.03 255)^2; product over "
    "three scales with exponents 0.0448, 0.2856, 0.3001 over their sum, halved by means of 2x2",
    source="Ma, Zeng, Wang 2015",
    rewards="Local structure of the source with more contrast, at full contrast.",
    fooled="Made for exposure stacks: where sources disagree, the busier one counts as right, noise included. "
    "Brightness does not count at all.",
    quirks="Linfeng's set prints it in the column MS_SSIM.",
    variants={
        "canonical": Joint(note="three scales, 11x11 windows", compute=mef_index, min_size=MIN_SIZE),
        "linfeng": Joint(
            note="the index for multi-exposure fusion, printed as MS_SSIM", compute=mef_index, min_size=MIN_SIZE
        ),
    },
)
