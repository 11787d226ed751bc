"""Qcb: how well the contrast that an eye sees in the sources survives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.statistics import Match, Plane, Statistics
from polyfuse.ops.frequencies import apply_gain_rounding_as_complex, radial_frequency
from polyfuse.ops.windows import correlate_window

WIDE, NARROW, DIP = 15.3870, 1.3456, 0.7622
"""Difference of Gaussians that stands for the eye's contrast sensitivity."""
REACH = 15
"""Pixels to each side of the windows of the local means."""
CENTRE_SIGMA, SURROUND_SIGMA = 2.0, 4.0
MASKING = 1e-4
SURVEY_GUARD = 1e-10


@lru_cache(maxsize=4)
def _sensitivity(height: int, width: int, unit: float) -> Tensor:
    """Gain of the eye by frequency. The tensor is cached: do not change it."""
    radius = radial_frequency(height, width, unit=unit).numpy()
    # numpy's exponential, for its rounding
    return torch.from_numpy(np.exp(-((radius / WIDE) ** 2)) - DIP * np.exp(-((radius / NARROW) ** 2)))


def _samples(sigma: float) -> list[float]:
    """Gaussian of 31 taps, not made to sum to one."""
    scale = sigma * math.sqrt(2 * math.pi)
    return [math.exp(-(x**2) / (2 * sigma**2)) / scale for x in range(-REACH, REACH + 1)]


def _as_published(plane: Plane) -> Plane:
    return plane.stretched("nan")


def _defined(plane: Plane) -> Plane:
    return plane.stretched("keep")


def _to_unit_range(plane: Plane) -> Plane:
    """Min-max stretch to 0..1 without rounding."""

    def make() -> Plane:
        low, high = plane.values.amin(dim=(1, 2), keepdim=True), plane.values.amax(dim=(1, 2), keepdim=True)
        return Plane((plane.values - low) / (high - low), plane.channels)

    return plane.once("unit range", make)


@dataclass(frozen=True)
class Eye:
    """How one toolbox models the eye."""

    stretch: Callable[[Plane], Plane]
    """Stretches the range of each picture first."""
    unit: float = 15.0
    """Cycles per picture that make one unit of frequency."""
    guard: float = 0.0
    """Added to denominators."""
    defined: bool = False
    """Whether zero over zero counts as zero instead of NaN."""

    def contrast(self, plane: Plane) -> Tensor:
        """Masked contrast, (N, H, W)."""
        return plane.once(("contrast", self), partial(self._contrast, plane))

    def _contrast(self, plane: Plane) -> Tensor:
        stretched = self.stretch(plane)
        # In wide dark areas both means are rounding errors: their ratio, and the score, hang on the transform.
        seen = apply_gain_rounding_as_complex(stretched.values, _sensitivity(*stretched.values.shape[1:], self.unit))
        seen = functional.pad(seen, (REACH,) * 4)
        centre, surround = (correlate_window(seen, _samples(sigma)) for sigma in (CENTRE_SIGMA, SURROUND_SIGMA))
        contrast = self._ratio(centre, surround).sub_(1).abs_()
        square = contrast * contrast
        return contrast.mul_(square).div_(square.add_(MASKING))

    def _ratio(self, part: Tensor, whole: Tensor) -> Tensor:
        whole = whole + self.guard if self.guard else whole
        return (part / whole).masked_fill_((part == 0) & (whole == 0), 0) if self.defined else part / whole

    def preservation(self, match: Match) -> Tensor:
        """The smaller contrast of source and fused picture over the larger one, (N, H, W)."""

        def measure() -> Tensor:
            one, other = self.contrast(match.source), self.contrast(match.fused)
            return self._ratio(torch.minimum(one, other), torch.maximum(one, other))

        return match.once(("preservation", self), measure)

    def saliency(self, one: Plane, other: Plane) -> Tensor:
        """Share of the first source in the squared contrast, (N, H, W)."""
        square = self.contrast(one).square()
        return self._ratio(square, square + self.contrast(other).square())


def _preservation(pictures: Statistics, *, eye: Eye) -> Tensor:
    one, other = eye.preservation(pictures.match_a), eye.preservation(pictures.match_b)
    weight = eye.saliency(pictures.a, pictures.b)
    if eye.guard:  # the two shares do not add to one
        return (weight * one + eye.saliency(pictures.b, pictures.a) * other).mean(dim=(1, 2))
    return torch.lerp(other, one, weight).mean(dim=(1, 2))


def _variant(note: str, eye: Eye) -> Joint:
    return Joint(note=note, compute=partial(_preservation, eye=eye))


_GREY = _variant("on grey; no value for a constant picture", Eye(_as_published))

qcb = Metric(
    name="Qcb",
    title="Chen and Blum's perceived contrast",
    direction="up",
    bounds=(0.0, 1.0),
    cost="b",
    formula="Qcb = mean of l_A q_A + l_B q_B, q_X = min(C_X, C_F) / max(C_X, C_F), l_A = C_A^2 / (C_A^2 + C_B^2), "
    "l_B = 1 - l_A, C the masked ratio of two local means of a picture as the eye filters it",
    source="Chen, Blum 2009",
    rewards="Local contrast of the source in which it is stronger.",
    fooled="A copy of one source beats FNet on all five test sets: it is perfect wherever that source is the salient "
    "one.",
    quirks="The survey's code halves the frequencies and does not make the weights add to one: 0.5053 instead of "
    "0.5056 on one picture. Wide dark areas divide rounding errors by rounding errors: there the Fourier transform of "
    "another library moves it by up to 0.4 %.",
    variants={
        "canonical": _variant("on grey; constant pictures are not stretched, 0/0 = 0", Eye(_defined, defined=True)),
        "vifb": _variant("per channel, averaged; no value for a constant picture", Eye(_as_published)),
        "vifb_gray": _GREY,
        "fnet": _GREY,
        "liu2012": _GREY,
        "survey": _variant("stretched to 0..1, frequencies halved, 1e-10 added to denominators",
                           Eye(_to_unit_range, unit=30.0, guard=SURVEY_GUARD)),
    },
)  # fmt: skip
