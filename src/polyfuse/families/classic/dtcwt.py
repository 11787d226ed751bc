"""Dual-tree complex wavelet fusion (Kingsbury's transform; Nikolov et al. 2001, Lewis et al. 2007).

Six complex subbands a level, of which the coefficient of larger magnitude is taken, and the mean of the base. Four
real transforms, of rows and columns by tree a or tree b, have the real and imaginary parts as their sums and
differences. At the first level the trees' filters lie one pixel apart, at the others they are mirrored to each other
(quarter-shift), so that magnitudes hardly depend on how a picture lies on the grid.

ours: 4 levels; the 10-tap quarter-shift filter at the first level too, where any orthonormal filter fits. The package
`dtcwt` is not used: its licence restricts what may be done with it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec
from polyfuse.ops.wavelets import Bands, Filters, analyse, mirrored_filters, synthesise

LEVELS = 4
LOW = [0.03516384, 0.0, -0.08832942, 0.23389032, 0.76027237, 0.5875183, 0.0, -0.11430184, 0.0, 0.0]
"""Kingsbury's quarter-shift low-pass with 10 taps, 6 of which are not 0, to the printed digits.

Source: Kingsbury 2000, "A dual-tree complex wavelet transform with improved orthogonality and symmetry properties"."""
TREES = (0, 1)
HALF = math.sqrt(0.5)


def trees(level: int) -> tuple[Filters, Filters]:
    """Filters of tree a and tree b at a level."""
    low, high = mirrored_filters(LOW)
    if level == 0:
        return ([*low, 0.0, 0.0], [*high, 0.0, 0.0]), ([0.0, *low, 0.0], [0.0, *high, 0.0])
    return mirrored_filters(LOW), mirrored_filters(LOW[::-1])


class DTCWT(FusionModel):
    """Complex wavelet details by magnitude, mean of the base."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: filters there and back; tiles start where the coarsest level does."""
        reach = sum(2 * (len(trees(level)[0][0]) - 1) * 2**level for level in range(LEVELS))
        return ModelSpec(
            family="dtcwt",
            receptive_radius=reach,
            halo=-(-reach // 2**LEVELS) * 2**LEVELS,
            multiple_of=2**LEVELS,
            bytes_per_pixel=96,
            fixed_bytes=4 << 20,
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        lows_a, lows_b = dict.fromkeys(_pairs(), a), dict.fromkeys(_pairs(), b)
        levels: list[tuple[list[dict[tuple[int, int], Tensor]], torch.Size]] = []
        for level in range(LEVELS):
            shape = lows_a[0, 0].shape
            lows_a, details_a = _analysed(lows_a, level)
            lows_b, details_b = _analysed(lows_b, level)
            levels.append(([_larger(x, y) for x, y in zip(details_a, details_b, strict=True)], shape))
        lows = {pair: (lows_a[pair] + lows_b[pair]) * 0.5 for pair in _pairs()}
        for level, (details, shape) in reversed(list(enumerate(levels))):
            of_tree = trees(level)
            for down, across in _pairs():
                bands: Bands = (lows[down, across], *(band[down, across] for band in details))  # type: ignore[assignment]
                lows[down, across] = synthesise(bands, of_tree[down], of_tree[across], shape)
        return sum(lows.values(), torch.zeros_like(a)) * 0.25


def _pairs() -> list[tuple[int, int]]:
    """Trees of columns and of rows."""
    return [(down, across) for down in TREES for across in TREES]


def _analysed(
    lows: dict[tuple[int, int], Tensor], level: int
) -> tuple[dict[tuple[int, int], Tensor], list[dict[tuple[int, int], Tensor]]]:
    """One level of all four transforms: the next low-passes, and the three details, each by trees."""
    of_tree = trees(level)
    bands = {pair: analyse(low, of_tree[pair[0]], of_tree[pair[1]]) for pair, low in lows.items()}
    details = [{pair: bands[pair][number] for pair in bands} for number in (1, 2, 3)]
    return {pair: bands[pair][0] for pair in bands}, details


def _larger(a: dict[tuple[int, int], Tensor], b: dict[tuple[int, int], Tensor]) -> dict[tuple[int, int], Tensor]:
    """Of both directions of a detail the complex coefficients of larger magnitude, back as those of the four trees."""
    chosen = []
    for one, other in zip(_directions(a), _directions(b), strict=True):
        of_a = one[0].square() + one[1].square() > other[0].square() + other[1].square()
        chosen.append([torch.where(of_a, x, y) for x, y in zip(one, other, strict=True)])
    (real, imaginary), (real_2, imaginary_2) = chosen
    return {
        (0, 0): (real + real_2) * HALF,
        (1, 1): (real_2 - real) * HALF,
        (0, 1): (imaginary + imaginary_2) * HALF,
        (1, 0): (imaginary - imaginary_2) * HALF,
    }


def _directions(x: dict[tuple[int, int], Tensor]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Real and imaginary part of the two directions that a detail of the four trees holds."""
    return (
        ((x[0, 0] - x[1, 1]) * HALF, (x[0, 1] + x[1, 0]) * HALF),
        ((x[0, 0] + x[1, 1]) * HALF, (x[0, 1] - x[1, 0]) * HALF),
    )
