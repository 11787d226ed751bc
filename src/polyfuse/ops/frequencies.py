"""Filters given by their gain at each spatial frequency, and how energy is spread over the frequencies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def radial_frequency(height: int, width: int, *, unit: float) -> Tensor:
    """Distance of each entry of a Fourier transform from frequency zero.

    Args:
        height: Rows of the picture.
        width: Columns.
        unit: Cycles per picture that count as 1.

    Returns:
        (height, width) float64, in the order of `torch.fft.fft2`.
    """

    def along(size: int) -> np.ndarray:
        return 2 * (np.arange(size) - size // 2) / size * size / (2 * unit)

    across, down = np.meshgrid(along(width), along(height))
    return torch.from_numpy(np.fft.ifftshift(np.sqrt(across**2 + down**2)))


def apply_gain(x: Tensor, gain: Tensor) -> Tensor:
    """Filter pictures by a gain that is the same in opposite directions.

    By numpy: as quick as torch on one thread, where torch rounds a batch unlike its pictures one by one, and spends
    longer on waking threads than on a small picture.

    Args:
        x: (N, H, W) float64.
        gain: (H, W) float64, real, in the order of `torch.fft.fft2`.

    Returns:
        (N, H, W).
    """
    height, width = x.shape[-2:]
    spectrum = np.fft.rfft2(x.cpu().numpy())
    spectrum *= gain[:, : width // 2 + 1].numpy()
    return torch.from_numpy(np.fft.irfft2(spectrum, s=(height, width))).to(x.device)


def apply_gain_rounding_as_complex(x: Tensor, gain: Tensor) -> Tensor:
    """The same with the rounding errors of numpy's complex transforms, for whoever divides them by each other.

    Slower than `apply_gain`, from which it differs by about 1e-13.
    """
    # real input, complex transform: a transform of complex input rounds differently
    spectrum = np.fft.fft2(x.cpu().numpy())
    spectrum *= gain.numpy()
    return torch.from_numpy(np.fft.ifft2(spectrum).real).to(x.device)


def share_above(x: Tensor, cutoff: float) -> Tensor:
    """Share of the energy around the mean that lies at spatial frequencies above `cutoff`.

    Args:
        x: (N, C, H, W); energies of the channels are added up.
        cutoff: Cycles per pixel.

    Returns:
        (N,), in [0, 1]; 0 for constant channels.
    """
    energy = torch.fft.fft2(x - x.mean(dim=(-2, -1), keepdim=True)).abs().square().sum(dim=1)
    down, across = (torch.fft.fftfreq(size, device=x.device) for size in x.shape[-2:])
    high = torch.hypot(down[:, None], across[None, :]) > cutoff
    total = energy.sum(dim=(-2, -1))
    share: Tensor = (energy * high).sum(dim=(-2, -1)) / total.clamp_min(torch.finfo(total.dtype).tiny)
    return share


def band_shares(x: Tensor, edges: Sequence[float]) -> Tensor:
    """Shares of the energy around the mean that lie in bands of spatial frequency; they add up to 1.

    Args:
        x: (N, C, H, W); energies of the channels are added up.
        edges: Where one band ends and the next begins, cycles per pixel, ascending; an edge belongs to the lower band.

    Returns:
        (N, len(edges) + 1), lowest band first; all 0 for constant channels.
    """
    energy = torch.fft.fft2(x - x.mean(dim=(-2, -1), keepdim=True)).abs().square().sum(dim=1)
    down, across = (torch.fft.fftfreq(size, device=x.device) for size in x.shape[-2:])
    band = torch.bucketize(torch.hypot(down[:, None], across[None, :]), torch.tensor(edges, device=x.device))
    sums = energy.new_zeros(len(x), len(edges) + 1)
    sums.index_add_(1, band.flatten(), energy.flatten(1))
    shares: Tensor = sums / sums.sum(dim=1, keepdim=True).clamp_min(torch.finfo(sums.dtype).tiny)
    return shares
