"""QS: structural similarity to both sources, weighted by their local contrast."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.qy import FLAT, share
from polyfuse.metrics.ssim import GAUSSIAN, GAUSSIAN_SIZE
from polyfuse.metrics.statistics import Match, Plane, Statistics


def local_variance(plane: Plane) -> Tensor:
    """Variance under the window of SSIM, exactly zero in flat areas, (N, H - 10, W - 10)."""

    def measure() -> Tensor:
        mean, square = GAUSSIAN.moments(plane)
        variance = square - mean * mean
        return variance.masked_fill_(variance < FLAT, 0)

    return plane.once("qs variance", measure)


def _similarity(match: Match) -> Tensor:
    def measure() -> Tensor:
        luminance, structure = GAUSSIAN.similarity(match)
        return luminance * structure

    return match.once("qs similarity", measure)


def similarity_map(pictures: Statistics) -> Tensor:
    """SSIM with each source, weighted by the source's share of local variance, (N, H - 10, W - 10)."""
    weight = share(local_variance(pictures.a), local_variance(pictures.b))
    return torch.lerp(_similarity(pictures.match_b), _similarity(pictures.match_a), weight)


def _mean(pictures: Statistics) -> Tensor:
    return similarity_map(pictures).mean(dim=(1, 2))


_PLAIN = Joint(note="Gaussian 11x11, L = 255", compute=_mean, min_size=GAUSSIAN_SIZE)

qs = Metric(
    name="QS",
    title="Piella's similarity",
    direction="up",
    bounds=(-1.0, 1.0),
    cost="b",
    formula="QS = mean over local windows of l ssim(A,F) + (1 - l) ssim(B,F), l = vA / (vA + vB), v the local variance",
    source="Piella, Heijmans 2003; with SSIM as used by Liu et al. 2012",
    rewards="Local structure of the source with more contrast there.",
    fooled="A sharpened average scores as well as published networks on six VIFB pairs: 0.78 against 0.75 and 0.78.",
    quirks="None: canonical and the code of Liu et al. agree.",
    variants={"canonical": _PLAIN, "liu2012": _PLAIN},
)
