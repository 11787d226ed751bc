"""The exponential filter: what it takes away, what it must leave; cuts; the names of filters."""

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.errors import UsageError
from polyfuse.video.filters import ExponentialFilter
from polyfuse.video.flicker import flicker
from polyfuse.video.temporal import Temporal, is_cut, parse_temporal

Plane = NDArray[np.float32]


def textured(seed: int = 0, shape: tuple[int, int] = (48, 64)) -> Plane:
    """A picture with structure at all scales."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.uniform(0.2, 0.8, (6, 8)), np.ones((8, 8)))
    return (coarse + rng.uniform(-0.05, 0.05, shape)).astype(np.float32)


def test_still_scene_with_flickering_result_is_calmed() -> None:
    still = textured()
    fused = [still + np.float32(0.03 * (-1) ** number) for number in range(12)]
    calm = ExponentialFilter(0.4)
    filtered = [calm(frame, still, still) for frame in fused]
    assert flicker([float(frame.mean()) for frame in filtered[4:]]) < 0.5 * flicker(
        [float(frame.mean()) for frame in fused[4:]]
    )
    assert calm.cuts == []


def test_first_frame_and_share_one_change_nothing() -> None:
    frames = [textured(seed) for seed in range(3)]
    assert np.array_equal(ExponentialFilter()(frames[0], frames[0], frames[0]), frames[0])
    whole = ExponentialFilter(1.0)
    assert all(np.array_equal(whole(frame, frame, frame), frame) for frame in frames)


def test_detail_passes_unfiltered() -> None:
    still = textured()
    detail = np.indices(still.shape).sum(0) % 2 * np.float32(0.2)  # mean of every cell is the same
    calm = ExponentialFilter(0.3)
    calm(still, still, still)
    changed = calm(still + detail - detail.mean(), still, still)
    assert np.abs(changed - (still + detail - detail.mean())).max() < 1e-6


def test_moving_body_leaves_no_shade() -> None:
    ground = np.full((48, 64), 0.3, np.float32)
    calm = ExponentialFilter(0.3)
    for number in range(5):
        scene = ground.copy()
        scene[8:32, 12 * number : 12 * number + 12] = 0.9
        filtered = calm(scene, scene, ground)
        assert np.abs(filtered - scene).max() < 0.01
    assert calm.cuts == []


def test_cut_resets_the_filter() -> None:
    one, other = textured(0), textured(1)
    calm = ExponentialFilter(0.3)
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


@pytest.mark.parametrize("text", ["ema", "exponential:", "exponential:0", "flow:1.5", "exponential:x", "none:1", ""])
def test_other_filters_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="use none, exponential or flow"):
        parse_temporal(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("none", None),
        ("exponential", Temporal("exponential", 0.6)),
        ("flow", Temporal("flow", 0.5)),
        ("flow:0.25", Temporal("flow", 0.25)),
    ],
)
def test_filter_is_named_with_the_share_of_the_new_frame(text: str, wanted: Temporal | None) -> None:
    assert parse_temporal(text) == wanted
