"""How much of the locally stronger source a fused picture keeps, as maps and as shares (spec visibility 1).

The metrics VIS and LOST and the maps of `polyfuse explain --lost` are made of these. What depends on the sources alone
is apart from what depends on the fused picture, so that many fused pictures of one pair share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.padding import reflect_pad

NUM_SCALES = 4
"""The picture itself, and the means of blocks of 2x2, 4x4 and 8x8 pixels."""
WINDOW = 11
"""Side of the box of local means, pixels; a scale with a shorter side is left out."""
VISIBLE = 0.06
"""Contrast (local standard deviation of the stronger source, white is 1) above which losing structure counts."""
LOST_BELOW = 0.4
"""Kept share below which structure is lost."""
STEADY = 1e-5
"""Keeps quotients finite where there is no contrast."""
_ROUNDING = 1e-12
"""Variances below come from rounding; a constant picture would else have structure of 1e-8."""


@dataclass(frozen=True, eq=False)
class Scale:
    """One picture at one scale."""

    padded: Tensor
    """(N, H + 10, W + 10), black 0 and white 1, mirrored at the border."""
    mean: Tensor
    """(N, H, W), local mean."""
    variance: Tensor
    """(N, H, W), local variance."""


@dataclass(frozen=True, eq=False)
class Stronger:
    """Which source is the stronger one where, at one scale."""

    is_a: Tensor
    """(N, H, W) bool: a has the larger local variance, or the same; elsewhere b."""
    variance: Tensor
    """(N, H, W): the larger local variance."""
    contrast: Tensor
    """(N, H, W): its square root."""
    visible: Tensor
    """(N, H, W) bool: contrast enough that losing it counts."""
    sums: tuple[Tensor, Tensor]
    """Contrast summed over the pixels of a and of b, (N,) each."""
    counts: tuple[Tensor, Tensor]
    """Visible pixels of a and of b, (N,) each."""


@dataclass(frozen=True, eq=False)
class Visibility:
    """What is kept and what is lost, (N,) float64 each; NaN where nothing qualifies."""

    kept: Tensor
    """Mean share kept of the stronger source, weighted by its contrast: VIS."""
    kept_a: Tensor
    """The same over the pixels where a is the stronger source."""
    kept_b: Tensor
    """The same where b is."""
    lost: Tensor
    """Share of the visible pixels whose structure is lost: LOST."""
    lost_a: Tensor
    """The same over the pixels where a is the stronger source."""
    lost_b: Tensor
    """The same where b is."""

    @property
    def lost_of_worse(self) -> Tensor:
        """The larger of `lost_a` and `lost_b`, LOSTmax; a source without a visible pixel has nothing to lose."""
        return torch.fmax(self.lost_a, self.lost_b)


def scales(picture: Tensor) -> tuple[Scale, ...]:
    """Local means and variances of a picture at up to four scales.

    Args:
        picture: (N, H, W) float64, black 0 and white 1, any size.

    Returns:
        Finest first; none where a side is below 11 pixels.
    """
    found: list[Scale] = []
    while len(found) < NUM_SCALES and min(picture.shape[-2:]) >= WINDOW:
        padded = reflect_pad(picture, WINDOW // 2)
        mean = box_mean(padded)
        variance = box_mean(padded.square()).addcmul_(mean, mean, value=-1)
        found.append(Scale(padded, mean, variance.masked_fill_(variance < _ROUNDING, 0)))
        picture = functional.avg_pool2d(picture, 2)
    return tuple(found)


def box_mean(padded: Tensor) -> Tensor:
    """Mean over 11x11 pixels, where the box lies inside; (N, H + 10, W + 10) to (N, H, W)."""
    return _sums(_sums(padded, -2), -1).div_(WINDOW**2)


def _sums(x: Tensor, axis: int) -> Tensor:
    """Sums of 11 neighbours along an axis, from sums of 2, 4 and 8: five passes over memory, and nothing cancels."""
    size = x.shape[axis] - WINDOW + 1
    two = x.narrow(axis, 0, size + 9) + x.narrow(axis, 1, size + 9)
    four = two.narrow(axis, 0, size + 4) + two.narrow(axis, 2, size + 4)
    total = four.narrow(axis, 0, size) + four.narrow(axis, 4, size)
    return total.add_(two.narrow(axis, 8, size)).add_(x.narrow(axis, 10, size))


def stronger(a: Scale, b: Scale) -> Stronger:
    """Which source has the larger local variance where; a on a tie."""
    is_a = a.variance >= b.variance
    variance = torch.maximum(a.variance, b.variance)
    contrast = variance.sqrt()
    visible = contrast > VISIBLE
    return Stronger(is_a, variance, contrast, visible, _by_source(contrast, is_a), _counted(visible, is_a))


def _by_source(values: Tensor, is_a: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of (N, H, W) over the pixels of a and over those of b, (N,) each."""
    return (values * is_a).sum(dim=(1, 2)), values.masked_fill(is_a, 0).sum(dim=(1, 2))


def _counted(where: Tensor, is_a: Tensor) -> tuple[Tensor, Tensor]:
    """How many of the pixels `where` are of a and of b, (N,) float64 each."""
    all_pixels, of_a = (torch.count_nonzero(pixels, dim=(1, 2)) for pixels in (where, where & is_a))
    return of_a.double(), (all_pixels - of_a).double()


def kept_share(fused: Scale, a: Scale, b: Scale, strongest: Stronger) -> Tensor:
    """Share of the stronger source's structure that the fused picture keeps at one scale.

    Its correlation with that source, none where negative, times how much of its contrast is left.

    Args:
        fused: The picture that is judged.
        a: First source, same size.
        b: Second source.
        strongest: From `stronger(a, b)`.

    Returns:
        (N, H, W) in [0, 1].
    """
    covariance_a, covariance_b = (
        box_mean(source.padded * fused.padded).addcmul_(source.mean, fused.mean, value=-1) for source in (a, b)
    )
    covariance = torch.where(strongest.is_a, covariance_a, covariance_b)
    norm = (strongest.variance * fused.variance).sqrt_().add_(STEADY)
    gain = ((fused.variance + STEADY) / (strongest.variance + STEADY)).sqrt_().clamp_(max=1)
    return covariance.div_(norm).clamp_(0, 1).mul_(gain)


def visibility(kept: Sequence[Tensor], strongest: Sequence[Stronger]) -> Visibility:
    """Sum up all scales.

    Args:
        kept: `kept_share` of each scale; at least one.
        strongest: `stronger` of each scale.

    Returns:
        Means over the scales on which something qualifies.
    """
    rows = torch.stack([_of_scale(share, where) for share, where in zip(kept, strongest, strict=True)])
    return Visibility(*rows.nanmean(dim=0).unbind())


def _of_scale(kept: Tensor, strongest: Stronger) -> Tensor:
    """The six numbers of one scale, (6, N), in the order of `Visibility`; NaN where nothing qualifies."""
    kept_a, kept_b = _by_source(kept * strongest.contrast, strongest.is_a)
    lost_a, lost_b = _counted((kept < LOST_BELOW) & strongest.visible, strongest.is_a)
    (sum_a, sum_b), (count_a, count_b) = strongest.sums, strongest.counts
    return torch.stack([
        (kept_a + kept_b) / (sum_a + sum_b), kept_a / sum_a, kept_b / sum_b,
        (lost_a + lost_b) / (count_a + count_b), lost_a / count_a, lost_b / count_b,
    ])  # fmt: skip
