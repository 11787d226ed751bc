"""Ranges: chosen once, recorded, and inverted exactly."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from polyfuse.errors import InputError, UsageError
from polyfuse.transforms import RangeRecord, RangeSpec, from_unit, measure_range, parse_range, quantise, to_unit
from polyfuse.transforms.statistics import Histogram, Sample

ALL_LEVELS: dict[str, NDArray[Any]] = {
    "uint8": np.arange(256, dtype=np.uint8),
    "uint16": np.arange(65536, dtype=np.uint16),
}
SIZES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
INTEGERS = st.sampled_from(["uint8", "uint16"]).flatmap(lambda dtype: hnp.arrays(dtype, SIZES))
SPECS = ["full", "minmax", "percentile", "percentile:1,99", "percentile:0,100"]
RECORD = RangeRecord("full", 0, 255, "uint8")


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("auto", RangeSpec("auto")),
        ("full", RangeSpec("full")),
        ("minmax", RangeSpec("minmax")),
        ("percentile", RangeSpec("percentile", 0.5, 99.5)),
        ("percentile:1,99", RangeSpec("percentile", 1, 99)),
        ("7000,9000", RangeSpec("window", 7000, 9000)),
        ("-20.5,1e3", RangeSpec("window", -20.5, 1000)),
    ],
)
def test_a_range_is_read_and_said_again(text: str, spec: RangeSpec) -> None:
    assert parse_range(text) == spec
    assert parse_range(str(spec)) == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "automatic",
        "1",
        "1,2,3",
        "2,1",
        "1,1",
        "a,b",
        "percentile:",
        "percentile:99,1",
        "percentile:-1,50",
        "0,nan",
        "0,inf",
    ],
)
def test_a_range_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_range(text)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("bounds", ["full", "minmax", "17,201", "3.25,250.75", "-5,300"])
def test_every_integer_inside_the_window_comes_back(dtype: str, bounds: str) -> None:
    levels = ALL_LEVELS[dtype]
    record = measure_range(levels, parse_range(bounds))
    inside = levels[(levels >= record.low) & (levels <= record.high)]
    back = from_unit(to_unit(inside, record), record)
    assert back.dtype == levels.dtype
    np.testing.assert_array_equal(back, inside)


@given(INTEGERS, st.sampled_from(SPECS))
def test_unit_values_lie_in_0_to_1_and_in_window_integers_come_back(array: np.ndarray, text: str) -> None:
    record = measure_range(array, parse_range(text))
    unit = to_unit(array, record)
    assert unit.dtype == np.float32
    assert unit.min() >= 0
    assert unit.max() <= 1
    inside = (array >= record.low) & (array <= record.high)
    np.testing.assert_array_equal(from_unit(unit, record)[inside], array[inside])


@given(INTEGERS)
def test_values_outside_the_window_come_back_as_its_bounds(array: np.ndarray) -> None:
    record = measure_range(array, RangeSpec("window", 50, 100))
    np.testing.assert_array_equal(from_unit(to_unit(array, record), record), np.clip(array, 50, 100))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("text", ["minmax", "percentile"])
def test_a_constant_picture_becomes_0_and_comes_back(dtype: str, text: str) -> None:
    array = np.full((4, 5), 77, dtype)
    record = measure_range(array, parse_range(text))
    assert record.low == record.high == 77
    unit = to_unit(array, record)
    assert not unit.any()
    np.testing.assert_array_equal(from_unit(unit, record), array)


def test_black_is_0_and_white_is_1_exactly() -> None:
    for levels in ALL_LEVELS.values():
        unit = to_unit(levels, measure_range(levels, parse_range("full")))
        assert (unit[0], unit[-1]) == (0, 1)


def test_every_level_of_the_full_range_is_the_exact_quotient_rounded() -> None:
    for levels in ALL_LEVELS.values():
        unit = to_unit(levels, measure_range(levels, parse_range("full")))
        np.testing.assert_array_equal(unit, (levels.astype(np.float64) / levels[-1]).astype(np.float32))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("low", [0, 0.5, 1, 33.3, 50])
@pytest.mark.parametrize("high", [60, 99.5, 100])
def test_integer_percentiles_equal_numpys_over_several_arrays(
    rng: np.random.Generator, dtype: str, low: float, high: float
) -> None:
    frames = [rng.integers(0, 200, (7, size)).astype(dtype) for size in (1, 30, 4)]
    record = measure_range(iter(frames), RangeSpec("percentile", low, high))
    expected = np.percentile(np.concatenate([frame.ravel() for frame in frames]), [low, high])
    # Both interpolate in float64 from integers: only the last bits may differ.
    np.testing.assert_allclose([record.low, record.high], expected, rtol=1e-12, atol=1e-12)


def test_float_percentiles_equal_numpys_below_the_limit(rng: np.random.Generator) -> None:
    frames = [rng.normal(300, 5, (20, 30)).astype(np.float32) for _ in range(3)]
    record = measure_range(frames, RangeSpec("percentile", 2, 98))
    expected = np.percentile(np.concatenate([frame.ravel() for frame in frames]), [2, 98])
    # float32 data: one rounding of the interpolation.
    np.testing.assert_allclose([record.low, record.high], expected, rtol=1e-6)


def test_float_percentiles_stay_close_and_bounded_beyond_the_limit() -> None:
    sample = Sample(limit=1000)
    values = np.random.default_rng(2).permutation(20_000).astype(np.float32)
    for frame in values.reshape(40, 500):
        sample.add(frame)
    assert sum(part.size for part in sample._parts) <= 1000
    # 625 of 20000 values are kept: the standard error of the median is 2 % of the range, 8 % is four of them.
    assert abs(sample.percentile(50) - 10_000) < 0.08 * 20_000
    assert sample.extremes() == (0, 19_999)


def test_float_percentiles_weigh_early_and_late_frames_alike() -> None:
    sample = Sample(limit=100)
    for level in range(64):
        sample.add(np.full(100, level, np.float32))
    # Every n-th of 6400 values in order: the quarter of them lies at a quarter of the levels, give or take one frame.
    assert abs(sample.percentile(25) - 16) <= 1


def test_a_spot_on_flat_ground_is_not_lost_between_equal_percentiles() -> None:
    array = np.zeros((100, 100), np.uint16)
    array[50, 50] = 4000
    record = measure_range(array, parse_range("percentile"))
    assert (record.low, record.high) == (0, 4000)


def test_one_record_covers_all_frames_of_a_clip() -> None:
    frames = [np.array([[level, level + 10]], np.uint16) for level in (100, 50, 300)]
    record = measure_range(frames, parse_range("minmax"))
    assert (record.low, record.high) == (50, 310)


def test_auto_measures_percentiles_over_all_deep_grey_frames_and_takes_the_full_range_else() -> None:
    deep = [np.full((10, 10), level, np.uint16) for level in (100, 50, 300)]
    assert measure_range(deep, parse_range("auto")) == measure_range(deep, parse_range("percentile"))
    for other in (deep[0].astype(np.uint8), np.zeros((4, 4), np.float32), np.zeros((4, 4, 3), np.uint16)):
        assert measure_range(other, parse_range("auto")) == measure_range(other, parse_range("full"))


@pytest.mark.parametrize("text", ["full", "5,9"])
def test_a_clip_of_integers_is_not_read_where_the_range_is_known(text: str) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield np.zeros((2, 2), np.uint8)
        pytest.fail("read on")

    measure_range(frames(), parse_range(text))


def test_mixed_types_are_refused() -> None:
    with pytest.raises(InputError, match="mixes uint8 and uint16"):
        measure_range([np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint16)], parse_range("minmax"))


@pytest.mark.parametrize("arrays", [[], np.zeros((0, 3), np.uint8)])
def test_nothing_to_measure_is_refused(arrays: Any) -> None:
    with pytest.raises(InputError, match="no pixels"):
        measure_range(arrays, parse_range("minmax"))


def test_a_type_that_is_no_pictures_is_refused() -> None:
    with pytest.raises(InputError, match="float64"):
        measure_range(np.zeros((2, 2)), parse_range("minmax"))


@pytest.mark.parametrize("value", [-0.1, 1.5, 300])
def test_full_range_floats_outside_0_to_1_are_refused_with_advice(value: float) -> None:
    with pytest.raises(InputError, match="--range minmax"):
        measure_range(np.array([[0.5, value]], np.float32), parse_range("full"))


def test_full_range_floats_inside_0_to_1_pass_unchanged() -> None:
    array = np.linspace(0, 1, 11, dtype=np.float32)[None]
    record = measure_range(array, parse_range("full"))
    np.testing.assert_array_equal(to_unit(array, record), array)
    np.testing.assert_array_equal(from_unit(array, record), array)


@pytest.mark.parametrize("text", ["full", "minmax", "percentile"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_count_and_first_place(text: str, value: float) -> None:
    array = np.zeros((4, 6), np.float32)
    array[2, 3] = array[3, 1] = value
    with pytest.raises(InputError, match=r"x\.tif holds 2 values that are NaN or infinite, the first at \(2, 3\)"):
        measure_range(array, parse_range(text), name="x.tif")


def test_nan_is_refused_where_the_window_was_given() -> None:
    array = np.array([[0, np.nan]], np.float32)
    record = measure_range(array[:, :1], parse_range("0,1"))
    with pytest.raises(InputError, match="NaN"):
        to_unit(array, record)


@pytest.mark.parametrize("function", [lambda x: quantise(x, 8), lambda x: from_unit(x, RECORD)])
def test_nan_from_a_model_is_never_turned_into_a_grey_level(function: Any) -> None:
    with pytest.raises(InputError, match="NaN"):
        function(np.array([[0.5, np.nan]], np.float32))


def test_a_narrow_float_window_far_from_zero_keeps_its_steps() -> None:
    # 1/64 K steps at 300 K: the difference is exact in float64, float32 arithmetic on it would be too.
    array = (300 + np.arange(65) / 64).astype(np.float32)[None]
    record = measure_range(array, parse_range("minmax"))
    np.testing.assert_array_equal(to_unit(array, record)[0], np.arange(65, dtype=np.float32) / 64)
    np.testing.assert_array_equal(from_unit(to_unit(array, record), record), array)


def test_a_window_of_a_picture_gives_the_same_bits_as_the_whole(rng: np.random.Generator) -> None:
    array = rng.integers(0, 65536, (301, 407)).astype(np.uint16)
    record = measure_range(array, parse_range("percentile"))
    np.testing.assert_array_equal(to_unit(array[13:200, 7:99], record), to_unit(array, record)[13:200, 7:99])


def test_another_type_than_the_records_is_refused() -> None:
    with pytest.raises(InputError, match="uint16"):
        to_unit(np.zeros((2, 2), np.uint16), RECORD)


def test_8_bits_of_a_16_bit_record_are_clipped_into_the_type() -> None:
    record = RangeRecord("minmax", 100, 1000, "uint16")
    np.testing.assert_array_equal(from_unit(np.array([0.0, 1.0]), record, np.uint8), [100, 255])


@pytest.mark.parametrize("text", SPECS)
def test_a_record_survives_json(text: str) -> None:
    record = measure_range(np.arange(50, dtype=np.uint16), parse_range(text))
    assert RangeRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(
    "change", [{"low": "x"}, {"dtype": "int8"}, {"low": 300}, {"high": float("nan")}, {"high": None}]
)
def test_a_damaged_record_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="range record"):
        RangeRecord.from_json(RECORD.to_json() | change)


def test_halves_are_rounded_to_even() -> None:
    np.testing.assert_array_equal(quantise(np.array([0.5, 1.5, 2.5, 3.5]) / 255, 8), [0, 2, 2, 4])


@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (16, np.uint16), (32, np.float32)])
def test_quantising_clips_and_gives_the_depths_type(depth: int, dtype: Any) -> None:
    result = quantise(np.array([-1.0, 0.0, 1.0, 2.0]), depth)
    high = 1 if depth == 32 else np.iinfo(dtype).max
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, [0, 0, high, high])


def test_an_unknown_depth_is_refused() -> None:
    with pytest.raises(UsageError, match="8, 16 or 32"):
        quantise(np.zeros(1), 12)


def test_a_histogram_larger_than_one_piece_counts_every_pixel() -> None:
    histogram = Histogram(np.uint8)
    histogram.add(np.repeat(np.arange(2, dtype=np.uint8), [(1 << 20) + 5, 7]))
    assert histogram.extremes() == (0, 1)
    assert histogram.percentile(99.99) == 0
    assert histogram.percentile(100) == 1
