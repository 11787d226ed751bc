"""Structure of the locally stronger source: five terms for a network that has to choose. Ours (spec pyrfuse 5).

Which source is the stronger one at a place is decided by its local variance less what its noise adds. The fused picture
is asked for its structure there, for some of the weaker one's, for the brighter base and the calm of the calmer one
where both are flat, and to stay between black and white. This is not the metric VIS or LOST: those have other windows
and another form, know no noise, and no loss imports a metric.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

NUM_SCALES = 4
"""The picture, and means of blocks of 2x2, 4x4 and 8x8 pixels."""
BOX = 7
"""Side of the box of local means, pixels."""
SMALLEST = 32
"""Shortest side whose last scale still fills half a box."""
FLAT = 2e-4
"""Keeps the likeness of two flat places at 1; variance, white is 1."""
LEAST_STRONGER, LEAST_WEAKER = 1e-5, 1e-6
"""Added to the excess variance, so that flat places count a little; variance, white is 1."""
NOISE_MARGIN = 2.0
"""How often the noise variance is taken off the local variance."""
QUIET_SHARE = 0.3
"""Quantile of the absolute diagonal difference that tells the noise: texture rarely reaches it."""
OF_NORMAL = 0.385
"""That quantile of the absolute value of a standard normal variable."""
BASE_SIDE = 16
"""Side of the blocks whose means are the base, pixels."""
FLAT_BLOCK = 5e-4
"""Variance of both sources together at which a block counts half in the base; white is 1."""
CALM_SCALES = 2
"""Scales on which noise is looked for; on coarser ones it is averaged away."""
FLAT_PLACE = 1e-4
"""Excess variance of the stronger source at which a place counts half as flat; white is 1."""
STEADY = 1e-8
"""Keeps the slope of a root finite; variance, white is 1."""
LEAK = 0.1
"""Share of what lies below 0 or above 1 that structure still sees, so that it has a gradient there."""
SHARES = {"structure": 1.0, "weaker": 0.35, "base": 0.1, "excess": 30.0, "calm": 1.5}
"""Shares of the terms in `stronger_loss`."""


@dataclass(frozen=True, eq=False)
class StrongerTerms:
    """Unweighted terms, scalars that are not negative."""

    structure: Tensor
    """1 - likeness to the stronger source, weighted by its contrast; 0 for a copy of it."""
    weaker: Tensor
    """The same for the weaker source, over the contrast of the stronger one."""
    base: Tensor
    """Mean absolute difference of the 16x16 means of the fused picture from the larger ones of a and b, where both are
    flat: a bright sky stays bright, and smoke may give way to what the other source sees in it."""
    excess: Tensor
    """Mean of what lies below 0 or above 1 and would be cut off: details on a base that leaves them no room."""
    calm: Tensor
    """Mean local deviation beyond that of the calmer source, where both are flat: noise that could be left out."""


def stronger_terms(
    fused: Tensor, a: Tensor, b: Tensor, *, batch_mean: Callable[[Tensor], Tensor] = lambda mean: mean
) -> StrongerTerms:
    """How far a fused picture is from the structure of the locally stronger source.

    At each scale, with var and cov over boxes of 7x7 pixels, borders mirrored: the excess of a source is
    max(0, var - 2 noise variance), the stronger source s has the larger one (a on a tie), and

        structure = mean(sqrt(excess_s + 1e-5) (1 - (2 cov(fused, s) + C) / (var_fused + var_s + C))) / mean(sqrt(...))

    with C = 2e-4; `weaker` is the same of the other source with 1e-6, over the same mean. On the two finest scales

        calm = mean(1e-4 / (1e-4 + excess_s) sqrt(max(0, var_fused - min(var_a, var_b)) + 1e-8))

    Terms are means over scales.
    What lies beyond black and white would be cut off: structure and weaker see a tenth of it. Differentiable in
    `fused`, but for `base` where a mean is met exactly, and at black and white.

    Args:
        fused: (N, 1, H, W), sides of 32 or more, not clamped.
        a: Same shape, in [0, 1].
        b: Same shape, in [0, 1].
        batch_mean: Turns a mean over this part of the batch into the mean over all processes that share it.

    Returns:
        The terms.

    Source: ours.
    """
    base = _base(fused, a, b, batch_mean)
    shown = fused.clamp(0, 1)
    excess = (fused - shown).abs().mean()
    fused = shown + LEAK * (fused - shown)
    noise_a, noise_b = noise_variance(a), noise_variance(b)
    structure, weaker, calm = [], [], []
    for scale in range(NUM_SCALES):
        if scale:
            fused, a, b = (functional.avg_pool2d(x, 2) for x in (fused, a, b))
            noise_a, noise_b = noise_a / 4, noise_b / 4  # means of four values that are noisy on their own
        of_fused, of_a, of_b = _moments(fused), _moments(a), _moments(b)
        unlike_a, unlike_b = _unlike(of_fused, of_a), _unlike(of_fused, of_b)
        excess_a, excess_b = (
            (one.variance - NOISE_MARGIN * noise).clamp_min(0) for one, noise in ((of_a, noise_a), (of_b, noise_b))
        )
        is_a = excess_a >= excess_b
        larger = torch.maximum(excess_a, excess_b)
        if scale < CALM_SCALES:
            more = (of_fused.variance - torch.minimum(of_a.variance, of_b.variance)).clamp_min(0)
            calm.append((FLAT_PLACE / (FLAT_PLACE + larger) * (more + STEADY).sqrt()).mean())
        weights = (larger + LEAST_STRONGER).sqrt()
        weights_weaker = (torch.minimum(excess_a, excess_b) + LEAST_WEAKER).sqrt()
        contrast = batch_mean(weights.mean())
        structure.append((weights * torch.where(is_a, unlike_a, unlike_b)).mean() / contrast)
        weaker.append((weights_weaker * torch.where(is_a, unlike_b, unlike_a)).mean() / contrast)
    return StrongerTerms(
        torch.stack(structure).mean(), torch.stack(weaker).mean(), base, excess, torch.stack(calm).mean()
    )


def stronger_loss(
    fused: Tensor, a: Tensor, b: Tensor, *, batch_mean: Callable[[Tensor], Tensor] = lambda mean: mean
) -> Tensor:
    """The terms of `stronger_terms` in the shares of `SHARES`, one scalar; the arguments are the same."""
    terms = stronger_terms(fused, a, b, batch_mean=batch_mean)
    return torch.stack([share * getattr(terms, name) for name, share in SHARES.items()]).sum()


def _base(fused: Tensor, a: Tensor, b: Tensor, batch_mean: Callable[[Tensor], Tensor]) -> Tensor:
    """Distance of the means of blocks from the larger source's; blocks in which a source has structure count less."""
    mean_fused, mean_a, mean_b = (functional.avg_pool2d(x, BASE_SIDE) for x in (fused, a, b))
    squares = functional.avg_pool2d(a.square(), BASE_SIDE) + functional.avg_pool2d(b.square(), BASE_SIDE)
    variance = (squares - mean_a.square() - mean_b.square()).clamp_min(0)
    weights = FLAT_BLOCK / (FLAT_BLOCK + variance)
    return (weights * (mean_fused - torch.maximum(mean_a, mean_b)).abs()).mean() / batch_mean(weights.mean())


def noise_variance(picture: Tensor) -> Tensor:
    """Variance of the noise of each picture, (N, 1, H, W), sides of 3 or more, to (N, 1, 1, 1).

    The second difference along both diagonals leaves ramps and edges along rows and columns out; of its absolute values
    a low quantile belongs to places without texture.

    Source: ours.
    """
    kernel = torch.tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=picture.dtype, device=picture.device) / 6
    values = functional.conv2d(picture, kernel[None, None]).abs().flatten(1)
    quiet = values.kthvalue(int(QUIET_SHARE * values.shape[1]) + 1, dim=1).values
    return (quiet / OF_NORMAL).square()[:, None, None, None]


@dataclass(frozen=True, eq=False)
class _Moments:
    """A picture with its local means and variances, (N, 1, h, w) each."""

    picture: Tensor
    mean: Tensor
    variance: Tensor


def _moments(picture: Tensor) -> _Moments:
    mean = _box(picture)
    return _Moments(picture, mean, (_box(picture.square()) - mean.square()).clamp_min(0))


def _unlike(fused: _Moments, source: _Moments) -> Tensor:
    """1 - likeness of the fused picture to a source, (N, 1, h, w)."""
    covariance = _box(fused.picture * source.picture) - fused.mean * source.mean
    return 1 - (2 * covariance + FLAT) / (fused.variance + source.variance + FLAT)


def _box(x: Tensor) -> Tensor:
    """Mean over 7x7 pixels, border mirrored; sides of 4 or more."""
    x = functional.pad(x, (BOX // 2,) * 4, mode="reflect")
    return _sums(_sums(x, -2), -1) / BOX**2


def _sums(x: Tensor, axis: int) -> Tensor:
    """Sums of 7 neighbours along an axis, from sums of 2 and 4: twice as fast as pooling, gradient included."""
    size = x.shape[axis] - BOX + 1
    two = x.narrow(axis, 0, size + 5) + x.narrow(axis, 1, size + 5)
    four = two.narrow(axis, 0, size) + two.narrow(axis, 2, size)
    return four + two.narrow(axis, 4, size) + x.narrow(axis, 6, size)
