"""What the fused picture fails to keep of the visual information of its sources: the metric VIF as a loss.

Source: Sheikh, Bovik 2006, pixel domain, for both sources as in the metric; its use as a loss here is ours.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from polyfuse.ops.windows import gaussian_window

NOISE = 2.0
"""Variance of the visual noise, on 0..255. Source: the metric."""
TAPS = (17, 9, 5, 3)
"""Sides of the windows of the four scales; the deviation of each Gaussian is a fifth of it. Source: the metric."""
SMALLEST = 41
"""Shortest side that leaves a sample on the last scale."""
FLAT = 1e-4
"""Added to the variance of the source, as float32 rounds by that much; far below `NOISE`: VIF changes under 1e-4."""


def fidelity_loss(
    fused: Tensor, a: Tensor, b: Tensor, *, batch_mean: Callable[[Tensor], Tensor] = lambda mean: mean
) -> Tensor:
    """2 less the fidelities to a and to b, each the information kept over the information there, of the whole batch.

    Args:
        fused: (N, 1, H, W), sides of 41 or more, not clamped.
        a: Same shape, in [0, 1].
        b: Same shape, in [0, 1].
        batch_mean: Turns a mean over this part of the batch into the mean over all processes that share it.

    Returns:
        Scalar, 0 for a copy of two equal sources; below 0 for a picture of more contrast than its sources.
    """
    return 2 - _fidelity(a, fused, batch_mean) - _fidelity(b, fused, batch_mean)


def _fidelity(source: Tensor, fused: Tensor, batch_mean: Callable[[Tensor], Tensor]) -> Tensor:
    """Information kept over information available, both in sums over pixels and scales; 1 for flat sources."""
    source, fused = (255 * (x - x.detach().mean(dim=(2, 3), keepdim=True)) for x in (source, fused))
    kept, available = [], []
    for scale, taps in enumerate(TAPS):
        if scale:
            source, fused = (_smooth(x, taps)[..., ::2, ::2] for x in (source, fused))
        mean_source, mean_fused = _smooth(source, taps), _smooth(fused, taps)
        variance = (_smooth(source.square(), taps) - mean_source.square()).clamp_min(0)
        covariance = (_smooth(source * fused, taps) - mean_source * mean_fused).clamp_min(0)  # ours: no negative gain
        gain = covariance / (variance + FLAT)
        unexplained = (_smooth(fused.square(), taps) - mean_fused.square() - gain * covariance).clamp_min(0)
        kept.append((1 + gain.square() * variance / (unexplained + NOISE)).log().sum())
        available.append((1 + variance / NOISE).log().sum())
    total = batch_mean(torch.stack(available).sum())
    return torch.where(total > 0, torch.stack(kept).sum() / total.clamp_min(FLAT), 1.0)


def _smooth(x: Tensor, taps: int) -> Tensor:
    """Gaussian mean wherever the window lies inside (N, 1, H, W)."""
    window = gaussian_window(taps, taps / 5, dtype=x.dtype, device=x.device)
    return conv2d(conv2d(x, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
