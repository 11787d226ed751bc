"""Orthonormal wavelets of pictures: one level of analysis and its inverse, for filters of even length.

The picture is mirrored at its border (the edge pixel repeated) and coefficients beyond the border are kept, so that any
size comes back up to rounding. Coefficient n of an axis is the sum over m of filter[m] * x[2 n + 1 - m], as in
PyWavelets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.ops.padding import extend
from polyfuse.ops.windows import correlate

Filters = tuple[list[float], list[float]]
"""Low-pass and high-pass of the analysis."""
Bands = tuple[Tensor, Tensor, Tensor, Tensor]
"""Low-low, then horizontal, vertical and diagonal detail: low down and high across is vertical edges."""


def mirrored_filters(low: list[float]) -> Filters:
    """Low-pass and the high-pass that goes with it: mirrored, every second sign changed."""
    return low, [tap if place % 2 else -tap for place, tap in enumerate(reversed(low))]


def analyse(x: Tensor, down: Filters, across: Filters) -> Bands:
    """One level.

    Args:
        x: (N, C, H, W), any size from 1 x 1.
        down: Filters along columns, vertically.
        across: Filters along rows, of the same length.

    Returns:
        Four of (N, C, h, w), h = floor((H + taps - 1) / 2), w alike.
    """
    taps = len(across[0])
    padded = extend(x, taps - 1, "symmetric")[..., 1:, 1:]
    low, high = (correlate(padded, taps_[::-1], -1, step=2) for taps_ in across)
    return (
        correlate(low, down[0][::-1], -2, step=2),
        correlate(low, down[1][::-1], -2, step=2),
        correlate(high, down[0][::-1], -2, step=2),
        correlate(high, down[1][::-1], -2, step=2),
    )


def synthesise(bands: Bands, down: Filters, across: Filters, shape: torch.Size) -> Tensor:
    """The inverse of `analyse`.

    Args:
        bands: As `analyse` gives them, changed or not.
        down: The filters of the analysis.
        across: The same for rows.
        shape: Ends in (H, W) of the picture.

    Returns:
        (N, C, H, W).
    """
    low_low, low_high, high_low, high_high = bands
    low = _joined(low_low, down[0], -2) + _joined(low_high, down[1], -2)
    high = _joined(high_low, down[0], -2) + _joined(high_high, down[1], -2)
    x = _joined(low, across[0], -1) + _joined(high, across[1], -1)
    return x[..., : shape[-2], : shape[-1]]


def _joined(band: Tensor, taps: list[float], axis: int) -> Tensor:
    """What one band adds to the picture along an axis: even and odd places, interleaved."""
    even, odd = correlate(band, taps[1::2], axis), correlate(band, taps[0::2], axis)
    stacked = torch.stack((even, odd), dim=-1 if axis == -1 else -2)
    return stacked.flatten(-2) if axis == -1 else stacked.flatten(-3, -2)
