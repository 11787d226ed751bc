"""Smallest, largest and percentiles of more pixels than fit into memory at once."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from polyfuse.errors import InputError

_CHUNK_VALUES = 1 << 20
"""Values counted at a time: bincount widens them to 8 bytes each."""


def check_finite(array: NDArray[Any], name: str) -> None:
    """Refuse NaN and infinity.

    Raises:
        InputError: With their number and the place of the first.
    """
    if array.size == 0 or array.dtype.kind != "f":
        return
    # Either extreme is NaN or infinite as soon as one value is: cheaper than a mask of all.
    with np.errstate(invalid="ignore"):
        if np.isfinite(array.min()) and np.isfinite(array.max()):
            return
    bad = ~np.isfinite(array)
    first = ", ".join(str(int(index)) for index in np.unravel_index(int(bad.argmax()), array.shape))
    raise InputError(
        f"{name} holds {int(bad.sum())} values that are NaN or infinite, the first at ({first}): replace them first"
    )


def extremes(arrays: Iterable[NDArray[Any]]) -> tuple[float, float]:
    """Smallest and largest value of several non-empty arrays."""
    low, high = np.inf, -np.inf
    for array in arrays:
        if array.size:
            low, high = min(low, float(array.min())), max(high, float(array.max()))
    return low, high


class Histogram:
    """Counts of every integer value: exact percentiles of any number of pixels in half a megabyte."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._counts = np.zeros(int(np.iinfo(np.dtype(dtype).type).max) + 1, np.int64)

    def add(self, array: NDArray[Any]) -> None:
        """Count an array of the histogram's type."""
        flat = array.reshape(-1)
        for start in range(0, flat.size, _CHUNK_VALUES):
            self._counts += np.bincount(flat[start : start + _CHUNK_VALUES], minlength=self._counts.size)

    def percentile(self, percent: float) -> float:
        """As `np.percentile(all pixels, percent)`, linear interpolation between neighbouring ranks."""
        cumulative = np.cumsum(self._counts)
        rank = percent / 100 * (int(cumulative[-1]) - 1)
        below = int(rank)
        low, high = np.searchsorted(cumulative, [below, below + 1], side="right")
        fraction = rank - below
        return float(low) if fraction == 0 else float(low) + fraction * (float(high) - float(low))

    def extremes(self) -> tuple[float, float]:
        """Smallest and largest value counted."""
        (present,) = np.nonzero(self._counts)
        return float(present[0]), float(present[-1])


class Sample:
    """Percentiles of floats: of all values up to a limit, of every n-th value beyond, in bounded memory."""

    def __init__(self, limit: int = 1 << 24) -> None:
        self._limit = limit
        self._stride = 1
        self._skip = 0
        self._parts: list[NDArray[Any]] = []
        self._extremes = (np.inf, -np.inf)

    def add(self, array: NDArray[Any]) -> None:
        """Keep an array's values, or every n-th of them."""
        if array.size == 0:
            return
        low, high = extremes([array])
        self._extremes = min(self._extremes[0], low), max(self._extremes[1], high)
        flat = array.reshape(-1)
        for start in range(0, flat.size, _CHUNK_VALUES):
            self._keep(flat[start : start + _CHUNK_VALUES])

    def _keep(self, flat: NDArray[Any]) -> None:
        """Add every n-th value of a piece to the sample; double n where the sample grows too large."""
        self._parts.append(flat[self._skip :: self._stride].copy())
        self._skip = (self._skip - flat.size) % self._stride
        while sum(part.size for part in self._parts) > self._limit:
            # The sample is thinned as one sequence, so that all arrays keep the same share.
            self._parts = [np.concatenate(self._parts)[::2].copy()]
            self._stride *= 2
            self._skip = 0

    def percentile(self, percent: float) -> float:
        """Linear interpolation between neighbouring ranks of the values kept."""
        self._parts = [np.concatenate(self._parts)]
        return float(np.percentile(self._parts[0], percent))

    def extremes(self) -> tuple[float, float]:
        """Smallest and largest of all values added."""
        return self._extremes
