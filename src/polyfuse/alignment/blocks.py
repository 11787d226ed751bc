"""How well each block of b fits a at every small shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from polyfuse.alignment.fields import box_sum

LEAST_SEEN = 0.7
"""Share of a block that a must cover for the block to count."""
_QUIET = 0.1
"""Energy added to that of a block, in that of an average one: blocks without edges correlate with nothing."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Correlation of every block with its neighbourhood."""

    centres: NDArray[np.float64]
    """(N, 2), columns x and y, in pixels of b's field."""
    values: Tensor
    """(N, 2 radius + 1, 2 radius + 1), -1 to 1: row and column say by how much what b shows is found further in a."""
    energy: Tensor
    """(N,): energy of b's block over that of an average one; how much there is to see."""
    enlarged: float = 1.0
    """Pixels of the field for one of the coarser picture, 1 or more: so much less do as many blocks say."""

    @property
    def radius(self) -> int:
        """Largest shift, pixels."""
        return int(self.values.shape[-1]) // 2

    def __len__(self) -> int:
        return len(self.centres)


def joined(parts: Sequence[Surfaces]) -> Surfaces:
    """The surfaces of several pairs as one."""
    if len(parts) == 1:
        return parts[0]
    return Surfaces(
        np.concatenate([part.centres for part in parts]),
        torch.cat([part.values for part in parts]),
        torch.cat([part.energy for part in parts]),
        parts[0].enlarged,
    )


def match_blocks(a: Tensor, b: Tensor, mask: Tensor, *, block: int, radius: int, step: int) -> Surfaces:
    """Correlate blocks of b's field with a's, at all shifts up to `radius`.

    Args:
        a: (2, H, W), the field of a laid over b.
        b: (2, H, W), the field of b.
        mask: (H, W), where a is.
        block: Side of a block, odd; taken smaller where the picture is.
        radius: Largest shift.
        step: Pixels from block to block.

    Returns:
        The surfaces of those blocks of which a covers enough.

    Source: normalised cross-correlation of vectors; ours.
    """
    height, width = b.shape[-2:]
    block = min(block, (min(height, width) - 1) // 2 * 2 + 1)
    a = a * mask
    rows, columns = _starts(height, block, step), _starts(width, block, step)
    span, reach = block + 2 * radius, 2 * radius + 1
    around = functional.pad(a[None], (radius,) * 4)[0]
    covered = box_sum(mask.float(), block)[rows, columns] / block**2
    keep = (covered >= LEAST_SEEN).flatten()
    if not keep.any():
        return Surfaces(np.zeros((0, 2)), torch.zeros(0, reach, reach), torch.zeros(0))
    patches_b = _cut(b, block, rows, columns)[keep]
    patches_a = _cut(around, span, rows, columns)[keep]
    energy = box_sum((around * around).sum(0), block)
    energy_a = _cut(energy[None], reach, rows, columns)[keep][:, 0]
    energy_b = (patches_b * patches_b).sum((1, 2, 3))
    usual = float((b * b).sum()) / (height * width) * block**2 + 1e-6
    size = _fast_size(span)
    spectrum = torch.fft.rfft2(patches_a, s=(size, size)) * torch.fft.rfft2(patches_b, s=(size, size)).conj()
    agreement = torch.fft.irfft2(spectrum.sum(1), s=(size, size))[:, :reach, :reach]
    quiet = _QUIET * usual
    values = agreement / torch.sqrt((energy_a + quiet) * (energy_b + quiet)[:, None, None])
    firsts = [np.arange(part.start, part.stop, part.step) for part in (columns, rows)]
    grid = np.stack(np.meshgrid(*firsts), axis=-1).reshape(-1, 2) + (block - 1) / 2
    return Surfaces(grid[keep.numpy()].astype(np.float64), values, energy_b / usual)


def _starts(length: int, block: int, step: int) -> slice:
    """First pixels of blocks, evenly spread and centred."""
    count = (length - block) // step + 1
    first = (length - block - (count - 1) * step) // 2
    return slice(first, first + (count - 1) * step + 1, step)


def _cut(planes: Tensor, side: int, rows: slice, columns: slice) -> Tensor:
    """Squares that begin at the given rows and columns: (C, H, W) to (N, C, side, side)."""
    windows = planes.unfold(1, side, 1).unfold(2, side, 1)[:, rows, columns]
    return windows.permute(1, 2, 0, 3, 4).reshape(-1, planes.shape[0], side, side)


def _fast_size(number: int) -> int:
    """The next number that is a product of 2, 3 and 5, whose transforms are fast."""
    while True:
        rest = number
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return number
        number += 1
