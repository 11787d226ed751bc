"""How a result looks: in words, in a notebook, to NumPy and to Pillow."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from polyfuse import ClipResult, Result, fuse
from polyfuse.errors import UsageError
from polyfuse.io import Picture

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 10
COLOUR = np.stack((GREY, GREY + 5, 255 - GREY), axis=2)


def shown(result: Result) -> NDArray[Any]:
    """What a notebook shows."""
    return np.asarray(Image.open(io.BytesIO(result._repr_png_())))


def test_result_says_what_it_is_in_one_short_line() -> None:
    assert repr(fuse(GREY, COLOUR, model="average")) == "Result(5x4 RGB uint8, average)"
    flat = np.zeros((4, 5), np.uint16)
    assert repr(fuse(flat, flat, model="maximum")) == "Result(5x4 grey uint16, maximum, 2 notes)"


def test_result_without_a_record_says_its_size() -> None:
    assert repr(Result(COLOUR, {}, ("one",))) == "Result(5x4 RGB uint8, 1 note)"


@pytest.mark.parametrize("pixels", [GREY, COLOUR])
def test_notebook_shows_8_bits_as_they_are(pixels: NDArray[Any]) -> None:
    np.testing.assert_array_equal(shown(fuse(pixels, pixels, model="average")), pixels)


@pytest.mark.parametrize("pixels", [GREY.astype(np.uint16) * 257, COLOUR.astype(np.uint16) * 257])
def test_notebook_shows_16_bits_by_their_high_byte(pixels: NDArray[Any]) -> None:
    np.testing.assert_array_equal(shown(fuse(pixels, pixels, model="average", range="full")), pixels // 257)


def test_notebook_shows_floats_from_black_to_white() -> None:
    assert shown(Result(np.array([[0, 0.5, 1]], np.float32), {})).tolist() == [[0, 128, 255]]


def test_notebook_shows_the_window_that_was_asked_for() -> None:
    deep = np.array([[1000, 1100], [1200, 1255]], np.uint16)
    assert shown(fuse(deep, deep, model="average", range="1000,1255", range_b="1000,1255")).tolist() == [
        [0, 100],
        [200, 255],
    ]


def test_notebook_shows_a_large_result_reduced() -> None:
    assert shown(Result(np.zeros((512, 4096), np.uint8), {})).shape == (128, 1024)


def test_numpy_takes_a_result_without_a_copy() -> None:
    result = fuse(GREY, COLOUR, model="average")
    assert np.asarray(result) is result.image
    assert not np.shares_memory(np.array(result), result.image)


def test_numpy_gives_a_result_the_type_asked_for() -> None:
    result = fuse(GREY, COLOUR, model="average")
    assert np.asarray(result, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="has to be copied"):
        result.__array__(np.float32, copy=False)


@pytest.mark.parametrize(
    ("pixels", "mode"),
    [
        (GREY, "L"),
        (COLOUR, "RGB"),
        (GREY.astype(np.uint16) * 200, "I;16"),
        (GREY.astype(np.float32) / 255, "F"),
    ],
)
def test_pillow_gets_the_pixels_as_they_are(pixels: NDArray[Any], mode: str) -> None:
    picture = Result(pixels, {}).to_pil()
    assert picture.mode == mode
    np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_pillow_gets_no_deep_colour() -> None:
    with pytest.raises(UsageError, match="bit_depth='8'"):
        Result(COLOUR.astype(np.uint16), {}).to_pil()


def test_picture_says_what_it_is_and_not_its_pixels() -> None:
    assert repr(Picture(GREY)) == "Picture(5x4 grey uint8)"
    assert repr(Picture(COLOUR, Path("b.png"))) == "Picture(5x4 RGB uint8, 'b.png')"


def test_clip_result_does_not_print_its_sidecar() -> None:
    assert "settings" not in repr(ClipResult(Path("fused.mp4"), 3, 0.5, {"settings": {}}))
