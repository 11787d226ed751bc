"""Counts become temperatures as FLIR's formula says: inverted exactly, monotone, and as real cameras display them."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.errors import InputError, UsageError
from polyfuse.io import read_picture
from polyfuse.radiometric import Calibration, read_thermal
from polyfuse.radiometric.temperature import KELVIN, levels_of, parse_degrees

PLANCK = {"r1": 17000.0, "b": 1430.0, "f": 1.0, "o": -3000.0, "r2": 0.0125}


@given(
    st.floats(0.3, 1), st.floats(0, 50), st.floats(0.5, 1), st.floats(260, 310), st.floats(0, 1), st.floats(280, 400)
)
def test_temperature_is_that_whose_radiation_was_counted(
    emissivity: float, distance: float, window: float, air: float, humidity: float, kelvin: float
) -> None:
    told = Calibration(
        **PLANCK, emissivity=emissivity, distance=distance, window_transmission=window, air=air, humidity=humidity
    )
    passed = told.transmission
    seen = emissivity * told.signal(kelvin) + (1 - emissivity) * told.signal(told.reflected)
    seen = passed * seen + (1 - passed) * told.signal(air)
    counts = window * seen + (1 - window) * told.signal(told.window)
    if not 1 < counts < 65534:
        return
    low, high = told.table()[[math.floor(counts), math.ceil(counts)]]
    # One part in 1e6 is float32.
    assert low * (1 - 1e-6) <= kelvin <= high * (1 + 1e-6)


def test_black_body_close_by_has_plancks_temperature() -> None:
    told = Calibration(**PLANCK, emissivity=1.0, distance=0.0)
    counts = np.array([[round(told.signal(300.0))]], np.uint16)
    assert told.temperature(counts)[0, 0] == pytest.approx(300, abs=0.01)


def test_more_counts_are_never_colder() -> None:
    table = Calibration(**PLANCK).table()
    known = np.isfinite(table)
    assert (np.diff(table[known]) >= 0).all()
    assert known[5000:].all()


@pytest.mark.parametrize(
    ("text", "kelvin"),
    [
        ("10C,40C", (283.15, 313.15)),
        ("-10.5c, 0C", (262.65, 273.15)),
        ("32F,212F", (273.15, 373.15)),
        ("280K,290K", (280, 290)),
    ],
)
def test_degrees_are_read(text: str, kelvin: tuple[float, float]) -> None:
    assert parse_degrees(text) == pytest.approx(kelvin)


def test_degrees_that_make_no_window_are_refused() -> None:
    assert parse_degrees("10,40") is None
    with pytest.raises(UsageError, match="the lower one"):
        parse_degrees("40C,10C")


@pytest.mark.parametrize("text", ["10C,40", "10,40C"])
def test_a_unit_for_one_of_two_degrees_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write 10C,40C"):
        parse_degrees(text)


def test_degrees_become_levels_and_plain_numbers_near_absolute_zero_are_refused() -> None:
    assert levels_of("10C,40C", 0.01, "x") == "28315,31315"
    assert levels_of("28315,31315", 0.01, "x") == "28315,31315"
    assert levels_of("10,40", None, "x") == "10,40"  # counts
    assert levels_of("percentile:1,99", 0.01, "x") == "percentile:1,99"
    with pytest.raises(InputError, match="near absolute zero: name a unit, as 10C,40C"):
        levels_of("10,40", 0.01, "x")
    with pytest.raises(InputError, match="no temperatures"):
        levels_of("10C,40C", None, "x")


def test_changed_facts_of_the_object_are_checked() -> None:
    told = Calibration(**PLANCK)
    assert told.changed(emissivity=0.5).emissivity == 0.5
    with pytest.raises(InputError, match="absurd"):
        told.changed(emissivity=1.5)


FILES = ["FLIR_T640", "FLIR", "FLIR_B60", "FLIR_AX8", "FLIR_E40", "IR_2412"]


@pytest.mark.parametrize("name", [*FILES, "DJI_XT2", "DJI_XTR"])
def test_raw_plane_is_that_which_others_exported(shared_dir: Path, name: str) -> None:
    folder = shared_dir / "data" / "radiometric"
    if not folder.is_dir():
        pytest.skip("the reference folder has no radiometric files")
    (reference,) = (folder / "raw").glob(f"{name}_raw.*")
    expected = read_picture(reference).array
    if reference.suffix == ".png":
        expected = expected.byteswap()
    file = read_thermal(folder / ("dji" if name.startswith("DJI") else "flir") / f"{name}.jpg")
    assert (file.raw == expected).all()


@pytest.mark.parametrize(
    ("name", "rows", "columns", "measure", "displayed"),
    [
        ("FLIR_AX8", (0, 60), (0, 80), "max", 25.5),
        ("FLIR_AX8", (0, 60), (0, 80), "min", 24.3),
        ("FLIR_E40", (60, 61), (80, 81), "max", 20.9),
        ("FLIR_B60", (90, 91), (90, 91), "max", (19.0 - 32) / 1.8),
        ("IR_2412", (157, 323), (210, 428), "mean", 28.1),
    ],
)
def test_temperatures_are_those_that_the_camera_displays(
    shared_dir: Path, name: str, rows: tuple[int, int], columns: tuple[int, int], measure: str, displayed: float
) -> None:
    """Within 0.1 K; the displays, read off the rendered pictures, are rounded to 0.1 C or 0.1 F."""
    path = shared_dir / "data" / "radiometric" / "flir" / f"{name}.jpg"
    if not path.is_file():
        pytest.skip("the reference folder has no radiometric files")
    kelvin = read_thermal(path).kelvin
    assert kelvin is not None
    part = kelvin[slice(*rows), slice(*columns)].astype(np.float64)
    assert getattr(np, measure)(part) - KELVIN == pytest.approx(displayed, abs=0.1)
