"""The filter along optical flow: what it takes away, what it must leave, where it does not trust the flow, and cuts."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.video.filters import FlowFilter
from polyfuse.video.flow import Flow

pytest.importorskip("cv2")

Plane = NDArray[np.float32]
Panned = Callable[..., list[Plane]]


def test_noise_of_a_moving_scene_is_taken_away_and_the_scene_is_not(panned: Panned) -> None:
    clean, noisy = panned(8), panned(8, 0.02)
    steady = FlowFilter()
    filtered = [steady(frame, scene, scene) for frame, scene in zip(noisy, clean, strict=True)]
    inner = np.s_[10:-10, 10:-20]
    before = float((noisy[-1] - clean[-1])[inner].std())
    after = float((filtered[-1] - clean[-1])[inner].std())
    assert after < 0.85 * before
    assert abs(float((filtered[-1] - clean[-1])[inner].mean())) < 0.002
    assert steady.cuts == []


def test_result_follows_the_formula(panned: Panned) -> None:
    fused, visible, infrared = panned(3, 0.02), panned(3), panned(1) * 3
    steady, flow = FlowFilter(0.25), Flow("the test")
    results = [steady(*frames) for frames in zip(fused, infrared, visible, strict=True)]
    previous = fused[0]
    assert np.array_equal(results[0], previous)
    for number in (1, 2):
        seen = [np.rint(visible[index] * 255).astype(np.uint8) for index in (number - 1, number)]
        motion = flow.motion(*seen)
        change = np.abs(flow.moved(fused[number - 1], motion.backward) - fused[number])
        weight = (0.75 * motion.valid * np.exp(-change / 0.05)).astype(np.float32)
        previous = fused[number] + weight * (flow.moved(previous, motion.backward) - fused[number])
        assert np.abs(results[number] - previous).max() < 1e-6
    assert np.abs(results[2] - fused[2]).max() > 0.005


def test_flow_comes_from_the_infrared_source_while_the_visible_is_dark(panned: Panned) -> None:
    scene, dark = panned(4), [np.zeros((96, 128), np.float32)] * 4
    one, other = FlowFilter(), FlowFilter()
    for frame, black in zip(scene, dark, strict=True):
        assert np.array_equal(one(frame, frame, black), other(frame, frame, frame))


def test_change_that_no_motion_explains_is_let_through(panned: Panned) -> None:
    still = panned(1)[0]
    lamp = still.copy()
    lamp[40:50, 60:70] = 1.0
    steady = FlowFilter()
    steady(still, still, still)
    assert np.abs(steady(lamp, still, still) - lamp)[40:50, 60:70].max() < 0.01


def test_share_one_changes_nothing(panned: Panned) -> None:
    steady = FlowFilter(1.0)
    assert all(np.array_equal(steady(frame, frame, frame), frame) for frame in panned(3, 0.02))


def test_cut_resets_the_filter(panned: Panned) -> None:
    one, other = panned(1)[0], panned(1)[0][::-1] * np.float32(0.5)
    steady = FlowFilter()
    for frame in (one, one):
        steady(frame, one, one)
    assert np.array_equal(steady(other, one, one), other)
    assert steady.cuts == [2]
