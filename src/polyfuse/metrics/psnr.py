"""PSNR: peak signal-to-noise ratio against both sources."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.mse import squared_error
from polyfuse.metrics.rmse import root_over_pixels
from polyfuse.metrics.statistics import Statistics

WHITE = 255.0


def _mean_error(pictures: Statistics) -> Tensor:
    return (squared_error(pictures.match_a) + squared_error(pictures.match_b)) / 2


def _ratio(pictures: Statistics, *, error_scale: float = 1.0) -> Tensor:
    """White over the error, in dB; infinite without error."""
    return 10 * torch.log10(WHITE**2 / (_mean_error(pictures) * error_scale))


def _ratio_to_brightest(pictures: Statistics) -> Tensor:
    """The brightest level of the fused picture over the error, in dB."""
    peak = pictures.fused.values.amax(dim=(1, 2))
    return 10 * torch.log10(peak**2 / _mean_error(pictures))


def _twice_rooted(pictures: Statistics) -> Tensor:
    """20 log10(255 / sqrt(E)) of an E that is a root already."""
    error = (root_over_pixels(pictures.match_a) + root_over_pixels(pictures.match_b)) / 2
    return 20 * torch.log10(WHITE / error.sqrt())


_SHIFTED = Joint(
    note="peak 255 over an error on 0..1: 48.13 dB too high", compute=partial(_ratio, error_scale=WHITE**-2)
)

psnr = Metric(
    name="PSNR",
    title="peak signal-to-noise ratio",
    direction="up",
    bounds=(0.0, float("inf")),
    cost="a",
    formula="PSNR = 10 log10(255^2 / M) dB, M = (mean (A - F)^2 + mean (B - F)^2) / 2",
    source="general",
    rewards="Being close to both sources, pixel by pixel.",
    fooled="The average of the sources is the best picture there is by this measure.",
    quirks="13 to 60 dB for one picture: the peak is 255, the brightest pixel of the fused picture, or 255 over an "
    "error on 0..1. Only values near 13 to 16 dB mean what the name says.",
    variants={
        "canonical": Joint(note="peak 255; infinite without error", compute=_ratio),
        "cddfuse": Joint(note="peak is the brightest level of this fused picture", compute=_ratio_to_brightest),
        "linfeng": _SHIFTED,
        "linfeng_workbook": _SHIFTED,
        "survey": _SHIFTED,
        "vifb": Joint(note="of VIFB's RMSE, a root already: near 58 dB; per channel, averaged", compute=_twice_rooted),
    },
)
