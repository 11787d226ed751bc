"""Resizing keeps depth and range."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from polyfuse.errors import InputError, UsageError
from polyfuse.transforms import resize

DTYPES = [np.uint8, np.uint16, np.float32]
SIDES = st.integers(1, 12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [(), (3,)])
@given(size=st.tuples(SIDES, SIDES), other=st.tuples(SIDES, SIDES), seed=st.integers(0, 99))
def test_any_size_keeps_type_and_range(
    dtype: Any, channels: tuple[int, ...], size: tuple[int, int], other: tuple[int, int], seed: int
) -> None:
    array = (np.random.default_rng(seed).random((*size, *channels)) * 250).astype(dtype)
    result = resize(array, other)
    assert result.shape == (*other, *channels)
    assert result.dtype == dtype
    assert result.min() >= array.min()
    assert result.max() <= array.max()


@pytest.mark.parametrize("dtype", DTYPES)
@given(level=st.integers(0, 255), size=st.tuples(SIDES, SIDES))
def test_a_constant_picture_stays_constant(dtype: Any, level: int, size: tuple[int, int]) -> None:
    array = np.full((5, 7), level, dtype)
    assert (resize(array, size) == level).all()


@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=3, min_side=3, max_side=3)))
def test_the_same_size_changes_nothing(array: np.ndarray) -> None:
    assert resize(array, array.shape[:2]) is array


def test_16_bits_keep_levels_that_8_would_lose() -> None:
    ramp = np.repeat(np.arange(0, 4096, 16, dtype=np.uint16)[None], 4, axis=0)
    assert np.unique(resize(ramp, (4, 512))).size > 400


def test_reducing_averages_instead_of_picking() -> None:
    stripes = np.tile(np.array([0, 65535], np.uint16), (64, 32))
    # One-pixel stripes become their mean away from the borders, to 1 % of the range.
    np.testing.assert_allclose(resize(stripes, (16, 16))[:, 2:-2].astype(float), 32767.5, atol=655)


def test_a_ramp_keeps_its_place() -> None:
    ramp = np.repeat(np.linspace(0, 1, 41, dtype=np.float32)[None], 3, axis=0)
    positions = (np.arange(82) + 0.5) / 2 - 0.5
    # Bicubic is exact on a ramp away from the borders, up to float32 rounding.
    np.testing.assert_allclose(resize(ramp, (3, 82))[1, 6:-6], positions[6:-6] / 40, atol=1e-6)


def test_an_empty_size_is_refused() -> None:
    with pytest.raises(UsageError, match="0x3"):
        resize(np.zeros((4, 4), np.uint8), (3, 0))


def test_an_array_that_is_no_picture_is_refused() -> None:
    for array in (np.zeros((4, 4)), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(InputError):
            resize(array, (2, 2))
