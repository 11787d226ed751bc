"""The measures by which a clip's steadiness is judged, and what they say of fused clips."""

import sys
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.errors import DependencyError, InputError
from polyfuse.video.flicker import SteadinessOf, flicker, flicker_ratio
from polyfuse.video.flow import Flow, levels

Plane = NDArray[np.float32]
Panned = Callable[..., list[Plane]]


def test_flicker_is_the_mean_second_difference() -> None:
    assert flicker([0.1, 0.2, 0.3]) == pytest.approx(0)
    assert flicker([0.0, 0.5, 0.0, 0.5]) == pytest.approx(1)
    assert flicker_ratio([0.0, 0.5, 0.0], [0.0, 0.1, 0.0], [0.2, 0.2, 0.2]) == pytest.approx(5)
    assert np.isnan(flicker([0.1, 0.2]))


def test_warping_error_follows_motion_and_sees_flicker(panned: Panned) -> None:
    pytest.importorskip("cv2")
    steady = panned(6)
    unsteady: list[Plane] = [frame + np.float32(0.02 * (number % 2)) for number, frame in enumerate(steady)]
    judge = SteadinessOf(steady, steady)
    assert judge(steady).warping < 0.005
    assert judge(steady).warping_ratio == pytest.approx(1)
    assert judge(unsteady).warping == pytest.approx(0.02, abs=0.005)
    assert judge(unsteady).warping_ratio == pytest.approx(judge(unsteady).warping / judge(steady).warping)
    assert min(np.abs(one - other).mean() for one, other in pairwise(steady)) > 0.015  # what it would be unmoved


def test_ratios_are_to_the_less_steady_source(panned: Panned) -> None:
    pytest.importorskip("cv2")
    calm, noisy = panned(5), panned(5, 0.02)
    found = SteadinessOf(noisy, calm)(noisy)
    assert (found.flicker_ratio, found.warping_ratio) == pytest.approx((1, 1))
    assert SteadinessOf(noisy, calm)(calm).warping_ratio < 0.5


def test_warping_error_of_unrelated_frames_means_nothing() -> None:
    pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    frames = [rng.uniform(0, 1, (96, 128)).astype(np.float32) for _ in range(3)]
    found = SteadinessOf(frames, frames)(frames)
    assert np.isnan(found.warping)
    assert np.isnan(found.warping_ratio)
    assert found.flicker_ratio == pytest.approx(1)


def test_pixel_flicker_counts_still_pixels_only(panned: Panned) -> None:
    pytest.importorskip("cv2")
    still = panned(1) * 5
    shaking = still[0].copy()
    shaking[:, 64:] += 0.03  # half of the picture goes up and down
    judged = SteadinessOf(still, still)([still[0], shaking, still[0], shaking, still[0]])
    assert judged.pixel_flicker == pytest.approx(0.03, rel=0.01)  # 0.06 in half of the pixels
    moving = panned(5)
    assert np.isnan(SteadinessOf(moving, moving)(moving).pixel_flicker)


def test_flow_comes_from_the_infrared_source_while_the_visible_is_dark(panned: Panned) -> None:
    pytest.importorskip("cv2")
    scene = panned(4)
    dark = [np.zeros_like(frame) for frame in scene]
    assert SteadinessOf(scene, dark)(scene).warping < 0.005
    assert SteadinessOf(dark, [np.full_like(frame, 0.5) for frame in scene])(scene).warping > 0.015


def test_occluded_pixels_have_no_valid_motion(panned: Panned) -> None:
    pytest.importorskip("cv2")
    before, after = (levels(frame) for frame in panned(9)[::8])
    motion = Flow("the test").motion(before, after)
    assert np.abs(motion.backward[20:-20, 20:-20, 0] - 8).max() < 1  # the window moved right, what is in it to the left
    assert not motion.valid[:, -7:].any()  # came in from outside
    assert motion.valid[10:-10, 10:-20].mean() > 0.95


def test_frames_too_small_for_flow_are_refused_instead_of_ending_the_program() -> None:
    pytest.importorskip("cv2")
    frames = [np.zeros((12, 40), np.float32)] * 2
    with pytest.raises(InputError, match=r"finds no motion in frames of 40x12: give 32 pixels a side"):
        SteadinessOf(frames, frames)


def test_missing_opencv_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DependencyError, match=r'the warping error needs OpenCV: pip install "polyfuse\[imaging\]"'):
        SteadinessOf([], [])


@pytest.mark.parametrize("temporal", ["none", "exponential", "flow"])
def test_fusion_of_a_panned_pair_flickers_no_more_than_its_sources(
    panned_clip: Callable[[str], dict[str, list[Plane]]], temporal: str
) -> None:
    if temporal == "flow":
        pytest.importorskip("cv2")
    clips = panned_clip(temporal)
    means = {name: [float(frame.mean()) for frame in frames] for name, frames in clips.items()}
    assert flicker_ratio(means["fused"], means["a"], means["b"]) <= 1.2


def test_frames_stretched_one_by_one_flicker_more(panned_clip: Callable[[str], dict[str, list[Plane]]]) -> None:
    clips = panned_clip("none")
    means = {name: [float(frame.mean()) for frame in frames] for name, frames in clips.items()}
    stretched = [float(((frame - frame.min()) / np.ptp(frame)).mean()) for frame in clips["fused"]]
    assert flicker_ratio(stretched, means["a"], means["b"]) > 1.2


def test_flow_filter_brings_the_warping_error_down(panned_clip: Callable[[str], dict[str, list[Plane]]]) -> None:
    pytest.importorskip("cv2")
    plain, filtered = panned_clip("none"), panned_clip("flow")
    judge = SteadinessOf(plain["a"], plain["b"])
    assert judge(plain["fused"]).warping_ratio <= 1.1
    assert judge(filtered["fused"]).warping < 0.8 * judge(plain["fused"]).warping
