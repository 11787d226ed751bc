"""What a file holds, in words and numbers, and its planes as files of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment import write_warp
from polyfuse.errors import InputError
from polyfuse.io import DEFAULT_MAX_PIXELS, read_picture, write_picture
from polyfuse.io.atomic import check_free
from polyfuse.io.source import SUFFIXES as PICTURE_SUFFIXES
from polyfuse.io.source import shown
from polyfuse.io.write import write_measured
from polyfuse.radiometric.sequence import SUFFIXES, read_recording
from polyfuse.radiometric.temperature import KELVIN, Calibration
from polyfuse.radiometric.thermal import NotRadiometricError, ThermalFile, read_thermal
from polyfuse.transforms import measure_range, parse_range

WINDOW_FRAMES = 64
"""Frames of a recording, from its beginning, over which its window is measured."""


def contents(path: Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> dict[str, Any]:
    """What a picture, a radiometric file or a recording holds, as plain JSON values.

    `window` is a proposal: the percentiles 0.5 and 99.5 of counts or temperatures, of a recording over its frames.

    Raises:
        InputError: If it cannot be read.
    """
    if path.suffix.lower() in SUFFIXES:
        return _of_recording(path)
    told: dict[str, Any] = {"path": str(path), "kind": "picture"}
    try:
        picture = read_picture(path, max_pixels=max_pixels)
    except InputError as error:
        hidden = _thermal_behind(path, max_pixels)
        if hidden is None:
            raise
        return {**told, "kind": "radiometric", **_of_thermal(hidden), "notes": [f"of its own picture: {error}"]}
    told["picture"] = {
        "format": picture.format,
        "size": [picture.width, picture.height],
        "channels": 1 if picture.is_grey else 3,
        "dtype": picture.array.dtype.name,
        "values": [_plain(picture.array.min()), _plain(picture.array.max())],
        "notes": list(picture.notes),
    }
    if picture.array.dtype == np.uint16:
        told["picture"]["bits_used"] = int(picture.array.max()).bit_length()
    if picture.array.dtype != np.uint8 and picture.is_grey:
        told["window"] = _window([picture.array])
    if picture.format == "JPEG" and (file := _thermal_in(path, max_pixels)) is not None:
        return {**told, "kind": "radiometric", **_of_thermal(file)}
    return told


def _thermal_in(path: Path, max_pixels: int) -> ThermalFile | None:
    """The radiometric part of a JPEG; None if it has none. One that is damaged is an error."""
    try:
        return read_thermal(path, max_pixels=max_pixels)
    except NotRadiometricError:
        return None


def _thermal_behind(path: Path, max_pixels: int) -> ThermalFile | None:
    """The radiometric part of a file whose own picture cannot be read; None if that cannot either."""
    try:
        return read_thermal(path, max_pixels=max_pixels)
    except InputError:
        return None


def _of_thermal(file: ThermalFile) -> dict[str, Any]:
    """What a radiometric file has besides its picture."""
    from polyfuse.alignment.files import to_json

    kelvin = file.kelvin
    planes: list[NDArray[Any]] = [file.raw] if kelvin is None else [kelvin - np.float32(KELVIN)]
    warp = None if file.warp is None else to_json(file.warp)
    return {"thermal": file.record(), "window": _window(planes), "warp": warp}


def _of_recording(path: Path) -> dict[str, Any]:
    """What a recording holds."""
    planes: list[NDArray[Any]] = []
    number, size, unit = 0, [0, 0], "counts"
    calibration: Calibration | None = None
    notes: list[str] = []
    for frame in read_recording(path, notes):
        calibration = frame.calibration
        size, unit = [frame.raw.shape[1], frame.raw.shape[0]], "counts" if calibration is None else "degrees Celsius"
        if number < WINDOW_FRAMES:
            planes.append(_measured(frame.raw, calibration))
        number += 1
    if number == 0:
        raise InputError(f"{shown(path)} is empty: give a recording of a thermal camera")
    constants = None if calibration is None else calibration.to_json()
    return {
        "path": str(path),
        "kind": "recording",
        "thermal": {"frames": number, "size": size, "unit": unit, "calibration": constants},
        "window": _window(planes),
        "notes": notes,
    }


def _measured(raw: NDArray[np.uint16], calibration: Calibration | None) -> NDArray[Any]:
    """Degrees Celsius, or counts where there are none."""
    return raw if calibration is None else calibration.temperature(raw) - np.float32(KELVIN)


def _window(planes: list[NDArray[Any]]) -> list[float]:
    """The percentiles that `--range percentile` takes."""
    record = measure_range(planes, parse_range("percentile"))
    if planes[0].dtype.kind == "u":
        return [math.floor(record.low), math.ceil(record.high)]
    return [round(record.low, 3), round(record.high, 3)]


def _plain(value: Any) -> float | int:
    """A number for JSON."""
    return int(value) if np.issubdtype(type(value), np.integer) else float(value)


def export(
    path: Path, folder: Path, *, max_pixels: int = DEFAULT_MAX_PIXELS, overwrite: bool = False
) -> Iterator[Path]:
    """Write what a radiometric file or a recording holds into a folder, yielding each path once it is written.

    raw.tif has the counts, celsius.tif the temperatures as 32-bit floats, visible.png the picture of the second camera
    and warp.json how the one lies on the other. Of a recording each frame has a number before that.

    Raises:
        InputError: If it is neither.
        OutputError: If a file exists or cannot be written.
    """
    if path.suffix.lower() in SUFFIXES:
        for number, frame in enumerate(read_recording(path, [])):
            yield write_picture(folder / f"{number:06d}_raw.tif", frame.raw, overwrite=overwrite)
            if frame.calibration is not None:
                plane = _measured(frame.raw, frame.calibration)
                yield write_measured(folder / f"{number:06d}_celsius.tif", plane, overwrite=overwrite)
        return
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise InputError(f"{shown(path)} is no JPEG of a thermal camera and no recording: give one of them")
    file = read_thermal(path, max_pixels=max_pixels)
    kelvin = file.kelvin
    names = ["raw.tif", *(["celsius.tif"] * (kelvin is not None)), *(["visible.png"] * (file.visible is not None))]
    for name in (*names, "warp.json"):
        check_free(folder / name, overwrite=overwrite)
    yield write_picture(folder / "raw.tif", file.raw, overwrite=overwrite)
    if kelvin is not None:
        yield write_measured(folder / "celsius.tif", kelvin - np.float32(KELVIN), overwrite=overwrite)
    if file.visible is not None:
        yield write_picture(folder / "visible.png", file.visible.array, overwrite=overwrite)
    if file.warp is not None:
        yield write_warp(folder / "warp.json", file.warp, overwrite=overwrite)
