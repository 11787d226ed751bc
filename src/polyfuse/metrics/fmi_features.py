"""Feature pictures that FMI compares: edges, gradient, cosine and wavelet coefficients."""

from __future__ import annotations

import importlib
import math
from typing import Any

import torch
from torch import Tensor

from polyfuse.errors import DependencyError
from polyfuse.ops.gradients import sobel_responses
from polyfuse.ops.padding import extend

WAVELET = "dmey"
STEP = 2.0**-34
"""Transform coefficients are rounded to multiples of this."""
EDGE_CUTOFF = 4.0
"""Weakest edge, in units of the mean squared gradient."""
TIE = 100 * torch.finfo(torch.float64).eps
"""How much the smaller direction may trail and still count as equal."""


def pixels(x: Tensor) -> Tensor:
    """The picture itself."""
    return x


def gradient(x: Tensor) -> Tensor:
    """Horizontal derivative: central differences, one-sided at the border; (N, H, W) from (N, H, W)."""
    inner = (x[..., 2:] - x[..., :-2]) / 2
    return torch.cat([x[..., 1:2] - x[..., :1], inner, x[..., -1:] - x[..., -2:-1]], dim=-1)


def edges(x: Tensor) -> Tensor:
    """One where the Sobel gradient is strong and a ridge, else zero; (N, H, W) from (N, H, W)."""
    across, down = ((response / 8).square() for response in sobel_responses(x, "replicate"))
    strength = across + down
    around = extend(strength, 1, "replicate")
    left, right = around[..., 1:-1, :-2], around[..., 1:-1, 2:]
    above, below = around[..., :-2, 1:-1], around[..., 2:, 1:-1]
    ridge_across = (across >= down - TIE) & (left <= strength) & (right < strength)
    ridge_down = (down >= across - TIE) & (above <= strength) & (below < strength)
    strong = strength > EDGE_CUTOFF * strength.mean(dim=(1, 2), keepdim=True)
    return (strong & (ridge_across | ridge_down)).to(x)


def dct(x: Tensor) -> Tensor:
    """Orthonormal two-dimensional DCT-II of the whole picture; (N, H, W) from (N, H, W)."""
    rows, columns = (_cosines(size, x.device) for size in x.shape[-2:])
    return _settled(torch.stack([rows @ picture @ columns.T for picture in x]))


def wavelet(x: Tensor) -> Tensor:
    """One level of the discrete Meyer wavelet, bands tiled [approximation, horizontal; vertical, diagonal], in 0..1.

    Args:
        x: (N, H, W).

    Returns:
        (N, 2 floor((H + 61) / 2), 2 floor((W + 61) / 2)): the 62-tap filter reaches past the border.

    Raises:
        DependencyError: If PyWavelets is missing.
    """
    smooth, details = _pywt().dwt2(x.detach().cpu().numpy(), WAVELET, mode="symmetric", axes=(-2, -1))
    smooth, horizontal, vertical, diagonal = map(torch.from_numpy, (smooth, *details))
    tiles = _settled(torch.cat([torch.cat([smooth, horizontal], -1), torch.cat([vertical, diagonal], -1)], -2))
    low, high = tiles.amin(dim=(1, 2), keepdim=True), tiles.amax(dim=(1, 2), keepdim=True)
    return ((tiles - low) / torch.where(high > low, high - low, 1.0)).to(x.device)


def _cosines(size: int, device: torch.device) -> Tensor:
    """Matrix of the orthonormal DCT-II, (size, size), rows by frequency."""
    index = torch.arange(size, device=device)
    phase = (index[:, None] * (2 * index + 1)).remainder(4 * size)  # whole turns off: cos keeps its digits
    basis = torch.cos(phase.double() * (math.pi / (2 * size))) * math.sqrt(2 / size)
    basis[0] = math.sqrt(1 / size)
    return basis


def _settled(coefficients: Tensor) -> Tensor:
    """Round off what is noise of the arithmetic."""
    # ours: a flat area has coefficients of 1e-13 in place of zero, and FMI would compare the noise of two such areas
    return (coefficients / STEP).round_().mul_(STEP)


def _pywt() -> Any:
    """PyWavelets, which only this feature needs."""
    try:
        return importlib.import_module("pywt")
    except ImportError as error:
        raise DependencyError(
            'FMI_wavelet needs PyWavelets: pip install "polyfuse[metrics]", or leave it out.'
        ) from error
