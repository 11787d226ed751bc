"""Average precision by faster-coco-eval, recall, and how sure a difference to the best single source is.

AP50 is the average precision at an overlap of 0.5, AP the mean over overlaps 0.5, 0.55, ..., 0.95: COCO's terms.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.downstream.detection.found import Found
from polyfuse.downstream.detection.matching import ClassMatches, match_class
from polyfuse.downstream.detection.truth import Truth
from polyfuse.errors import DependencyError, InputError

SIZES = ("small", "medium", "large")
"""Of true boxes, by COCO's bounds: below 32 x 32 pixels, from there to 96 x 96, larger."""
FEW = 20
"""A class with fewer true boxes is scored but left out of means, unless all are so: one box would move its AP by five
hundredths and more, and so the mean. Ours."""
DRAWS = 1000
SEED = 0
LEVEL = 0.95
_BLOCK = 1 << 22
"""Numbers that resampling holds at a time in one array."""


@dataclass(frozen=True)
class ClassScore:
    """One class in one row. NaN where there is no true box."""

    ap50: float
    """Average precision at an overlap of 0.5."""
    ap: float
    """Mean over overlaps from 0.5 to 0.95."""
    recall: float
    """Share of the true boxes found, by overlap 0.5, with at least the score asked for."""
    sizes: Mapping[str, float]
    """AP of small, medium and large true boxes."""
    boxes: int
    """True boxes that count."""


@dataclass(frozen=True)
class RowScore:
    """All classes of one row."""

    classes: Mapping[str, ClassScore]
    """By class, in the order of the truth."""
    means: ClassScore
    """Means over the classes that count, and all their boxes."""
    matches: Mapping[str, ClassMatches]
    """At overlap 0.5, for resampling."""


@dataclass(frozen=True)
class Difference:
    """AP50 of a row less that of the best single source, on the same pictures."""

    mean: float
    """On all pictures."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end."""


def require_coco_eval() -> Any:
    """The package that computes average precision.

    Raises:
        DependencyError: If it is missing.
    """
    try:
        import faster_coco_eval
    except ImportError as error:
        raise DependencyError(
            'average precision needs faster-coco-eval: pip install "polyfuse[downstream]".'
        ) from error
    logging.getLogger("faster_coco_eval").setLevel(logging.ERROR)
    return faster_coco_eval


def counted_classes(truth: Truth) -> tuple[str, ...]:
    """Classes that means are taken over: those with `FEW` true boxes, or all that have any where none has so many.

    Raises:
        InputError: If there is no true box at all.
    """
    numbers = {label: truth.num_boxes(label) for label in truth.classes}
    filled = tuple(label for label, number in numbers.items() if number)
    if not filled:
        raise InputError("the labels have no box that counts in these pictures: there is nothing to score")
    return tuple(label for label in filled if numbers[label] >= FEW) or filled


def score_row(
    found: Mapping[str, Found], truth: Truth, *, counted: Sequence[str], recall_score: float = 0.5
) -> RowScore:
    """Score what was found in all labelled pictures.

    Args:
        found: By picture.
        truth: By picture; classes without a true box are left out.
        counted: Classes that means are taken over.
        recall_score: Least score of found boxes that recall counts.

    Raises:
        DependencyError: If faster-coco-eval is missing.
    """
    labels = [label for label in truth.classes if truth.num_boxes(label)]
    precision = _precisions(found, truth, labels)
    matches = {label: match_class(label, found, truth.boxes) for label in labels}
    classes = {}
    for index, label in enumerate(labels):
        of_class = precision[:, :, index]  # thresholds, recalls, areas
        sizes = {size: _mean(of_class[:, :, place]) for place, size in enumerate(SIZES, 1)}
        recall = matches[label].recall(recall_score)
        number = truth.num_boxes(label)
        classes[label] = ClassScore(_mean(of_class[0, :, 0]), _mean(of_class[:, :, 0]), recall, sizes, number)
    return RowScore(classes, _means([classes[label] for label in counted]), matches)


def _precisions(found: Mapping[str, Found], truth: Truth, labels: Sequence[str]) -> NDArray[np.float64]:
    """Precision by overlap, recall, class and size as faster-coco-eval gives it; -1 where there is no true box."""
    package = require_coco_eval()
    numbers = {label: index + 1 for index, label in enumerate(labels)}
    images = {name: index + 1 for index, name in enumerate(truth.boxes)}
    true = _true_entries(truth, images, numbers)
    predicted = [
        entry for name in images if name in found for entry in _found_entries(found[name], images[name], numbers)
    ]
    if not predicted:  # the package refuses an empty list; nothing found is a precision of 0 wherever it is defined
        predicted = [{"image_id": 1, "category_id": 1, "bbox": [0.0, 0.0, 0.0, 0.0], "score": 0.0}]
    listed = [{"id": number, "width": 1, "height": 1} for number in images.values()]
    categories = [{"id": number, "name": label} for label, number in numbers.items()]
    dataset = package.COCO({"images": listed, "annotations": true, "categories": categories})
    evaluation = package.COCOeval_faster(dataset, dataset.loadRes(predicted), iouType="bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    result: NDArray[np.float64] = np.asarray(evaluation.eval["precision"])[..., -1]
    return result


def _true_entries(truth: Truth, images: Mapping[str, int], numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """True boxes as COCO lists them."""
    entries: list[dict[str, Any]] = []
    for name, boxes in truth.boxes.items():
        for box in boxes:
            if box.label in numbers:
                x0, y0, x1, y1 = box.edges
                entries.append(
                    {
                        "id": len(entries) + 1,
                        "image_id": images[name],
                        "category_id": numbers[box.label],
                        "bbox": [x0, y0, x1 - x0, y1 - y0],
                        "area": box.num_pixels,
                        "iscrowd": int(box.ignored),
                    }
                )
    return entries


def _found_entries(found: Found, image: int, numbers: Mapping[str, int]) -> Iterable[dict[str, Any]]:
    """Found boxes of one picture as COCO lists them."""
    for (x0, y0, x1, y1), score, label in zip(found.edges.tolist(), found.scores.tolist(), found.labels, strict=True):
        if label in numbers:
            box = [x0, y0, x1 - x0, y1 - y0]
            yield {"image_id": image, "category_id": numbers[label], "bbox": box, "score": score}


def _mean(precision: NDArray[np.float64]) -> float:
    """Mean of what is defined; NaN if nothing is."""
    defined = precision[precision > -1]
    return float(defined.mean()) if defined.size else math.nan


def _means(scores: Sequence[ClassScore]) -> ClassScore:
    """Means over classes."""

    def mean(value: Callable[[ClassScore], float]) -> float:
        values = [number for number in map(value, scores) if not math.isnan(number)]
        return sum(values) / len(values) if values else math.nan

    sizes = {size: mean(lambda score, size=size: score.sizes[size]) for size in SIZES}  # type: ignore[misc]
    boxes = sum(score.boxes for score in scores)
    return ClassScore(mean(lambda s: s.ap50), mean(lambda s: s.ap), mean(lambda s: s.recall), sizes, boxes)


def differences(rows: Mapping[str, RowScore], best: str, counted: Sequence[str]) -> dict[str, Difference]:
    """AP50 of each row less that of `best`, with intervals from pictures drawn with replacement.

    Every row is scored on the same draws, so that what makes pictures hard or easy cancels. `DRAWS` draws, the
    percentile interval of `LEVEL`, seeded.

    Args:
        rows: Scores by name.
        best: The row that the others are compared with.
        counted: Classes that means are taken over; in a draw, those that have a true box there.

    Returns:
        One for each row but `best`.
    """
    num_pictures = len(next(iter(rows[best].matches.values())).num_true)
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, num_pictures, (DRAWS, num_pictures))
    weights = np.stack([np.bincount(draw, minlength=num_pictures) for draw in drawn]).astype(np.float64)
    reference = _drawn(rows[best], counted, weights)
    results = {}
    for name, row in rows.items():
        if name != best:
            low, high = np.nanquantile(
                _drawn(row, counted, weights) - reference, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
            ).tolist()
            results[name] = Difference(row.means.ap50 - rows[best].means.ap50, low, high)
    return results


def _drawn(row: RowScore, counted: Sequence[str], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean AP50 of a row in each draw; NaN for a draw without any true box."""
    sums, numbers = np.zeros(len(weights)), np.zeros(len(weights))
    for label in counted:
        matches = row.matches[label]
        step = max(1, _BLOCK // max(1, len(matches.scores)))
        parts = [matches.average_precision(weights[at : at + step]) for at in range(0, len(weights), step)]
        values = np.concatenate(parts)
        numbers += ~np.isnan(values)
        sums += np.nan_to_num(values)
    means = np.full(len(weights), np.nan)
    np.divide(sums, numbers, out=means, where=numbers > 0)
    return means
