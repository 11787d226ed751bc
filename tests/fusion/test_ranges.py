"""The window of a deep picture: recorded, applied, and undone on the way out."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse import fuse
from polyfuse.errors import InputError

LOW, HIGH = 20000, 24000


@pytest.fixture
def thermal(rng: np.random.Generator) -> NDArray[Any]:
    """Raw counts as a thermal camera gives them: all levels of a narrow window, each several times."""
    return rng.permutation(np.repeat(np.arange(LOW, HIGH + 1, dtype=np.uint16), 5)).reshape(-1, 5)


@pytest.mark.parametrize("spec", ["full", "minmax", "percentile:0,100", f"{LOW},{HIGH}", "19000,31234.5"])
def test_identical_thermal_sources_come_back_exactly(spec: str, thermal: NDArray[Any]) -> None:
    image = fuse(thermal, thermal, model="average", range=spec, range_b=spec).image
    np.testing.assert_array_equal(image, thermal)


def test_percentile_window_clips_outside_and_is_exact_inside(thermal: NDArray[Any]) -> None:
    result = fuse(thermal, thermal, model="average", range="percentile:5,95", range_b="percentile:5,95")
    window = result.record["range"]["a"]
    expected = np.clip(thermal, round(window["low"]), round(window["high"]))
    np.testing.assert_array_equal(result.image, expected)


def test_values_outside_a_named_window_become_its_ends(thermal: NDArray[Any]) -> None:
    image = fuse(thermal, thermal, model="average", range="21000,22000", range_b="21000,22000").image
    np.testing.assert_array_equal(image, np.clip(thermal, 21000, 22000))


@pytest.mark.parametrize(("window", "where"), [("25000,26000", "below"), ("10,40", "above"), (f"{LOW},{HIGH}", None)])
def test_a_window_that_misses_the_picture_is_told(thermal: NDArray[Any], window: str, where: str | None) -> None:
    notes = [note for note in fuse(thermal, thermal, model="average", range=window).notes if "shows nothing" in note]
    assert notes == ([f"100 % of a lies {where} --range and shows nothing: name a range that it has"] if where else [])


def test_float_pair_comes_back_in_its_own_unit(rng: np.random.Generator) -> None:
    celsius = rng.uniform(-20, 40, (30, 30)).astype(np.float32)
    image = fuse(celsius, celsius, model="average", range="minmax", range_b="minmax").image
    # 60 degrees at float32: a step of 1 / 2**24 of the window, twice rounded.
    np.testing.assert_allclose(image, celsius, rtol=0, atol=1e-5)


def test_asking_for_eight_bits_spreads_the_window_over_them(thermal: NDArray[Any]) -> None:
    spec = f"{LOW},{HIGH}"
    image = fuse(thermal, thermal, model="average", range=spec, range_b=spec, bit_depth="8").image
    assert image.dtype == np.uint8
    # Half a level of rounding; a float32 on the way may turn a tie either way.
    np.testing.assert_allclose(image, (thermal - float(LOW)) / (HIGH - LOW) * 255, rtol=0, atol=0.5 + 1e-4)


def test_each_source_has_its_own_window(thermal: NDArray[Any]) -> None:
    record = fuse(thermal, thermal, model="average", range="minmax", range_b="1,2").record["range"]
    assert record == {
        "a": {"mode": "minmax", "low": LOW, "high": HIGH, "dtype": "uint16"},
        "b": {"mode": "1.0,2.0", "low": 1.0, "high": 2.0, "dtype": "uint16"},
    }


def test_window_of_a_brings_out_a_thermal_picture_in_an_eight_bit_result(thermal: NDArray[Any]) -> None:
    black = np.zeros(thermal.shape, np.uint8)
    shallow = fuse(thermal, black, model="maximum", bit_depth="8", range="minmax").image
    assert (int(shallow.min()), int(shallow.max())) == (0, 255)


def test_deep_thermal_source_gets_a_window_by_percentile_unless_asked(thermal: NDArray[Any]) -> None:
    result = fuse(thermal, np.zeros(thermal.shape, np.uint8), model="maximum", bit_depth="8")
    window = result.record["range"]["a"]
    assert (window["mode"], result.record["settings"]["options"]["range"]) == ("percentile:0.5,99.5", "auto")
    assert (int(result.image.min()), int(result.image.max())) == (0, 255)
    low, high = window["low"], window["high"]
    told = f"a has 16 bits, {low:g} and {high:g} (percentiles 0.5 and 99.5) are black and white: "
    assert f"{told}--range LO,HI takes others" in result.notes


def test_window_that_was_not_asked_for_is_undone_on_the_way_out(thermal: NDArray[Any]) -> None:
    result = fuse(thermal, thermal, model="average", range_b="percentile")
    window = result.record["range"]["a"]
    np.testing.assert_array_equal(result.image, np.clip(thermal, round(window["low"]), round(window["high"])))


def test_full_range_of_a_deep_source_is_had_by_name_and_told(thermal: NDArray[Any]) -> None:
    result = fuse(thermal, np.zeros(thermal.shape, np.uint8), model="maximum", range="full")
    assert result.record["range"]["a"]["mode"] == "full"
    assert f"a uses only {LOW} to {HIGH} of its 16 bits: --range percentile would show more" in result.notes


def test_deep_second_source_keeps_its_full_range_and_is_told(thermal: NDArray[Any]) -> None:
    result = fuse(np.zeros(thermal.shape, np.uint8), thermal, model="average")
    assert result.record["range"]["b"]["mode"] == "full"
    assert f"b uses only {LOW} to {HIGH} of its 16 bits: --range-b percentile would show more" in result.notes


@pytest.mark.parametrize("a", [np.eye(40, dtype=np.uint8), np.eye(40, dtype=np.float32)])
def test_eight_bits_and_floats_keep_their_full_range(a: NDArray[Any]) -> None:
    assert fuse(a, a, model="average").record["range"]["a"]["mode"] == "full"


def test_deep_colour_is_no_thermal_picture_and_keeps_its_full_range(rng: np.random.Generator) -> None:
    colour = rng.integers(0, 65536, (8, 8, 3), np.uint16)
    result = fuse(colour, colour[..., 0], model="average")
    assert result.record["range"]["a"]["mode"] == "full"


def test_narrow_deep_source_with_a_window_is_not_told(thermal: NDArray[Any]) -> None:
    visible = np.arange(thermal.size).reshape(thermal.shape).astype(np.uint8)
    assert fuse(thermal, visible, model="average", range="minmax").notes == ()


@pytest.mark.parametrize("value", [np.uint8(0), np.uint16(30000), np.float32(0.5)])
def test_source_that_shows_nothing_is_told(value: np.generic) -> None:
    busy = np.arange(42, dtype=np.uint8).reshape(6, 7)
    [note] = fuse(busy, np.full((6, 7), value), model="average", bit_depth="8").notes
    assert note == f"b shows nothing, all its values are {value:g}: check the file or its sensor"


@pytest.mark.parametrize("spec", ["minmax", "percentile"])
def test_constant_picture_is_black_and_not_an_error(spec: str) -> None:
    flat = np.full((6, 7), 30000, np.uint16)
    busy = np.arange(42, dtype=np.uint16).reshape(6, 7) * 1000
    np.testing.assert_array_equal(fuse(flat, busy, model="maximum", range=spec).image, busy)


def test_nan_is_refused_with_count_and_place() -> None:
    picture = np.full((4, 5), 0.5, np.float32)
    picture[2, 3] = np.nan
    with pytest.raises(InputError, match=r"b holds 1 .*NaN.*2.*3"):
        fuse(np.zeros((4, 5), np.float32), picture, model="average")
