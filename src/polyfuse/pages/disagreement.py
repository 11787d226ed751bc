"""How far the methods' pictures of one pair are apart: one number, by which a page sorts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Disagreement:
    """Standard deviation of luma over the methods at each pixel, averaged over the picture, in grey levels of 255.

    0 where all methods give the same picture, or there is one alone. Memory: two planes for any
    number of methods. Source: ours.
    """

    def __init__(self) -> None:
        self._mean: NDArray[np.float64] | None = None
        self._squares: NDArray[np.float64] | None = None
        self._count = 0

    def add(self, fused: NDArray[np.float64]) -> None:
        """Add the picture of one method, (H, W) luma in [0, 1] of the same size as the others."""
        self._count += 1
        if self._mean is None or self._squares is None:
            self._mean, self._squares = fused.copy(), np.zeros_like(fused)
            return
        step = fused - self._mean
        self._mean += step / self._count
        self._squares += step * (fused - self._mean)

    @property
    def levels(self) -> float | None:
        """The number; None below two methods."""
        if self._squares is None or self._count < 2:
            return None
        return float(255 * np.sqrt(self._squares / self._count).mean())
