"""What each step of a training sees: which pictures, cut where, mirrored or not; told by the seed and the step alone.

No contestant has a say in it: the same seed shows every row the same places in the same order, and a run that goes on
after a stop sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draw:
    """One crop of one picture."""

    index: int
    """Of the picture."""
    top: int
    """First row."""
    left: int
    """First column."""
    mirrored: bool
    """Whether left and right are exchanged."""


@dataclass(frozen=True)
class Draws:
    """The crops of every step.

    All pictures come once, in an order of its own, before any comes again. A crop has at most `crop` pixels a side, and
    no more than the smallest picture, so that all crops of a run have one size.
    """

    sizes: tuple[tuple[int, int], ...]
    """Height and width of each picture."""
    batch: int
    """Crops of a step."""
    crop: int
    """Longest side of a crop in pixels."""
    seed: int
    """Of the run."""

    @classmethod
    def of(cls, shapes: Sequence[tuple[int, ...]], batch: int, crop: int, seed: int) -> Draws:
        """The draws for arrays of these shapes."""
        return cls(tuple((shape[0], shape[1]) for shape in shapes), batch, crop, seed)

    @property
    def height(self) -> int:
        """Rows of a crop."""
        return min(self.crop, *(height for height, _ in self.sizes))

    @property
    def width(self) -> int:
        """Columns of a crop."""
        return min(self.crop, *(width for _, width in self.sizes))

    def at(self, step: int) -> list[Draw]:
        """The crops of a step, counted from 0."""
        return [self._one(step * self.batch + place) for place in range(self.batch)]

    def _one(self, position: int) -> Draw:
        """The crop at a position of the endless list of crops."""
        epoch, place = divmod(position, len(self.sizes))
        index = int(np.random.default_rng((self.seed, 0, epoch)).permutation(len(self.sizes))[place])
        choice = np.random.default_rng((self.seed, 1, position))
        height, width = self.sizes[index]
        top = int(choice.integers(height - self.height + 1))
        left = int(choice.integers(width - self.width + 1))
        return Draw(index, top, left, bool(choice.integers(2)))
