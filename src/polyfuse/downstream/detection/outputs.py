"""From what a network gives to boxes in pixels of its input, for the forms that a description may name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from polyfuse.downstream.detection.description import Description, OutputDescription
from polyfuse.downstream.detection.matching import overlaps
from polyfuse.errors import InputError

Arrays = Sequence[NDArray[np.float64]]
Scored = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""Edges (N, 4), scores (N,) and class numbers (N,)."""
CANDIDATES = 1000
"""Boxes of a picture, the best ones, among which overlapping ones are looked for."""


def decoded(outputs: Arrays, description: Description, size: tuple[int, int]) -> Scored:
    """Boxes in pixels of the network's input, each with its best class; those below the least score are dropped.

    Args:
        outputs: As the network gives them, in its order.
        description: What they are.
        size: Height and width of the input.

    Raises:
        InputError: If the arrays are not of the shapes that the description says.
    """
    rules, num_classes = description.output, len(description.classes)
    if rules.form == "boxes":
        edges, scores, numbers = _boxes(outputs, num_classes)
    else:
        readers = {"yolox": _yolox, "yolov8": _yolov8, "distances": _distances}
        edges, by_class = readers[rules.form](outputs, rules, num_classes, size)
        numbers = by_class.argmax(axis=1)
        scores = by_class[np.arange(len(by_class)), numbers]
    kept = scores >= rules.min_score
    kept |= np.isnan(scores)  # told as what they are by whoever takes them
    return edges[kept], scores[kept], numbers[kept]


def thinned(boxes: Scored, rules: OutputDescription, names: Mapping[int, str]) -> Scored:
    """The best boxes without those that a better one of their class overlaps too much.

    Args:
        boxes: In any unit.
        rules: How much is too much, and how many are kept.
        names: Class by number; numbers of one name are one class.
    """
    edges, scores, numbers = boxes
    order = np.argsort(-scores, kind="stable")
    if rules.nms is None:
        order = order[: rules.most]
        return edges[order], scores[order], numbers[order]
    order = order[:CANDIDATES]
    classes = np.array([names[int(number)] for number in numbers[order]])
    shares = overlaps(edges[order], edges[order], np.zeros(len(order), dtype=bool))
    rivals = (shares > rules.nms) & (classes[:, None] == classes[None])
    alive = np.ones(len(order), dtype=bool)
    for index in range(len(order)):
        if alive[index]:
            alive[index + 1 :] &= ~rivals[index, index + 1 :]
    order = order[alive][: rules.most]
    return edges[order], scores[order], numbers[order]


def _one(outputs: Arrays, told: str) -> NDArray[np.float64]:
    """The only output, without its axis of pictures."""
    if len(outputs) != 1 or outputs[0].ndim != 3 or outputs[0].shape[0] != 1:
        raise InputError(_unlike(outputs, told))
    only: NDArray[np.float64] = outputs[0][0]
    return only


def _unlike(outputs: Arrays, wanted: str) -> str:
    """One line for outputs of other shapes."""
    shapes = ", ".join(str(tuple(output.shape)) for output in outputs)
    return f"the detector gives {shapes} and its description says {wanted}: describe it otherwise"


def _boxes(outputs: Arrays, num_classes: int) -> Scored:
    """Rows of edges, score and class number."""
    rows = _one(outputs, "(1, N, 6)")
    if rows.shape[1] != 6:
        raise InputError(_unlike(outputs, "(1, N, 6)"))
    numbers = rows[:, 5]
    if not np.isfinite(numbers).all() or (numbers < 0).any() or (numbers >= num_classes).any():
        raise InputError(
            f"the detector gives class numbers beyond the {num_classes} of its description: name all classes"
        )
    return rows[:, :4], rows[:, 4], numbers.astype(np.int64)


def _yolov8(
    outputs: Arrays, rules: OutputDescription, num_classes: int, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns of centre, width, height and a score for each class."""
    told = f"(1, {4 + num_classes}, N)"
    columns = _one(outputs, told)
    if columns.shape[0] != 4 + num_classes:
        raise InputError(_unlike(outputs, told))
    return _edges(columns[:2].T, columns[2:4].T), columns[4:].T


def _yolox(
    outputs: Arrays, rules: OutputDescription, num_classes: int, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of centre within a cell, logarithm of the size, a score for any object, and one for each class."""
    cells, strides = _grid(size, rules.strides)
    told = f"(1, {len(cells)}, {5 + num_classes})"
    rows = _one(outputs, told)
    if rows.shape != (len(cells), 5 + num_classes):
        raise InputError(_unlike(outputs, told))
    centres = (rows[:, :2] + cells) * strides
    with np.errstate(over="ignore"):  # what becomes infinite is refused as such
        sides = np.exp(rows[:, 2:4]) * strides
    return _edges(centres, sides), rows[:, 4:5] * rows[:, 5:]


def _distances(
    outputs: Arrays, rules: OutputDescription, num_classes: int, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of all strides, then distances from the middle of each cell to the four sides, as a spread over bins."""
    cells, strides = _grid(size, rules.strides)
    counts = [int((strides == stride).sum()) for stride in rules.strides]
    num = len(counts)
    told = ", ".join(f"(1, {count}, {num_classes})" for count in counts) + ", then (1, n, 4 x bins) of each"
    shapes = [output.shape[:2] for output in outputs]
    fits = len(outputs) == 2 * num and shapes == [(1, count) for count in counts] * 2
    if not fits or any(output.shape[2] != num_classes for output in outputs[:num]):
        raise InputError(_unlike(outputs, told))
    spread = np.concatenate([output[0] for output in outputs[num:]])
    bins = spread.shape[1] // 4
    spread = spread.reshape(len(spread), 4, bins)
    shares = np.exp(spread - spread.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    sides = (shares @ np.arange(bins)) * strides
    middles = (cells + 0.5) * strides
    edges = np.concatenate([middles - sides[:, :2], middles + sides[:, 2:]], axis=1)
    return edges, np.concatenate([output[0] for output in outputs[:num]])


def _grid(size: tuple[int, int], strides: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Column and row of every cell of all grids, (N, 2), and the stride of each, (N, 1); row by row."""
    cells, steps = [], []
    for stride in strides:
        height, width = -(-size[0] // stride), -(-size[1] // stride)
        rows, columns = np.mgrid[:height, :width]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64))
        steps.append(np.full((height * width, 1), float(stride)))
    return np.concatenate(cells), np.concatenate(steps)


def _edges(centres: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of boxes by centre and size."""
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
