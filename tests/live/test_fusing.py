"""Frames that go on are fused as pairs are, and ranges follow the scene."""

import numpy as np
import pytest

from polyfuse import fuse, registry
from polyfuse.errors import InputError
from polyfuse.fusion import FuseOptions
from polyfuse.live.fusing import LiveFusion


def fusion(told: list[str] | None = None, **options: object) -> LiveFusion:
    return LiveFusion(
        registry.load("average"), FuseOptions().changed(options), (told if told is not None else []).append
    )


def test_frames_are_fused_as_a_pair_of_pictures(rng: np.random.Generator) -> None:
    fusing = fusion()
    for number in range(3):
        a, b = rng.integers(0, 256, (24, 32), np.uint8), rng.integers(0, 256, (24, 32, 3), np.uint8)
        expected = fuse(a, b, model="average").image
        np.testing.assert_array_equal(fusing(a, b, float(number)).image, expected)


def test_deep_frames_give_eight_bits(rng: np.random.Generator) -> None:
    a = rng.integers(7000, 9000, (24, 32)).astype(np.uint16)
    fused = fusion()(a, rng.integers(0, 256, (24, 32), np.uint8), 0.0)
    assert fused.image.dtype == np.uint8
    assert fused.view("a").std() > 40  # the window fills the range


def test_measured_range_follows_the_scene_slowly(rng: np.random.Generator) -> None:
    fusing, b = fusion(), rng.integers(0, 256, (24, 32), np.uint8)
    cold = rng.integers(7000, 8000, (24, 32)).astype(np.uint16)
    lows = [fusing(cold if step == 0 else cold + 4000, b, 0.6 * step).conventions.range_a.low for step in range(20)]
    assert lows == sorted(lows)
    assert lows[1] - lows[0] < 0.5 * 4000
    assert lows[-1] - lows[0] > 0.95 * 4000


def test_range_that_was_given_stays(rng: np.random.Generator) -> None:
    fusing, b = fusion(range="7000,8000"), rng.integers(0, 256, (24, 32), np.uint8)
    for step in range(3):
        fused = fusing(rng.integers(7000, 12000, (24, 32)).astype(np.uint16), b, 2.0 * step)
    assert (fused.conventions.range_a.low, fused.conventions.range_a.high) == (7000, 8000)


def test_stretch_of_the_output_does_not_jump(rng: np.random.Generator) -> None:
    fusing = fusion(stretch="minmax")
    dark = rng.integers(0, 100, (24, 32), np.uint8)
    fusing(dark, dark, 0.0)
    bright = fusing(dark + 100, dark + 100, 0.04).image
    assert (bright == 255).mean() > 0.5  # still by the range of the dark pair
    for step in range(2, 300):
        bright = fusing(dark + 100, dark + 100, 0.04 * step).image
    assert (bright == 255).mean() < 0.2


def test_sources_are_shown_as_the_model_sees_them(rng: np.random.Generator) -> None:
    a, b = rng.integers(0, 256, (24, 32), np.uint8), rng.integers(0, 256, (24, 32, 3), np.uint8)
    fused = fusion(polarity="black-hot")(a, b, 0.0)
    np.testing.assert_array_equal(fused.view("a"), 255 - a)
    np.testing.assert_array_equal(fused.view("b"), b)


def test_note_is_told_once(rng: np.random.Generator) -> None:
    told: list[str] = []
    fusing = fusion(told, resize="a")
    for size in ((12, 16), (24, 32), (12, 16)):
        fusing(rng.integers(0, 256, size, np.uint8), rng.integers(0, 256, (24, 32), np.uint8), 0.0)
    assert len([note for note in told if "resized" in note]) == 1


def test_sizes_that_do_not_fit_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="--resize"):
        fusion()(np.zeros((12, 16), np.uint8), np.zeros((24, 32), np.uint8), 0.0)
