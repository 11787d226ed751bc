"""How well two pictures lie over one another: cheaply for every pair that is fused, block by block when asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.alignment.canvas import Canvas, as_canvas, resized
from polyfuse.alignment.evidence import Evidence
from polyfuse.alignment.fields import orientation_field
from polyfuse.alignment.find import Estimate

QUICK_SIDE = 320
"""Longest side of the pictures that `seems_off` looks at."""
QUICK_REACH = 24
"""Largest shift that it finds, pixels of those."""
OFF = 2.0
"""Pixels from which a pair is called off."""
_STANDS_OUT = 6.0
"""Standard deviations by which the peak must rise above other shifts to be believed."""
_BETTER = 1.15
"""How many times as well the pictures must fit at the peak as they do now."""
PARALLAX = 3.0
"""Pixels of 640 from which a block counts as off the plane."""
LEAST_RISE = 0.2
"""Correlation by which the best shift of a block must exceed an average one for the block to count in a map."""


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
    step = max(1, max(a.shape[:2]) // (2 * QUICK_SIDE))  # thinned first: reading large pictures whole would take longer
    one, other = (as_canvas(np.ascontiguousarray(array[::step, ::step])) for array in (a, b))
    factor = QUICK_SIDE / max(one.height, one.width)
    size = round(one.height * factor), round(one.width * factor)
    field_a, field_b = (orientation_field(resized(canvas.plane, size)) for canvas in (one, other))
    spectra = [torch.fft.rfft2(field, s=[_even(n + QUICK_REACH) for n in size]) for field in (field_a, field_b)]
    whole = [_even(n + QUICK_REACH) for n in size]
    surface = torch.fft.irfft2((spectra[0].conj() * spectra[1]).sum(0), s=whole)
    near = torch.cat([surface[-QUICK_REACH:], surface[: QUICK_REACH + 1]])
    near = torch.cat([near[:, -QUICK_REACH:], near[:, : QUICK_REACH + 1]], dim=1).numpy()
    rows, columns = np.indices(near.shape) - QUICK_REACH
    row, column = np.unravel_index(int(near.argmax()), near.shape)
    shift = np.hypot(row - QUICK_REACH, column - QUICK_REACH) / factor * (a.shape[1] / one.size[0]) * one.size[0] / one.width
    rest = near[np.hypot(rows - rows[row, column], columns - columns[row, column]) > 6]
    peak, here = float(near.max()), float(near[np.hypot(rows, columns) <= 1].max())
    stands_out = peak - rest.mean() > _STANDS_OUT * rest.std()
    better = peak - rest.mean() > _BETTER * max(here - float(rest.mean()), 0.0)
    return float(shift) if shift > OFF and stands_out and better else None


def _even(number: int) -> int:
    """The next multiple of 32, whose transform is fast."""
    return (number + 31) // 32 * 32
