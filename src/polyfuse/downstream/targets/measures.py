"""What a picture does with a target whose pixels are known: contrast, entropy, and whether a plain detector finds it.

All look at luma of 8 bits, 0 to 255, and at all targets of a mask together.

- **Contrast**: |mean of the target - mean of its ring| / sqrt((variance of the target + variance of the ring) / 2). The
  ring is what lies 3 to 10 pixels from the target, by rows and columns: two pixels of blur are left out. The divisor is
  at least one level, as no picture of 8 bits knows its values better. Source: ours.
- **Entropy**: of the levels of the target's pixels, in bits. Noise raises it. Source: usual in the field.
- **Saliency**: |blur - mean around|, a Gaussian of 1 pixel less the mean of the square that reaches a tenth of the
  shorter side in all directions, as far as it lies in the picture; parted by Otsu's threshold over 256 equal steps up
  to its largest value. What is above it counts as found. Source: ours, after centre and surround of Itti et al. 1998;
  no number in it was chosen by any mask.
- **F**: 1.3 precision recall / (0.3 precision + recall), the weight of Achanta et al. 2009.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from polyfuse.errors import InputError
from polyfuse.ops.blur import gaussian_blur
from polyfuse.ops.otsu import otsu_level
from polyfuse.transforms.colour import luma

GAP, RING = 2, 10
"""Pixels around a target that count neither way, and the last pixel of the ring."""
LEAST_SPREAD = 1.0
"""Least divisor of the contrast, levels of 255."""
FINE, REACH = 1.0, 0.1
"""Blur of the saliency in pixels, and reach of the mean around as a share of the shorter side."""
BETA_SQUARED = 0.3

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class TargetScore:
    """What one picture does with its target."""

    contrast: float
    """Absolute, in pooled standard deviations, not negative."""
    difference: float
    """Mean of the target less that of the ring, levels of 255: negative for a dark target."""
    entropy: float
    """Bits, 0 to 8."""
    precision: float
    """Share of what is found that is target, in [0, 1]; 0 if nothing is found."""
    recall: float
    """Share of the target that is found."""
    f_measure: float
    """In [0, 1]."""


def score_target(picture: NDArray[np.uint8], target: Mask) -> TargetScore:
    """Measure how a picture shows its target.

    Args:
        picture: (H, W, 3) RGB or (H, W).
        target: (H, W), True on the target.

    Raises:
        InputError: If the sizes differ, the mask marks nothing, or nothing is left around the target.
    """
    if picture.shape[:2] != target.shape:
        raise InputError(f"the mask is {target.shape[::-1]} and the picture {picture.shape[1::-1]}: give one size")
    if not target.any():
        raise InputError("the mask marks no target: leave that pair out")
    ring = ring_around(target)
    if not ring.any():
        raise InputError("the mask leaves nothing around the target: leave that pair out")
    values = _luma255(picture)
    inside, outside = values[target], values[ring]
    difference = float(inside.mean() - outside.mean())
    spread = math.sqrt((inside.var() + outside.var()) / 2)
    found = salient(values)
    right = int((found & target).sum())
    precision, recall = right / max(1, int(found.sum())), right / int(target.sum())
    return TargetScore(
        abs(difference) / max(spread, LEAST_SPREAD), difference, _entropy(inside), precision, recall,
        f_measure(precision, recall),
    )  # fmt: skip


def ring_around(target: Mask) -> Mask:
    """Pixels above `GAP` and up to `RING` rows or columns, whichever are more, from the nearest target pixel."""
    ring: Mask = grown(target, RING) & ~grown(target, GAP)
    return ring


def grown(target: Mask, pixels: int) -> Mask:
    """The target and all that is at most so many rows and columns from it."""
    value = torch.from_numpy(target).float()[None, None]
    grown: Mask = functional.max_pool2d(value, 2 * pixels + 1, 1, pixels)[0, 0].numpy() > 0
    return grown


def salient(values: NDArray[np.float64]) -> Mask:
    """What a plain detector finds: local contrast above Otsu's threshold; nothing in an even picture.

    Args:
        values: (H, W) luma, 0 to 255.
    """
    blurred = gaussian_blur(torch.from_numpy(values)[None, None], FINE)[0]
    around = mean_around(values, max(1, round(REACH * min(values.shape))))
    difference = (blurred - torch.from_numpy(around)).abs()
    largest = float(difference.max())
    if largest < 0.5:  # less than rounding to a level can make
        return np.zeros(values.shape, bool)
    levels = (difference / largest * 255).round().long()
    found: Mask = (levels[0] > otsu_level(levels)).numpy()
    return found


def mean_around(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Mean of the square of `reach` pixels to each side of every pixel, of what of it lies in the picture.

    Args:
        values: (H, W).
        reach: Pixels, positive.
    """
    sums = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    first, last = zip(*(_bounds(size, reach) for size in values.shape), strict=True)
    (top, left), (bottom, right) = first, last
    total = (
        sums[np.ix_(bottom, right)] - sums[np.ix_(top, right)] - sums[np.ix_(bottom, left)] + sums[np.ix_(top, left)]
    )
    mean: NDArray[np.float64] = total / np.outer(bottom - top, right - left)
    return mean


def _bounds(size: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and one past the last index within reach of each of `size`."""
    place = np.arange(size)
    return np.maximum(place - reach, 0), np.minimum(place + reach + 1, size)


def f_measure(precision: float, recall: float) -> float:
    """Weighted harmonic mean of precision and recall; 0 where both are.

    >>> round(f_measure(0.5, 1.0), 4)
    0.5652
    """
    if precision + recall == 0:
        return 0.0
    return (1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)


def _luma255(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Luma, 0 to 255, not rounded."""
    if picture.ndim == 2:
        return picture.astype(np.float64)
    values: NDArray[np.float64] = luma(picture.astype(np.float64) / 255) * 255
    return values


def _entropy(values: NDArray[np.float64]) -> float:
    """Shannon entropy of the whole levels, bits."""
    counts = np.bincount(np.rint(values).astype(np.int64), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    return max(0.0, float(-(shares * np.log2(shares)).sum()))
