"""Scores of a segmentation: the confusion matrix of a whole test set, and what is read off it.

With N[t, p] the number of pixels of truth t that are predicted as p, over all pictures together:

- IoU of class c: N[c, c] / (row sum c + column sum c - N[c, c]);
- accuracy of class c: N[c, c] / row sum c;
- mIoU and mAcc: their means over the classes that the truth has;
- pixel accuracy: sum of N[c, c] / sum of N.

A class without a pixel in the truth has IoU and accuracy NaN and is left out of both means, whatever is predicted:
so every contestant is averaged over the same classes. Pixels of it that are predicted all the same count as missed
pixels of the classes that they are.

Source: Everingham et al. 2015 (IoU over a whole test set) and Long et al. 2015 (mean accuracy); that absent classes
are left out by the truth alone is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError

Counts = NDArray[np.int64]


def confusion(truth: NDArray[Any], predicted: NDArray[Any], num_classes: int, *, ignore: int | None = None) -> Counts:
    """Count the pixels of every truth and prediction.

    Args:
        truth: (H, W) class indices, 0 to `num_classes - 1`, or `ignore`.
        predicted: (H, W) class indices, 0 to `num_classes - 1`.
        num_classes: Number of classes K.
        ignore: Index in the truth of pixels that are not counted, if there is one.

    Returns:
        (K, K): row is the truth, column the prediction.

    Raises:
        InputError: If the sizes differ or an index is no class.

    >>> confusion(np.array([[0, 0, 1]]), np.array([[0, 1, 1]]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    if truth.shape != predicted.shape:
        raise InputError(f"truth is {_size(truth)} and the prediction {_size(predicted)}: give masks of one size")
    counted = np.ones(truth.shape, bool) if ignore is None else truth != ignore
    rows, columns = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    for name, indices in (("the truth", rows), ("the prediction", columns)):
        if indices.size and not 0 <= indices.min() <= indices.max() < num_classes:
            wrong = indices[(indices < 0) | (indices >= num_classes)][0]
            raise InputError(f"{name} holds class {wrong}, known are 0 to {num_classes - 1}: check the mask")
    counts: Counts = np.bincount(rows * num_classes + columns, minlength=num_classes**2).reshape(num_classes, -1)
    return counts


@dataclass(frozen=True, eq=False)
class Scores:
    """What a confusion matrix says."""

    iou: NDArray[np.float64]
    """(K,) in [0, 1]; NaN for classes that the truth does not have."""
    accuracy: NDArray[np.float64]
    """(K,) in [0, 1]; NaN for the same classes."""
    miou: float
    """Mean of `iou` over the classes that the truth has."""
    macc: float
    """Mean of `accuracy` over the same classes."""
    pixel_accuracy: float
    """Share of the counted pixels that are right."""

    def absent(self, names: Sequence[str]) -> list[str]:
        """Names of the classes that the truth does not have."""
        return [name for name, value in zip(names, self.iou, strict=True) if np.isnan(value)]


def scores_of(counts: Counts) -> Scores:
    """Read the scores off a confusion matrix.

    Args:
        counts: (K, K) from `confusion`, summed over the pictures of a test set.

    Raises:
        InputError: If it holds no pixel.

    >>> scores_of(np.array([[3, 1], [0, 4]])).iou.tolist()
    [0.75, 0.8]
    """
    if not counts.any():
        raise InputError("the truth has no pixel that counts: check the masks and the index that is ignored")
    right, rows, columns = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    present = rows > 0
    iou, accuracy = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    iou[present] = right[present] / (rows + columns - right)[present]
    accuracy[present] = right[present] / rows[present]
    return Scores(
        iou, accuracy, float(iou[present].mean()), float(accuracy[present].mean()), float(right.sum() / counts.sum())
    )


def _size(mask: NDArray[Any]) -> str:
    """Width and height in words."""
    return f"{mask.shape[1]}x{mask.shape[0]}"
