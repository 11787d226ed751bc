"""From the counts of a thermal sensor to temperatures, by the calibration that its maker writes into the file."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError, UsageError
from polyfuse.transforms import parse_range

KELVIN = 273.15
"""0 degrees Celsius."""
_DEGREES = r"([-+]?[0-9]+(?:\.[0-9]*)?)(?:°?([CFK]))?"
COUNTS = 1 << 16
"""Levels of a raw plane."""
_BOUNDS = {
    "emissivity": (0.01, 1.0),
    "distance": (0.0, 1e4),
    "reflected": (50.0, 3000.0),
    "air": (150.0, 400.0),
    "window": (50.0, 3000.0),
    "window_transmission": (0.01, 1.0),
    "humidity": (0.0, 1.0),
    "r1": (1.0, 1e8),
    "b": (100.0, 1e5),
    "f": (-10.0, 100.0),
    "r2": (1e-6, 100.0),
    "o": (-1e6, 1e6),
}
"""What constants may be; beyond these a file is damaged."""
_COLDEST = 100.0
"""K below which no scene is, so that a range there was meant in degrees."""
_LARGEST = 700.0
"""Exponent up to which floats reach."""
_FEWEST = 0.5
"""Share of the levels that a picture uses which must have a temperature."""


def parse_degrees(text: str) -> tuple[float, float] | None:
    """Two temperatures as `--range` takes them, in K: 10C,40C, or with K or F; None if the text names no degrees.

    >>> parse_degrees("0C,40C"), parse_degrees("10,40")
    ((273.15, 313.15), None)

    Raises:
        UsageError: If they make no window, or only one has a unit.
    """
    match = re.fullmatch(rf"{_DEGREES},{_DEGREES}", text.replace(" ", ""), re.IGNORECASE)
    if match is None or (match[2] is None and match[4] is None):
        return None
    if match[2] is None or match[4] is None:
        unit = match[2] or match[4]
        raise UsageError(f"range {text} has one unit for two temperatures: write {match[1]}{unit},{match[3]}{unit}")
    low, high = (_kelvin(float(match[at]), match[at + 1].upper()) for at in (1, 3))
    if not 0 <= low < high:
        raise UsageError(f"range {text} is empty: the first temperature must be the lower one")
    return low, high


def levels_of(text: str, unit: float | None, name: str) -> str:
    """A range as `--range` takes it, degrees in levels of a thermal plane.

    Args:
        text: Of temperatures or anything else; that comes back as it is.
        unit: Kelvin of one level; None if levels are counts.
        name: What messages call the file.

    Raises:
        UsageError: If the temperatures make no window.
        InputError: If the levels are counts, or plain numbers would be levels near absolute zero.
    """
    degrees = parse_degrees(text)
    if degrees is not None and unit is None:
        raise InputError(f"{name} holds raw counts and no temperatures: give --range in counts.")
    if degrees is not None and unit is not None:
        return ",".join(f"{kelvin / unit:.6g}" for kelvin in degrees)
    spec = parse_range(text)
    if unit is not None and spec.mode == "window" and spec.high * unit < _COLDEST:
        raise InputError(
            f"{name} holds temperatures, {unit:g} K a level, so --range {text} is near absolute zero: name a unit, "
            f"as {spec.low:g}C,{spec.high:g}C"
        )
    return text


def _kelvin(degrees: float, unit: str) -> float:
    """A temperature in K, from degrees Celsius, Fahrenheit or K."""
    if unit == "F":
        degrees, unit = (degrees - 32) / 1.8, "C"
    return degrees + KELVIN if unit == "C" else degrees


@dataclass(frozen=True)
class Calibration:
    """Planck constants of a camera, and what it was told of the object and the air.

    Raises:
        InputError: If a number is absurd.
    """

    r1: float
    b: float
    """K."""
    f: float
    o: float
    r2: float
    emissivity: float = 0.95
    """Of the object, above 0 to 1."""
    distance: float = 1.0
    """To the object, m."""
    reflected: float = 293.15
    """Temperature of what the object reflects, K."""
    air: float = 293.15
    """Temperature of the air, K."""
    humidity: float = 0.5
    """Relative, 0 to 1."""
    window: float = 293.15
    """Temperature of a window before the camera, K."""
    window_transmission: float = 1.0
    """Of that window; 1 for none."""
    alpha1: float = 0.006569
    """How the air absorbs; FLIR's usual values where a file has none."""
    alpha2: float = 0.01262
    beta1: float = -0.002276
    beta2: float = -0.00667
    x: float = 1.9

    def __post_init__(self) -> None:
        """Refuse constants that no camera has."""
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = _BOUNDS.get(field.name, (-1e3, 1e3))
            if not low <= value <= high:
                raise InputError(f"its thermal data say {field.name} = {value:g}, which is absurd: get the file again")

    def to_json(self) -> dict[str, float]:
        """Plain dictionary for the sidecar."""
        return asdict(self)

    def changed(self, **changes: Any) -> Calibration:
        """A copy with other facts of object and air."""
        return replace(self, **changes)

    @property
    def transmission(self) -> float:
        """Share of the radiation that the air between object and camera lets through."""
        celsius = self.air - KELVIN
        water = self.humidity * math.exp(1.5587 + 0.06939 * celsius - 0.00027816 * celsius**2 + 6.8455e-7 * celsius**3)
        first, second = (
            math.exp(min(-math.sqrt(self.distance) * (alpha + beta * math.sqrt(water)), _LARGEST))
            for alpha, beta in ((self.alpha1, self.beta1), (self.alpha2, self.beta2))
        )
        share = self.x * first + (1 - self.x) * second
        if not 0.01 <= share <= 1.05:
            raise InputError(f"its thermal data let the air pass {share:g} of the heat, which is absurd: get it again")
        return min(share, 1.0)

    def signal(self, kelvin: float) -> float:
        """Counts of a black body at a temperature, K."""
        below = math.exp(min(self.b / kelvin, _LARGEST)) - self.f
        if below <= 0:
            raise InputError(f"its thermal data know no signal at {kelvin:g} K, which is absurd: get the file again")
        return self.r1 / (self.r2 * below) - self.o

    def table(self) -> NDArray[np.float32]:
        """Temperature of every count, (65536,), K; NaN where none belongs to it.

        What the camera sees is the object's radiation, what the object reflects, and the air's:
        counts = e t S(object) + (1 - e) t S(reflected) + (1 - t) S(air), with a window before it the same once more.

        Source: the measurement formula of FLIR's manuals, and S by the constants that ExifTool documents.
        """
        counts = np.arange(COUNTS, dtype=np.float64)
        through, passed = self.window_transmission, self.transmission
        seen = (counts - (1 - through) * self.signal(self.window)) / through
        seen = (seen - (1 - passed) * self.signal(self.air)) / passed
        seen = (seen - (1 - self.emissivity) * self.signal(self.reflected)) / self.emissivity
        with np.errstate(divide="ignore", invalid="ignore"):
            kelvin = self.b / np.log(self.r1 / (self.r2 * (seen + self.o)) + self.f)
        kelvin[~np.isfinite(kelvin) | (seen + self.o <= 0) | (kelvin <= 0)] = np.nan
        return kelvin.astype(np.float32)

    def temperature(self, raw: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Temperature of each pixel, K; those below what the calibration knows get the coldest that it does.

        Args:
            raw: (H, W) counts.

        Raises:
            InputError: If most of them have none.
        """
        table = self.table()
        known = np.flatnonzero(np.isfinite(table))
        values = table[raw]
        if len(known) == 0 or np.isfinite(values).mean() < _FEWEST:
            raise InputError("its thermal data and its constants do not fit together: get the file again")
        return np.where(np.isfinite(values), values, table[known[0]]).astype(np.float32)
