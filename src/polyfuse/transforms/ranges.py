"""The range of a picture: from the file's unit to [0, 1] and exactly back.

A 16-bit thermal picture often fills a small window of its type. The window is chosen once (`RangeSpec`), measured once
for a picture, a clip or a volume (`RangeRecord`, which goes into the sidecar) and then applied to any part of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from polyfuse.errors import InputError, UsageError
from polyfuse.transforms.statistics import Histogram, Sample, check_finite, extremes

RangeMode = Literal["auto", "full", "minmax", "percentile", "window"]
DEFAULT_PERCENTILES = (0.5, 99.5)
_TYPES = ("uint8", "uint16", "float32")
_CHUNK_VALUES = 1 << 16
"""Values converted at a time: the float64 intermediate stays in cache and small."""


@dataclass(frozen=True)
class RangeSpec:
    """How to choose the window, as `--range` says it."""

    mode: RangeMode
    low: float = 0.0
    """Low percentile (percentile) or low value in the file's unit (window); unused otherwise."""
    high: float = 0.0
    """High percentile or value."""

    def __post_init__(self) -> None:
        """Refuse bounds that make no window."""
        if self.mode in ("percentile", "window") and not self.low < self.high:
            raise UsageError(f"range {self.low:g},{self.high:g} is empty: the first number must be the smaller one")
        if self.mode == "percentile" and not (self.low >= 0 and self.high <= 100):
            raise UsageError(f"percentiles {self.low:g},{self.high:g} are out of range: give numbers from 0 to 100")
        if not np.isfinite([self.low, self.high]).all():
            raise UsageError(f"range {self.low:g},{self.high:g} is not finite: give two plain numbers")

    def __str__(self) -> str:
        """The text `parse_range` reads."""
        bounds = f"{self.low!r},{self.high!r}"
        return {"percentile": f"percentile:{bounds}", "window": bounds}.get(self.mode, self.mode)


BY_PERCENTILE = RangeSpec("percentile", *DEFAULT_PERCENTILES)


@dataclass(frozen=True)
class RangeRecord:
    """The window that was used, enough to invert it."""

    mode: str
    """The `RangeSpec` as text; what "auto" chose."""
    low: float
    """Value in the file's unit that becomes 0."""
    high: float
    """Value that becomes 1; equal to `low` for a constant picture, which becomes 0 everywhere."""
    dtype: str
    """Type of the pixels: "uint8", "uint16" or "float32"."""

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RangeRecord":
        """Read back what `to_json` gave.

        Raises:
            InputError: If a field is missing or makes no sense.
        """
        try:
            record = cls(str(data["mode"]), float(data["low"]), float(data["high"]), str(data["dtype"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the range record is damaged ({error}): it needs mode, low, high and dtype") from error
        if record.dtype not in _TYPES or not -np.inf < record.low <= record.high < np.inf:
            raise InputError(f"the range record {data} makes no sense: low must not exceed high")
        return record


def parse_range(text: str) -> RangeSpec:
    """Read the value of `--range`.

    Args:
        text: "auto", "full", "minmax", "percentile" (0.5 to 99.5), "percentile:LO,HI", or "LO,HI" in the file's unit.

    Raises:
        UsageError: If it is none of these.
    """
    if text == "auto":
        return RangeSpec("auto")
    if text in ("full", "minmax"):
        return RangeSpec("full" if text == "full" else "minmax")
    if text == "percentile":
        return BY_PERCENTILE
    is_percentile = text.startswith("percentile:")
    parts = text.removeprefix("percentile:").split(",")
    try:
        low, high = (float(part) for part in parts)
    except ValueError as error:
        raise UsageError(
            f"range {text!r} is unknown: use auto, full, minmax, percentile, percentile:LO,HI or LO,HI"
        ) from error
    return RangeSpec("percentile" if is_percentile else "window", low, high)


def measure_range(
    arrays: Iterable[NDArray[Any]] | NDArray[Any], spec: RangeSpec, *, name: str = "the picture"
) -> RangeRecord:
    """Choose one window for a picture, or for all frames of a clip or slices of a volume.

    auto: percentile for grey integers of more than 8 bits, of which a thermal camera uses a small part; else full.
    full: the type's whole range (integers), [0, 1] (floats). minmax: smallest and largest value. percentile: linear
    interpolation between order statistics as numpy has it; exact for integers however many there are, for floats exact
    up to 2**24 values and from every n-th value beyond. If both percentiles fall on one value, minmax is taken, so that
    a small bright spot on a flat ground is not lost. Memory does not grow with the number of arrays.

    Args:
        arrays: One array or several of one type, any shape; for "full" and "LO,HI" on integers only the first is read.
        spec: How to choose.
        name: What error messages call the input.

    Raises:
        InputError: If there is nothing to measure, types differ, a float is NaN or infinite, or "full" meets a float
            outside [0, 1].
    """
    frames = iter((arrays,) if isinstance(arrays, np.ndarray) else arrays)
    first = next(frames, None)
    if first is None or first.size == 0:
        raise InputError(f"{name} has no pixels to measure a range on: give at least 1x1")
    dtype = _type_of(first, name)
    if spec.mode == "auto":
        spec = BY_PERCENTILE if dtype == "uint16" and first.ndim == 2 else RangeSpec("full")
    low, high = _bounds(_chain(first, frames, dtype, name), spec, dtype, name)
    return RangeRecord(str(spec), low, high, dtype)


def _type_of(array: NDArray[Any], name: str) -> str:
    """The array's type, if it is one of a picture's."""
    if array.dtype.name not in _TYPES:
        raise InputError(f"{name} holds {array.dtype} values: convert to uint8, uint16 or float32")
    return array.dtype.name


def _chain(first: NDArray[Any], rest: Iterator[NDArray[Any]], dtype: str, name: str) -> Iterator[NDArray[Any]]:
    """All arrays, each checked for type and for NaN when its turn comes."""
    array: NDArray[Any] | None = first
    while array is not None:
        if array.dtype.name != dtype:
            raise InputError(f"{name} mixes {dtype} and {array.dtype} pixels: convert to one type")
        if dtype == "float32":
            check_finite(array, name)
        yield array
        array = next(rest, None)


def _bounds(arrays: Iterator[NDArray[Any]], spec: RangeSpec, dtype: str, name: str) -> tuple[float, float]:
    """Low and high in the file's unit."""
    if spec.mode == "window":
        return spec.low, spec.high
    if spec.mode == "full" and dtype != "float32":
        return 0.0, float(np.iinfo(dtype).max)
    if spec.mode == "percentile":
        counter = Sample() if dtype == "float32" else Histogram(dtype)
        for array in arrays:
            counter.add(array)
        low, high = counter.percentile(spec.low), counter.percentile(spec.high)
        return (low, high) if low < high else counter.extremes()
    low, high = extremes(arrays)
    if spec.mode == "full":
        if low < 0 or high > 1:
            raise InputError(
                f"{name} holds floats from {low:g} to {high:g}, outside 0 to 1: "
                "pass --range minmax or --range LO,HI (--range-b for b)"
            )
        return 0.0, 1.0
    return low, high


def to_unit(array: NDArray[Any], record: RangeRecord, *, name: str = "the picture") -> NDArray[np.float32]:
    """Map pixels to [0, 1]: (array - low) / (high - low), clipped. Pointwise, so any part of a picture will do.

    Args:
        array: Pixels of the record's type, any shape.
        record: From `measure_range`.
        name: What error messages call the input.

    Returns:
        float32 of the same shape in [0, 1]; all 0 where the record's window is empty (a constant picture).

    Raises:
        InputError: If the type is not the record's, or a float is NaN or infinite.
    """
    if array.dtype.name != record.dtype:
        raise InputError(f"{name} holds {array.dtype} pixels and its range record {record.dtype}: measure it again")
    if record.dtype == "float32":
        check_finite(array, name)
    unit = np.zeros(array.shape, np.float32)
    width = record.high - record.low
    if width == 0:
        return unit
    flat, out = np.ascontiguousarray(array).reshape(-1), unit.reshape(-1)
    if array.dtype.kind == "u" and (record.low, record.high) == (0, np.iinfo(array.dtype).max):
        np.divide(flat, np.float32(width), out=out, dtype=np.float32)  # for every level the same bits as below
        return unit
    # float64 in between: a narrow window far from zero would lose its steps in float32.
    for start in range(0, flat.size, _CHUNK_VALUES):
        part = flat[start : start + _CHUNK_VALUES].astype(np.float64)
        part -= record.low
        part /= width
        out[start : start + _CHUNK_VALUES] = np.clip(part, 0.0, 1.0, out=part)
    return unit


def from_unit(values: NDArray[Any], record: RangeRecord, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Map [0, 1] back to the file's unit: low + values * (high - low).

    Integers are rounded half to even and kept inside the type. For windows up to 2**23 levels wide it gives back every
    integer that `to_unit` took from inside the window.

    Args:
        values: Floats, any shape; clipped to [0, 1].
        record: From `measure_range`.
        dtype: uint8, uint16 or float32; the record's own type when None.

    Raises:
        InputError: If a value is NaN or infinite, or the type is none of these.
    """
    target = np.dtype(record.dtype if dtype is None else dtype)
    if target.name not in _TYPES:
        raise InputError(f"pixels cannot be {target}: use uint8, uint16 or float32")
    check_finite(values, "the fused picture")
    result = np.empty(values.shape, target)
    flat, out = np.ascontiguousarray(values).reshape(-1), result.reshape(-1)
    for start in range(0, flat.size, _CHUNK_VALUES):
        part = np.clip(flat[start : start + _CHUNK_VALUES].astype(np.float64), 0.0, 1.0)
        part *= record.high - record.low
        part += record.low
        if target.kind == "u":
            np.clip(np.rint(part, out=part), 0, np.iinfo(target).max, out=part)
        out[start : start + _CHUNK_VALUES] = part
    return result


def quantise(unit: NDArray[Any], depth: int) -> NDArray[Any]:
    """Give values in [0, 1] a bit depth over the type's full range, whatever unit the sources had.

    Args:
        unit: Floats, any shape; clipped to [0, 1].
        depth: 8, 16 (rounded half to even) or 32 (float32).

    Raises:
        UsageError: If the depth is another one.
        InputError: If a value is NaN or infinite.
    """
    dtype = {8: "uint8", 16: "uint16", 32: "float32"}.get(depth)
    if dtype is None:
        raise UsageError(f"bit depth {depth} is unknown: use 8, 16 or 32")
    high = 1.0 if depth == 32 else float(np.iinfo(dtype).max)
    return from_unit(unit, RangeRecord("full", 0.0, high, dtype))
