"""The temporal filter: what it takes away, what it must leave, and cuts; the measures it is judged by."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.errors import UsageError
from polyfuse.video.flicker import flicker, flicker_ratio, warping_error
from polyfuse.video.temporal import TemporalFilter, is_cut, parse_temporal

Plane = NDArray[np.float32]


def textured(seed: int = 0, shape: tuple[int, int] = (48, 64)) -> Plane:
    """A picture with structure at all scales."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.uniform(0.2, 0.8, (6, 8)), np.ones((8, 8)))
    return (coarse + rng.uniform(-0.05, 0.05, shape)).astype(np.float32)


def test_still_scene_with_flickering_result_is_calmed() -> None:
    still = textured()
    fused = [still + np.float32(0.03 * (-1) ** number) for number in range(12)]
    calm = TemporalFilter(0.4)
    filtered = [calm(frame, still, still) for frame in fused]
    assert flicker([float(frame.mean()) for frame in filtered[4:]]) < 0.5 * flicker(
        [float(frame.mean()) for frame in fused[4:]]
    )
    assert calm.cuts == []


def test_first_frame_and_share_one_change_nothing() -> None:
    frames = [textured(seed) for seed in range(3)]
    assert np.array_equal(TemporalFilter()(frames[0], frames[0], frames[0]), frames[0])
    whole = TemporalFilter(1.0)
    assert all(np.array_equal(whole(frame, frame, frame), frame) for frame in frames)


def test_detail_passes_unfiltered() -> None:
    still = textured()
    detail = np.indices(still.shape).sum(0) % 2 * np.float32(0.2)  # mean of every cell is the same
    calm = TemporalFilter(0.3)
    calm(still, still, still)
    changed = calm(still + detail - detail.mean(), still, still)
    assert np.abs(changed - (still + detail - detail.mean())).max() < 1e-6


def test_moving_body_leaves_no_shade() -> None:
    ground = np.full((48, 64), 0.3, np.float32)
    calm = TemporalFilter(0.3)
    for number in range(5):
        scene = ground.copy()
        scene[8:32, 12 * number : 12 * number + 12] = 0.9
        filtered = calm(scene, scene, ground)
        assert np.abs(filtered - scene).max() < 0.01
    assert calm.cuts == []


def test_cut_resets_the_filter() -> None:
    one, other = textured(0), textured(1)
    calm = TemporalFilter(0.3)
    for frame in (one, one):
        calm(frame, one, one)
    # The sources do not tell, so only the cut can stop the old scene from shining through.
    assert np.array_equal(calm(other, one, one), other)
    assert calm.cuts == [2]


@pytest.mark.parametrize(
    ("after", "cut"),
    [
        (textured(0) + np.float32(0.02), False),
        (textured(0) + np.float32(0.2), True),
        (np.roll(textured(0), 3, axis=1), False),
        (textured(1) * np.float32(0.6), True),
    ],
)
def test_cut_is_told_from_motion_and_from_light(after: Plane, cut: bool) -> None:
    assert is_cut(textured(0), after) is cut


@pytest.mark.parametrize("text", ["ema", "exponential:", "exponential:0", "exponential:1.5", "exponential:x", ""])
def test_other_filters_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="use none, exponential"):
        parse_temporal(text)


def test_flicker_is_the_mean_second_difference() -> None:
    assert flicker([0.1, 0.2, 0.3]) == pytest.approx(0)
    assert flicker([0.0, 0.5, 0.0, 0.5]) == pytest.approx(1)
    assert flicker_ratio([0.0, 0.5, 0.0], [0.0, 0.1, 0.0], [0.2, 0.2, 0.2]) == pytest.approx(5)
    assert np.isnan(flicker([0.1, 0.2]))


def panned(count: int, noise: float) -> list[Plane]:
    """A smooth picture that moves one pixel a frame."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:96, :160]
    scene = 0.5 + 0.2 * np.sin(columns / 5) * np.cos(rows / 6) + 0.1 * np.sin(columns / 11 + rows / 8)
    frames = [scene[:, number : number + 128] + rng.normal(0, noise, (96, 128)) for number in range(count)]
    return [frame.astype(np.float32) for frame in frames]


def test_warping_error_follows_motion_and_sees_flicker() -> None:
    pytest.importorskip("cv2")
    steady = panned(6, 0.0)
    unsteady: list[Plane] = [frame + np.float32(0.02 * (number % 2)) for number, frame in enumerate(steady)]
    assert warping_error(steady, steady) < 0.005
    assert warping_error(unsteady, steady) == pytest.approx(0.02, abs=0.005)
    assert min(np.abs(one - other).mean() for one, other in pairwise(steady)) > 0.015  # what it would be unmoved


def test_warping_error_of_unrelated_frames_means_nothing() -> None:
    pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    frames = [rng.uniform(0, 1, (96, 128)).astype(np.float32) for _ in range(3)]
    assert np.isnan(warping_error(frames, frames))


def test_fusion_of_a_panned_pair_flickers_no_more_than_its_sources(clip_flicker: Callable[[bool], float]) -> None:
    assert clip_flicker(False) <= 1.2
    assert clip_flicker(True) > 1.2  # stretched frame by frame: the measure sees the defect
