"""Scores: equal to faster-coco-eval, right about ignored boxes, and an interval that resamples pictures."""

import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies

from polyfuse.downstream.detection import scoring
from polyfuse.downstream.detection.found import NOTHING, Found, found
from polyfuse.downstream.detection.matching import match, match_class
from polyfuse.downstream.detection.scoring import counted_classes, differences, score_row
from polyfuse.downstream.detection.truth import TrueBox, Truth
from polyfuse.errors import DependencyError, InputError

CLASSES = ("person", "car", "dog")


def made_up(seed: int, *, pictures: int = 6, classes: int = 3, ties: bool = True) -> tuple[Truth, dict[str, Found]]:
    """Labels, some ignored, and found boxes: true ones moved a little, and others anywhere."""
    rng = np.random.default_rng(seed)
    boxes: dict[str, tuple[TrueBox, ...]] = {}
    results: dict[str, Found] = {}
    for picture in range(pictures):
        sides = np.concatenate([rng.uniform(0, 300, (7, 2)), rng.uniform(10, 130, (7, 2))], axis=1)
        edges = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
        labels = [CLASSES[index] for index in rng.integers(0, classes, 7)]
        boxes[str(picture)] = tuple(
            TrueBox(label, tuple(edge.tolist()), bool(rng.random() < 0.2))
            for label, edge in zip(labels, edges, strict=True)
        )
        anywhere = np.sort(rng.uniform(0, 400, (6, 2, 2)), axis=1).reshape(6, 4)
        moved = np.concatenate([edges + rng.normal(0, 8, edges.shape), edges[:3], anywhere])
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        names = (*labels, *labels[:3], *(CLASSES[index] for index in rng.integers(0, classes, 6)))
        scores = rng.integers(1, 20, len(moved)) / 20 if ties else rng.random(len(moved))
        results[str(picture)] = found(moved, scores, names, where="x")
    return Truth(CLASSES[:classes], boxes), results


def coco_stats(truth: Truth, results: Mapping[str, Found], label: str) -> tuple[float, ...]:
    """What faster-coco-eval prints for one class: AP, AP50, and AP of small, medium and large boxes."""
    from faster_coco_eval import COCO, COCOeval_faster

    images = {name: index + 1 for index, name in enumerate(truth.boxes)}
    true: list[dict[str, Any]] = []
    for name, boxes in truth.boxes.items():
        for box in boxes:
            if box.label == label:
                x0, y0, x1, y1 = box.edges
                entry = {"id": len(true) + 1, "image_id": images[name], "category_id": 1, "iscrowd": int(box.ignored)}
                true.append({**entry, "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)})
    predicted = [
        {"image_id": images[name], "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": score}
        for name, some in results.items()
        for (x0, y0, x1, y1), score in zip(some.of_class(label).edges, some.of_class(label).scores, strict=True)
    ]
    listed = [{"id": number} for number in images.values()]
    dataset = COCO({"images": listed, "annotations": true, "categories": [{"id": 1, "name": label}]})
    evaluation = COCOeval_faster(dataset, dataset.loadRes(predicted), iouType="bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return tuple(float(evaluation.stats[index]) for index in (0, 1, 3, 4, 5))


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_faster_coco_eval(seed: int) -> None:
    truth, results = made_up(seed)
    row = score_row(results, truth, counted=CLASSES)
    for label in CLASSES:
        score = row.classes[label]
        ours = (score.ap, score.ap50, *score.sizes.values())
        # Both are float64 means of the same 101 precisions; 1e-6 leaves room for another order of the sum alone.
        theirs = [math.nan if value == -1 else value for value in coco_stats(truth, results, label)]
        assert ours == pytest.approx(theirs, abs=1e-6, nan_ok=True)


@given(strategies.integers(0, 10_000))
def test_own_matching_gives_the_same_average_precision(seed: int) -> None:
    truth, results = made_up(seed, pictures=3)
    row = score_row(results, truth, counted=())
    for label, score in row.classes.items():
        # The last bits of a sum; a box matched otherwise would move it by 1e-3 and more.
        assert float(row.matches[label].average_precision()[0]) == pytest.approx(score.ap50, abs=1e-9)


def box(*edges: float, label: str = "car", ignored: bool = False) -> TrueBox:
    x0, y0, x1, y1 = edges
    return TrueBox(label, (x0, y0, x1, y1), ignored)


def cars(*boxes: tuple[float, ...]) -> Found:
    """Cars as (x0, y0, x1, y1, score)."""
    values = np.array(boxes, dtype=np.float64).reshape(-1, 5)
    return found(values[:, :4], values[:, 4], ("car",) * len(values), where="x")


def test_a_box_found_twice_is_right_once() -> None:
    matched = match(cars((0, 0, 10, 10, 0.9), (0, 0, 10, 10, 0.8)), [box(0, 0, 10, 10)])
    assert matched.verdicts.tolist() == [1, 0]


def test_what_lies_in_an_ignored_region_counts_for_nothing_however_often() -> None:
    truth = Truth(("car",), {"p": (box(0, 0, 10, 10), box(50, 50, 100, 100, ignored=True))})
    inside = cars((60, 60, 70, 70, 0.95), (70, 70, 80, 80, 0.9), (0, 0, 10, 10, 0.5))
    row = score_row({"p": inside}, truth, counted=["car"])
    assert (row.means.ap50, row.means.boxes) == (1.0, 1)
    outside = cars((20, 20, 30, 30, 0.95), (0, 0, 10, 10, 0.5))
    row = score_row({"p": outside}, truth, counted=["car"])
    assert row.means.ap50 == pytest.approx(0.5)


def test_true_box_goes_before_an_ignored_one_of_more_overlap() -> None:
    matched = match(cars((0, 0, 10, 10, 0.9)), [box(0, 0, 10, 10, ignored=True), box(0, 0, 10, 8)])
    assert (matched.verdicts.tolist(), matched.takes.tolist()) == ([1], [1])


def test_found_nothing_is_zero_and_not_an_error() -> None:
    truth = Truth(("car",), {"p": (box(0, 0, 10, 10),)})
    row = score_row({}, truth, counted=["car"])
    assert (row.means.ap50, row.means.ap, row.means.recall) == (0.0, 0.0, 0.0)


def test_picture_with_nothing_in_it_counts_false_alarms() -> None:
    truth = Truth(("car",), {"p": (box(0, 0, 10, 10),), "empty": ()})
    results = {"p": cars((0, 0, 10, 10, 0.5)), "empty": cars((0, 0, 10, 10, 0.9))}
    row = score_row(results, truth, counted=["car"])
    assert row.means.ap50 == pytest.approx(0.5)


def test_recall_counts_boxes_of_at_least_that_score() -> None:
    truth = Truth(("car",), {"p": (box(0, 0, 10, 10), box(20, 20, 30, 30))})
    results = {"p": cars((0, 0, 10, 10, 0.6), (20, 20, 30, 30, 0.4))}
    assert score_row(results, truth, counted=["car"], recall_score=0.6).means.recall == 0.5
    assert score_row(results, truth, counted=["car"], recall_score=0.4).means.recall == 1.0


def test_class_without_a_true_box_is_left_out() -> None:
    truth = Truth(CLASSES, {"p": (box(0, 0, 10, 10), box(0, 0, 5, 5, label="dog", ignored=True))})
    assert counted_classes(truth) == ("car",)
    assert list(score_row({}, truth, counted=["car"]).classes) == ["car"]


def test_classes_of_few_boxes_are_scored_but_not_in_the_mean() -> None:
    many = tuple(box(10 * i, 0, 10 * i + 9, 9) for i in range(scoring.FEW))
    truth = Truth(("car", "dog"), {"p": (*many, box(0, 20, 9, 29, label="dog"))})
    assert counted_classes(truth) == ("car",)
    row = score_row({"p": cars(*((*b.edges, 0.9) for b in many))}, truth, counted=counted_classes(truth))
    assert (row.classes["dog"].ap50, row.means.ap50) == (0.0, 1.0)


def test_no_true_box_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="no box that counts"):
        counted_classes(Truth(("car",), {"p": ()}))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="picture 7 has a score that is NaN or infinite"):
        found([[0, 0, 1, 1]], [bad], ("car",), where="picture 7")


def test_interval_holds_the_difference_and_is_the_same_each_time() -> None:
    truth, good = made_up(1, pictures=12)
    worse = {name: Found(some.edges + 6, some.scores, some.labels) for name, some in good.items()}
    rows = {name: score_row(results, truth, counted=CLASSES) for name, results in (("a", good), ("b", worse))}
    first, again = differences(rows, "a", CLASSES)["b"], differences(rows, "a", CLASSES)["b"]
    assert first == again
    assert first.low < first.mean < first.high < 0


def test_interval_of_a_row_against_its_double_is_zero() -> None:
    truth, results = made_up(2)
    row = score_row(results, truth, counted=CLASSES)
    difference = differences({"a": row, "b": row}, "a", CLASSES)["b"]
    assert (difference.mean, difference.low, difference.high) == (0, 0, 0)


def test_weights_are_the_same_as_pictures_listed_twice() -> None:
    truth, results = made_up(3, pictures=3, ties=False)
    once = match_class("car", results, truth.boxes)
    twice = {f"{name}{copy}": name for name in ("0", "2") for copy in range(2)}
    boxes = {new: truth.boxes[name] for new, name in twice.items()}
    doubled = match_class("car", {new: results[name] for new, name in twice.items()}, boxes)
    weighted = once.average_precision(np.array([[2.0, 0.0, 2.0]]))
    assert weighted[0] == pytest.approx(doubled.average_precision()[0], abs=1e-12)


def test_missing_package_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(DependencyError, match=r'needs faster-coco-eval: pip install "polyfuse\[downstream\]"'):
        score_row({"p": NOTHING}, Truth(("car",), {"p": (box(0, 0, 9, 9),)}), counted=["car"])
