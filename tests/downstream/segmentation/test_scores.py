"""The confusion matrix and what is read off it, against values worked out by hand."""

import numpy as np
import pytest

from polyfuse.downstream.segmentation.scores import confusion, scores_of
from polyfuse.errors import InputError

TRUTH = np.array([[0, 0, 0, 1], [1, 1, 2, 9]])
PREDICTED = np.array([[0, 0, 1, 1], [1, 0, 2, 2]])


def test_every_counted_pixel_is_in_its_row_and_column() -> None:
    counts = confusion(TRUTH, PREDICTED, 3, ignore=9)
    assert counts.tolist() == [[2, 1, 0], [1, 2, 0], [0, 0, 1]]


def test_scores_are_those_worked_out_by_hand() -> None:
    scores = scores_of(confusion(TRUTH, PREDICTED, 3, ignore=9))
    assert scores.iou.tolist() == [2 / 4, 2 / 4, 1.0]
    assert scores.accuracy.tolist() == [2 / 3, 2 / 3, 1.0]
    assert scores.miou == pytest.approx(2 / 3, abs=1e-15)
    assert scores.pixel_accuracy == 5 / 7


def test_class_without_truth_is_nan_and_in_no_mean_even_where_it_is_predicted() -> None:
    scores = scores_of(confusion(np.array([[0, 0, 1, 1]]), np.array([[0, 2, 1, 1]]), 4))
    assert np.isnan(scores.iou[2:]).all()
    assert scores.miou == (1 / 2 + 1) / 2
    assert scores.macc == (1 / 2 + 1) / 2
    assert scores.absent(("sky", "road", "car", "person")) == ["car", "person"]


def test_perfect_prediction_scores_one(rng: np.random.Generator) -> None:
    mask = rng.integers(0, 5, (17, 13))
    scores = scores_of(confusion(mask, mask, 5))
    assert (scores.miou, scores.macc, scores.pixel_accuracy) == (1, 1, 1)


def test_counts_of_parts_add_up_to_those_of_the_whole(rng: np.random.Generator) -> None:
    truth, predicted = rng.integers(0, 4, (20, 9)), rng.integers(0, 4, (20, 9))
    parts = confusion(truth[:7], predicted[:7], 4) + confusion(truth[7:], predicted[7:], 4)
    assert (parts == confusion(truth, predicted, 4)).all()


@pytest.mark.parametrize(("truth", "predicted", "message"), [
    (np.zeros((2, 3), int), np.zeros((3, 2), int), "truth is 3x2 and the prediction 2x3"),
    (np.full((2, 2), 7), np.zeros((2, 2), int), "the truth holds class 7"),
    (np.zeros((2, 2), int), np.full((2, 2), 3), "the prediction holds class 3"),
])  # fmt: skip
def test_masks_that_do_not_fit_are_refused(truth: np.ndarray, predicted: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        confusion(truth, predicted, 3)


def test_truth_without_a_counted_pixel_is_refused() -> None:
    with pytest.raises(InputError, match="no pixel that counts"):
        scores_of(confusion(np.full((2, 2), 9), np.zeros((2, 2), int), 3, ignore=9))
