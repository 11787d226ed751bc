"""Resampling copies what lies on whole pixels, agrees with OpenCV elsewhere, and says what it has no pixels for."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from polyfuse.alignment import Warp
from polyfuse.alignment.apply import aligned, shared_part
from polyfuse.alignment.resample import Resampler
from polyfuse.errors import InputError
from polyfuse.io import Picture

TYPES = ("uint8", "uint16", "float32")


def noise(height: int, width: int, dtype: str, channels: int | None = None, seed: int = 0) -> NDArray[Any]:
    """Values over the whole range of the type, 0 and white included."""
    shape = (height, width) if channels is None else (height, width, channels)
    unit = np.random.default_rng(seed).random(shape)
    unit.flat[:2] = 0, 1
    return unit.astype(np.float32) if dtype == "float32" else np.rint(unit * np.iinfo(dtype).max).astype(dtype)


def smooth(height: int, width: int) -> NDArray[np.float64]:
    """A picture without sharp edges, in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    return 0.5 + 0.25 * np.sin(x / 5) + 0.25 * np.cos(y / 7 + x / 11)


@given(st.sampled_from(TYPES), st.sampled_from([None, 3]), st.integers(1, 40), st.integers(1, 40))
def test_identity_returns_the_same_bytes(dtype: str, channels: int | None, height: int, width: int) -> None:
    array = noise(height, width, dtype, channels)
    resampler = Resampler(Warp.identity((width, height)))
    assert resampler(array).tobytes() == array.tobytes()
    assert resampler.coverage is None


@given(st.sampled_from(TYPES), st.integers(-9, 9), st.integers(-9, 9), st.sampled_from(["a", "b"]))
def test_shift_by_whole_pixels_is_exact(dtype: str, right: int, down: int, frame: Any) -> None:
    array = noise(24, 32, dtype)
    shift = np.array([[1.0, 0, right], [0, 1, down], [0, 0, 1]])
    result = Resampler(Warp(shift, (32, 24), (32, 24), "shift"), frame)(array)
    if frame == "a":
        right, down = -right, -down
    there = result[max(0, down) : 24 + min(0, down), max(0, right) : 32 + min(0, right)]
    assert (there == array[max(0, -down) : 24 + min(0, -down), max(0, -right) : 32 + min(0, -right)]).all()


@given(st.sampled_from(TYPES))
def test_values_stay_inside_those_of_the_source(dtype: str) -> None:
    array = noise(20, 20, dtype)
    result = Resampler(Warp(np.diag([3.1, 2.9, 1]), (20, 20), (60, 60), "affine"))(array)
    assert array.min() <= result.min() <= result.max() <= array.max()
    assert result.dtype == array.dtype


@pytest.mark.parametrize(("dtype", "off"), [("uint8", 1), ("uint16", 2), ("float32", 1e-5)])
def test_result_is_that_of_opencv(dtype: str, off: float) -> None:
    """OpenCV keeps places in float32, off by some 1e-5 pixels, and has another border and overshoots."""
    cv2 = pytest.importorskip("cv2")
    matrix = np.array([[1.9, 0.1, -8.3], [-0.05, 2.1, 5.7], [4e-4, 1e-4, 1]])
    unit = smooth(48, 64)
    array = unit.astype(np.float32) if dtype == "float32" else np.rint(unit * np.iinfo(dtype).max).astype(dtype)
    resampler = Resampler(Warp(matrix, (64, 48), (120, 100)))
    expected = cv2.warpPerspective(array, matrix, (120, 100), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    expected = np.clip(expected, array.min(), array.max())
    y, x = np.mgrid[:100, :120]
    places = Warp(matrix, (64, 48), (120, 100)).to_a(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(100, 120, 2)
    inner = ((places >= 0) & (places <= [63, 47])).all(axis=2)
    assert inner.mean() > 0.5
    assert np.abs(resampler(array).astype(float) - expected)[inner].max() <= off


def test_strips_and_pictures_kept_give_the_same_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    warp = Warp(np.array([[1.3, 0.1, 2.2], [0.1, 1.4, -3], [1e-3, 0, 1]]), (30, 20), (40, 31))
    array, whole = noise(20, 30, "uint16"), Resampler(warp)
    expected = whole(array)
    monkeypatch.setattr("polyfuse.alignment.resample._STRIP_POINTS", 100)
    monkeypatch.setattr("polyfuse.alignment.resample._KEPT_POINTS", 0)
    assert (Resampler(warp)(array) == expected).all()
    assert (whole(array) == expected).all()


def test_reduction_does_not_alias() -> None:
    stripes = np.zeros((60, 80), np.uint8)
    stripes[:, ::2] = 200
    result = Resampler(Warp(np.diag([4.0, 4, 1]), (20, 15), (80, 60), "similarity"), "a")(stripes)
    assert np.abs(result[:, 1:-1].astype(int) - 100).max() <= 1  # one sample a pixel gives 0 or 200


def test_coverage_is_soft_where_the_source_ends_and_only_there() -> None:
    resampler = Resampler(Warp(np.array([[1.0, 0, 40], [0, 1, 0], [0, 0, 1]]), (160, 120), (160, 120), "shift"))
    assert resampler.coverage is not None
    row = resampler.coverage[60]
    assert (row[:40] == 0).all()
    assert (row[40 + resampler.edge :] == 1).all()
    assert (np.diff(row[38 : 41 + resampler.edge]) >= 0).all()
    assert resampler.covered == 0.75
    assert (resampler.coverage == row).all()  # top and bottom end with the picture


def test_colour_fades_to_grey_where_the_other_source_is_alone() -> None:
    a = Picture(np.full((40, 60), 100, np.uint8))
    b = Picture(np.full((40, 60, 3), (200, 10, 30), np.uint8))
    warp = Warp(np.array([[1.0, 0, 30], [0, 1, 0], [0, 0, 1]]), (60, 40), (60, 40), "shift")
    one, other, notes = aligned(a, b, warp, "a")
    assert one is a
    assert (other.array[0, 0] == b.array[0, 0]).all()
    assert len(set(other.array[0, -1].tolist())) == 1
    assert notes == ("50 % of the picture has no pixel of b and shows a alone",)


def test_shared_part_is_the_largest_rectangle_that_both_have() -> None:
    a = Picture(noise(120, 160, "uint8"))
    warp = Warp(np.array([[1.0, 0, 40], [0, 1, -7], [0, 0, 1]]), (160, 120), (160, 120), "shift")
    one, other, window = shared_part(*aligned(a, a, warp)[:2])
    assert one.array.shape == other.array.shape == (110, 117)  # 3 pixels of edge
    assert (other.array == a.array[window]).all()
    assert (one.array == a.array[7:117, 3:120]).all()


def test_pictures_of_other_sizes_are_refused_with_both_sizes() -> None:
    a, b = Picture(noise(20, 30, "uint8")), Picture(noise(40, 60, "uint8"))
    warp = Warp(np.diag([2.0, 2, 1]), (30, 20), (60, 40), "similarity")
    with pytest.raises(InputError, match="a is 60x40 and b 30x20 but the warp is for 30x20 and 60x40: the two are"):
        aligned(b, a, warp)
    with pytest.raises(InputError, match="make a warp with pictures of these sizes"):
        aligned(a, replace(b, array=b.array[:-1]), warp)


def test_pictures_that_do_not_meet_are_refused() -> None:
    picture = Picture(noise(20, 30, "uint8"))
    shift = np.array([[1.0, 0, 500], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(InputError, match="nothing in common"):
        aligned(picture, picture, Warp(shift, (30, 20), (30, 20), "shift"))


def test_doubtful_warp_is_told() -> None:
    picture = Picture(noise(20, 30, "uint8"))
    warp = replace(Warp.identity((30, 20)), confidence=0.1)
    assert aligned(picture, picture, warp)[2] == ("the warp has a confidence of 0.10: look at the result",)
