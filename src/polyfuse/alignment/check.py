"""Whether two pictures seem to lie over one another, cheaply, for every pair that is fused."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.alignment.canvas import as_canvas, resized
from polyfuse.alignment.fields import orientation_field

QUICK_SIDE = 320
"""Longest side of the pictures that `seems_off` looks at."""
QUICK_REACH = 24
"""Largest shift that it finds, pixels of those."""
OFF = 2.0
"""Pixels from which a pair is called off."""
_STANDS_OUT = 6.0
"""Standard deviations by which the peak must rise above other shifts to be believed."""
_PEAK = 6.0
"""Pixels around the peak that belong to it."""
_BETTER = 1.15
"""How many times as well the pictures must fit at the peak as they do now."""


def seems_off(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """By how many pixels two pictures of one size seem shifted; None if they do not, or nothing is sure.

    One shift for the whole picture, found by correlating edge directions; takes some 20 ms. Made to warn before
    pictures are fused: parallax, turns and small errors go unseen.

    Args:
        a: (H, W) or (H, W, 3), uint8, uint16 or float32.
        b: The same height and width.

    Returns:
        Pixels, more than `OFF`.
    """
    if a.shape[:2] != b.shape[:2] or min(a.shape[:2]) < 2 * QUICK_REACH:
        return None
    step = max(1, max(a.shape[:2]) // (2 * QUICK_SIDE))  # thinned first: reading large pictures whole takes longer
    one, other = (as_canvas(np.ascontiguousarray(array[::step, ::step])) for array in (a, b))
    factor = QUICK_SIDE / max(one.height, one.width)
    size = round(one.height * factor), round(one.width * factor)
    whole = [_round_up(side + QUICK_REACH) for side in size]
    of_a, of_b = (torch.fft.rfft2(orientation_field(resized(each.plane, size)), s=whole) for each in (one, other))
    surface = torch.fft.irfft2((of_a.conj() * of_b).sum(0), s=whole)
    near = surface.roll((QUICK_REACH, QUICK_REACH), (0, 1))[: 2 * QUICK_REACH + 1, : 2 * QUICK_REACH + 1].numpy()
    rows, columns = np.indices(near.shape) - QUICK_REACH
    best = np.unravel_index(int(near.argmax()), near.shape)
    rest = near[np.hypot(rows - rows[best], columns - columns[best]) > _PEAK]
    usual, peak = float(rest.mean()), float(near[best])
    here = float(near[np.hypot(rows, columns) <= 1].max())
    stands_out = peak - usual > _STANDS_OUT * float(rest.std())
    better = peak - usual > _BETTER * max(here - usual, 0.0)
    shift = float(np.hypot(rows[best], columns[best])) * max(a.shape[:2]) / max(size)
    return shift if shift > OFF and stands_out and better else None


def _round_up(number: int) -> int:
    """The next multiple of 32, whose transform is fast."""
    return (number + 31) // 32 * 32
