"""What the ablation study measures of a DAE-Fuse itself: how well it gives back its sources, and in which bands."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.families.daefuse.bands import BANDS, embedding_bands
from polyfuse.families.daefuse.config import SOURCES
from polyfuse.families.daefuse.network import DAEFuseNetwork
from polyfuse.ops.frequencies import band_shares
from polyfuse.ops.ssim import ssim_map


def reconstruction(model: DAEFuseNetwork, a: Tensor, b: Tensor) -> dict[str, float]:
    """How well a pair, (1, 1, H, W) each in [0, 1], comes back from its embeddings: means of both sources.

    Returns:
        "PSNR" in dB for a peak of 1, not rounded to grey levels; "SSIM" on mirrored borders; and by band of spatial
        frequency the energy that is left, 1 where all of it is, missing where a source has none.
    """
    made = model.reconstruct(a, b)
    pairs = list(zip(made, (a, b), strict=True))
    psnr = torch.stack([-10 * (x - y).square().mean().log10() for x, y in pairs]).mean()
    ssim = torch.stack([ssim_map(x, y, "reflect").mean() for x, y in pairs]).mean()
    kept = torch.stack([_energies(x) / _energies(y) for x, y in pairs]).mean(dim=0)
    numbers = {"PSNR": float(psnr), "SSIM": float(ssim)} | BANDS.named(kept)
    return {name: value for name, value in numbers.items() if abs(value) < torch.inf}


def feature_bands(model: DAEFuseNetwork, a: Tensor, b: Tensor) -> dict[str, float]:
    """Share of energy by band in the features of a pair, (1, 1, H, W) each: means of both sources, by "BRANCH BAND"."""
    sources = [embedding_bands(model, picture, source) for source, picture in zip(SOURCES, (a, b), strict=True)]
    means = {branch: torch.cat([shares[branch] for shares in sources]).mean(dim=0) for branch in sources[0]}
    return {f"{branch} {band}": value for branch, mean in means.items() for band, value in BANDS.named(mean).items()}


def fused_bands(model: DAEFuseNetwork, a: Tensor, b: Tensor) -> dict[str, float]:
    """Energy of the fused picture of a pair over the mean of both sources', by band, missing where they have none."""
    ratio = 2 * _energies(model(a, b)) / (_energies(a) + _energies(b))
    return {name: value for name, value in BANDS.named(ratio).items() if abs(value) < torch.inf}


def _energies(picture: Tensor) -> Tensor:
    """Energy around the mean by band of (1, 1, H, W), up to a factor that pictures of one size share."""
    shares: Tensor = band_shares(picture, BANDS.edges)[0] * picture.var()
    return shares
