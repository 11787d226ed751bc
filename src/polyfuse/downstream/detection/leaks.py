"""Frames that stand in two lists in nearly the same form: a test on them asks for what was trained on.

The rule: both pictures of a pair are averaged down to 32 x 32 grey values; where those of two pairs correlate by 0.95
or more in infrared and in visible, they are near twins. Ours. It finds the next frame of a clip and a camera that
stands still; it does not find the same street from another place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyfuse.io import Pair, read_picture

SIDE = 32
LEAST = 0.95
_ROWS = 512
"""Test pictures compared at a time."""


@dataclass(frozen=True)
class Twin:
    """A test pair and the one of the other list that is most like it."""

    test: str
    """Name of the test pair."""
    train: str
    """Name of the other."""
    correlation: float
    """The smaller one of infrared and visible, 0.95 to 1."""


def near_twins(train: Sequence[Pair], test: Sequence[Pair]) -> list[Twin]:
    """Test pairs that have a near twin among those trained on.

    Args:
        train: What was trained on.
        test: What is tested on.

    Raises:
        InputError: If a picture cannot be read.
    """
    both = [(_thumbnails([pair.a for pair in some]), _thumbnails([pair.b for pair in some])) for some in (train, test)]
    (train_a, train_b), (test_a, test_b) = both
    twins = []
    for start in range(0, len(test) if train else 0, _ROWS):
        part = slice(start, start + _ROWS)
        alike = np.minimum(test_a[part] @ train_a.T, test_b[part] @ train_b.T)
        best = alike.argmax(axis=1)
        for row, column in enumerate(best.tolist()):
            if alike[row, column] >= LEAST:
                twins.append(Twin(test[start + row].name, train[column].name, float(alike[row, column])))
    return twins


def _thumbnails(paths: Sequence[Path]) -> NDArray[np.float64]:
    """Pictures as vectors of mean 0 and length 1, (N, 1024); the product of two is their correlation."""
    vectors = np.zeros((len(paths), SIDE * SIDE))
    for index, path in enumerate(paths):
        vector = _thumbnail(path)
        vector -= vector.mean()
        length = float(np.linalg.norm(vector))
        vectors[index] = vector / length if length > 0 else vector
    return vectors


def _thumbnail(path: Path) -> NDArray[np.float64]:
    """A picture averaged over a grid of 32 x 32 cells, grey; of a side shorter than that, cells repeat pixels."""
    pixels = read_picture(path).array.astype(np.float64)
    grey = pixels.mean(axis=2) if pixels.ndim == 3 else pixels
    for axis in (0, 1):
        edges = np.linspace(0, grey.shape[axis], SIDE + 1)
        starts = np.minimum(edges[:-1].astype(np.int64), grey.shape[axis] - 1)
        ends = np.maximum(starts + 1, edges[1:].astype(np.int64))
        sums = np.insert(np.cumsum(grey, axis=axis), 0, 0.0, axis=axis)
        shape = (-1, 1) if axis == 0 else (1, -1)
        grey = (sums.take(ends, axis) - sums.take(starts, axis)) / (ends - starts).reshape(shape)
    return grey.ravel()
