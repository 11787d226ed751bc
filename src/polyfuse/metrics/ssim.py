"""SSIM: structural similarity to each source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from polyfuse.metrics.metric import Added, Metric
from polyfuse.metrics.statistics import Match, Plane
from polyfuse.ops.padding import extend
from polyfuse.ops.windows import correlate, correlate_window, gaussian_window

K1, K2 = 0.01, 0.03
UNIFORM_SIZE = 7
GAUSSIAN_SIZE, GAUSSIAN_SIGMA = 11, 1.5


def _gaussian() -> list[float]:
    window = gaussian_window(GAUSSIAN_SIZE, GAUSSIAN_SIGMA, dtype=torch.float64, device=torch.device("cpu"))
    return [float(weight) for weight in window]


def gaussian_mean(x: Tensor) -> Tensor:
    """Mean under the 11x11 Gaussian, sigma 1.5, only where it lies inside; (N, H - 10, W - 10) float64."""
    return correlate_window(x, _gaussian())


def _gaussian_mean_everywhere(x: Tensor) -> Tensor:
    """`gaussian_mean` at every pixel, with edge pixels repeated outside; (N, H, W) float64."""
    return gaussian_mean(extend(x, GAUSSIAN_SIZE // 2, "replicate"))


def _uniform_mean(x: Tensor) -> Tensor:
    """Mean over 7x7 where it lies inside, each pass rounded to float32 as scikit-image does; (N, H - 6, W - 6)."""
    ones = [1.0] * UNIFORM_SIZE
    down = (correlate(x, ones, -2) / UNIFORM_SIZE).float()
    return (correlate(down.double(), ones, -1) / UNIFORM_SIZE).float()


@dataclass(frozen=True)
class Convention:
    """Window, border and constants of one toolbox."""

    mean: Callable[[Tensor], Tensor]
    """Computes the local mean."""
    peak: float
    """The peak value L in the constants of SSIM."""
    sample: bool = False
    """Whether variances are divided by one less than the pixels of the window."""

    def moments(self, plane: Plane) -> tuple[Tensor, Tensor]:
        """Local mean and mean of squares of a picture."""
        x = plane.values
        return plane.once(("ssim", self.mean), lambda: (self.mean(x), self.mean(x * x)))

    def similarity(self, match: Match) -> tuple[Tensor, Tensor]:
        """Luminance and contrast-structure factors, two maps."""
        (mean_x, square_x), (mean_y, square_y) = self.moments(match.source), self.moments(match.fused)
        product = self.mean(match.source.values * match.fused.values)
        c1, c2 = (K1 * self.peak) ** 2, (K2 * self.peak) ** 2
        unbias = UNIFORM_SIZE**2 / (UNIFORM_SIZE**2 - 1) if self.sample else 1.0
        means = mean_x * mean_y
        energy = mean_x * mean_x + mean_y * mean_y
        covariance = unbias * (product - means)
        variances = unbias * (square_x - mean_x * mean_x) + unbias * (square_y - mean_y * mean_y)
        return (2 * means + c1) / (energy + c1), (2 * covariance + c2) / (variances + c2)


def _similarity(match: Match, *, convention: Convention) -> Tensor:
    luminance, structure = convention.similarity(match)
    return (luminance * structure).double().mean(dim=(1, 2))


def _variant(note: str, convention: Convention, *, mean: bool, min_size: int = 1) -> Added:
    return Added(note=note, term=partial(_similarity, convention=convention), mean=mean, min_size=min_size)


GAUSSIAN = Convention(gaussian_mean, 255.0)
_CDDFUSE = _variant("uniform 7x7 window, sample variances, L = 2, sum of both",
                    Convention(_uniform_mean, 2.0, sample=True), mean=False, min_size=UNIFORM_SIZE)  # fmt: skip

ssim = Metric(
    name="SSIM",
    title="structural similarity",
    direction="up",
    bounds=(-1.0, 1.0),
    cost="b",
    formula="ssim(X,Y) = mean of (2 mX mY + C1)(2 cXY + C2) / ((mX^2 + mY^2 + C1)(vX + vY + C2)) over local windows, "
    "C1 = (0.01 L)^2, C2 = (0.03 L)^2; averaged or added over ssim(F,A) and ssim(F,B)",
    source="Wang, Bovik, Sheikh, Simoncelli 2004",
    rewards="Local mean, contrast and structure equal to a source's.",
    fooled="On dark backgrounds a copy of one source beats published networks. With L = 1 or 2 on 0..255 data, one "
    "grey level of noise in black areas costs a large part of it.",
    quirks="0.5 to 1.4 for one picture: added or averaged, and L = 255, 2 or 1 on 0..255 data.",
    variants={
        "canonical": _variant("Gaussian 11x11, L = 255, mean of both", GAUSSIAN, mean=True, min_size=GAUSSIAN_SIZE),
        "cddfuse": _CDDFUSE,
        "fnet": _CDDFUSE,
        "smfnet": _variant("uniform 7x7 window, sample variances, L = 255, sum of both",
                           Convention(_uniform_mean, 255.0, sample=True), mean=False, min_size=UNIFORM_SIZE),
        "vifb": _variant("Gaussian 11x11, L = 255, sum of both; per channel, averaged", GAUSSIAN, mean=False,
                         min_size=GAUSSIAN_SIZE),
        "linfeng": _variant("Gaussian 11x11 at every pixel, edge repeated, L = 1, mean of both",
                            Convention(_gaussian_mean_everywhere, 1.0), mean=True),
        "survey": _variant("Gaussian 11x11, L = 1 in effect, sum of both", Convention(gaussian_mean, 1.0), mean=False,
                           min_size=GAUSSIAN_SIZE),
    },
)  # fmt: skip
