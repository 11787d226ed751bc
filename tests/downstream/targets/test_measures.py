"""The measures of a target, against values worked out by hand and masks of drawn scenes."""

import math

import numpy as np
import pytest

from polyfuse.downstream.targets.measures import f_measure, mean_around, ring_around, salient, score_target
from polyfuse.errors import InputError
from polyfuse.scenes import LABELS, SceneConfig, render_scene


def block(size: tuple[int, int] = (60, 80)) -> np.ndarray:
    target = np.zeros(size, bool)
    target[25:33, 30:42] = True
    return target


def test_ring_lies_3_to_10_pixels_from_the_target() -> None:
    ring = ring_around(block())
    expected = np.zeros((60, 80), bool)
    expected[15:43, 20:52] = True
    expected[23:35, 28:44] = False
    assert (ring == expected).all()


def test_contrast_is_the_difference_of_means_over_the_pooled_spread() -> None:
    target = block()
    picture = np.full((60, 80), 100, np.uint8)
    picture[::2] = 110  # as many rows of each in ring and target: variance 25
    picture[target] += 50
    score = score_target(picture, target)
    assert score.difference == 50
    assert score.contrast == pytest.approx(10, rel=1e-12)
    dark = score_target(255 - picture, target)
    assert dark.difference == -50
    assert dark.contrast == pytest.approx(10, rel=1e-12)


def test_even_picture_has_no_contrast_and_nothing_is_found() -> None:
    score = score_target(np.full((60, 80, 3), 90, np.uint8), block())
    assert (score.contrast, score.entropy, score.precision, score.recall, score.f_measure) == (0, 0, 0, 0, 0)


def test_spread_below_one_level_counts_as_one() -> None:
    target = block()
    picture = np.where(target, 120, 100).astype(np.uint8)
    assert score_target(picture, target).contrast == 20


@pytest.mark.parametrize(("inside", "outside"), [(220, 40), (20, 200)])
def test_small_block_is_found_be_it_bright_or_dark(inside: int, outside: int) -> None:
    target = block((240, 320))  # the mean around reaches 24 pixels, further than the block
    score = score_target(np.where(target, inside, outside).astype(np.uint8), target)
    assert score.recall > 0.9
    assert score.precision > 0.6  # the blur widens a block of 8 x 12 pixels by about one to each side


def test_entropy_is_that_of_the_target_alone() -> None:
    target = block()
    picture = np.random.default_rng(1).integers(0, 256, (60, 80)).astype(np.uint8)
    picture[target] = np.resize([10, 20, 30, 40], target.sum())
    assert score_target(picture, target).entropy == pytest.approx(2, abs=1e-12)


def test_mean_around_is_that_of_what_lies_in_the_picture(rng: np.random.Generator) -> None:
    values = rng.random((7, 5))
    result = mean_around(values, 2)
    for row, column in ((0, 0), (3, 2), (6, 4), (1, 4)):
        around = values[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        assert result[row, column] == pytest.approx(around.mean(), abs=1e-12)  # sums of 35 numbers below 1


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 300)])
def test_odd_sizes_are_taken(size: tuple[int, int]) -> None:
    assert salient(np.random.default_rng(2).random(size) * 255).shape == size


def test_f_weighs_precision_more() -> None:
    assert f_measure(1, 0.5) == pytest.approx(1.3 * 0.5 / 0.8, abs=1e-15)
    assert f_measure(1, 0.5) > f_measure(0.5, 1)
    assert f_measure(0, 0) == 0


def test_people_of_a_drawn_scene_stand_out_in_the_infrared() -> None:
    scene = render_scene(SceneConfig(width=160, height=120, seed=4))
    people = scene.classes == LABELS.index("person")
    infrared = score_target(np.asarray(scene.thermal, np.uint8), people)
    visible = score_target(np.asarray(scene.visible, np.uint8), people)
    assert infrared.contrast > 2 * visible.contrast
    assert infrared.difference > 0


@pytest.mark.parametrize(("target", "message"), [
    (np.zeros((60, 80), bool), "marks no target"),
    (np.ones((60, 80), bool), "leaves nothing around"),
    (np.ones((60, 81), bool), "give one size"),
])  # fmt: skip
def test_mask_that_does_not_fit_is_refused(target: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        score_target(np.zeros((60, 80), np.uint8), target)


def test_scores_are_finite_numbers() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    assert all(math.isfinite(value) for value in vars(score_target(picture, block())).values())
