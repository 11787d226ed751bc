"""A file of a thermal camera that holds more than a picture: raw counts, often temperatures and a visible picture."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment import Warp
from polyfuse.errors import InputError
from polyfuse.io import DEFAULT_MAX_PIXELS, Picture
from polyfuse.io.orientation import apply_orientation, exif_orientation
from polyfuse.io.picture import Stamp
from polyfuse.io.source import open_source, shown, sniff_format
from polyfuse.radiometric import blocks
from polyfuse.radiometric.exif import facts
from polyfuse.radiometric.flir import calibration, pip_warp, raw_plane, visible, without_border
from polyfuse.radiometric.temperature import KELVIN, Calibration

FINE, COARSE = 0.01, 0.1
"""Kelvin a level of the 16-bit picture of temperatures; coarse where the scene is hotter than 655 K."""


class NotRadiometricError(InputError):
    """A whole JPEG that holds a picture and nothing else."""


@dataclass(frozen=True, eq=False, repr=False)
class ThermalFile:
    """What a radiometric file holds, upright. `read_thermal` makes it."""

    path: Path
    """Where it was read from."""
    maker: str
    """"FLIR" or "DJI": whose layout the file has."""
    camera: dict[str, Any]
    """Maker, model, time, and whether there is a position, as far as the file says."""
    raw: NDArray[np.uint16]
    """(H, W) counts of the sensor."""
    calibration: Calibration | None
    """From counts to temperatures; None where the file does not say how."""
    visible: Picture | None
    """Picture of the second camera; None if there is none inside."""
    warp: Warp | None
    """How `raw` lies on `visible`, as the camera says; None if it does not."""
    exif: bytes
    """The file's EXIF block, empty if it has none."""
    sha256: str
    """Hex digest of the file."""
    stamp: Stamp
    """Size and time of the file."""
    notes: tuple[str, ...] = ()
    """What reading did."""

    def __repr__(self) -> str:
        """Size and what is inside, not the pixels."""
        height, width = self.raw.shape
        known = "temperatures" if self.calibration else "raw counts"
        return f"ThermalFile({width}x{height} {known}, visible: {self.visible!r})"

    @property
    def kelvin(self) -> NDArray[np.float32] | None:
        """Temperature of each pixel, (H, W), K; None where the file does not say how.

        Raises:
            InputError: If counts and constants do not fit together.
        """
        if self.calibration is None:
            return None
        try:
            return self.calibration.temperature(self.raw)
        except InputError as error:
            raise InputError(f"{shown(self.path)} cannot be used, {error}") from error

    def picture(self) -> tuple[Picture, float | None]:
        """The thermal plane as a 16-bit picture to fuse, and the kelvin of one level; None if its levels are counts.

        Raises:
            InputError: If counts and constants do not fit together.
        """
        kelvin = self.kelvin
        if kelvin is None:
            array, unit, note = self.raw, None, "raw counts, the file does not say which temperatures they are"
        else:
            unit = FINE if kelvin.max() < FINE * np.iinfo(np.uint16).max else COARSE
            array = np.clip(np.rint(kelvin.astype(np.float64) / unit), 0, np.iinfo(np.uint16).max).astype(np.uint16)
            note = f"temperatures, {unit:g} K a level"
        notes = (*self.notes, note)
        return Picture(np.ascontiguousarray(array), self.path, self.sha256, "JPEG", notes, self.stamp), unit

    def seen_part(self) -> tuple[Picture, Warp]:
        """The part of the visible picture that the thermal camera sees, and how `raw` lies on it.

        Raises:
            InputError: If there is no visible picture, or the camera does not say how the two lie on one another.
        """
        if self.visible is None:
            raise InputError(f"{shown(self.path)} holds no visible picture: give one as the second file.")
        if self.warp is None:
            raise InputError(f"{shown(self.path)} does not say how its two pictures lie on one another: pass --warp.")
        height, width = self.raw.shape
        corners = [[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5], [width - 0.5, height - 0.5]]
        there = self.warp.to_b(corners)
        size = np.array([self.visible.width, self.visible.height])
        left, top = (int(low) for low in np.clip(np.ceil(there.min(axis=0)), 0, size))
        right, bottom = (int(high) + 1 for high in np.clip(np.floor(there.max(axis=0)), -1, size - 1))
        if right - left < 1 or bottom - top < 1:
            raise InputError(f"{shown(self.path)} says that its two pictures show nothing in common: pass --warp.")
        visible = replace(self.visible, array=np.ascontiguousarray(self.visible.array[top:bottom, left:right]))
        if (visible.width, visible.height) != (self.visible.width, self.visible.height):
            note = f"cut to what the thermal camera sees, {visible.width}x{visible.height} from {left},{top}"
            visible = replace(visible, notes=(*visible.notes, note))
        shift = np.array([[1.0, 0, -left], [0, 1, -top], [0, 0, 1]])
        return visible, replace(self.warp, matrix=shift @ self.warp.matrix, size_b=(visible.width, visible.height))

    def record(self) -> dict[str, Any]:
        """What a sidecar says of the file: constants, unit, coldest and warmest, as plain JSON values."""
        kelvin = self.kelvin
        extremes = () if kelvin is None else (kelvin.min(), kelvin.max())
        return {
            "maker": self.maker,
            "camera": self.camera,
            "size": [int(side) for side in self.raw.shape[::-1]],
            "raw": [int(self.raw.min()), int(self.raw.max())],
            "unit": "counts" if kelvin is None else "degrees Celsius",
            "celsius": [round(float(value) - KELVIN, 3) for value in extremes] or None,
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "visible": None if self.visible is None else [self.visible.width, self.visible.height],
        }


def read_thermal(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ThermalFile:
    """Read a radiometric JPEG of FLIR's or DJI's.

    FLIR, and the DJI models with a FLIR sensor: counts, constants and so temperatures; most have a visible picture.
    Other DJI models: the raw counts alone, since how they become temperatures is not public.

    Args:
        path: The file.
        max_pixels: Largest width times height of what is inside.

    Raises:
        NotRadiometricError: If it has no radiometric part.
        InputError: If it is no JPEG, or its radiometric part is damaged.
    """
    with open_source(path) as file:
        stamp = Stamp.of(file.fileno())
        if sniff_format(file, path) != "JPEG":
            raise InputError(f"{shown(path)} is no JPEG of a thermal camera: give the camera's own file")
        found = blocks.read_blocks(file, path)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.flir and not found.dji:
        raise NotRadiometricError(
            f"{shown(path)} is a JPEG without a radiometric part: give the camera's own file, not one that was edited "
            "or exported"
        )
    orientation = exif_orientation(found.exif)
    camera = facts(found.exif)
    if not found.flir:
        width, height = blocks.plane_size(found.dji)
        raw = np.frombuffer(found.dji, "<u2").reshape(height, width).astype(np.uint16)
        raw = apply_orientation(raw, orientation)
        return ThermalFile(
            Path(path), "DJI", camera, raw, None, None, None, found.exif, digest, stamp, _turned(orientation)
        )
    return _from_flir(Path(path), found, camera, orientation, digest, stamp, max_pixels)


def is_radiometric(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a JPEG with a radiometric part, by its blocks alone."""
    try:
        with open_source(path) as file:
            if sniff_format(file, path) != "JPEG":
                return False
            found = blocks.read_blocks(file, path)
    except InputError:
        return False
    return bool(found.flir or found.dji)


def _from_flir(
    path: Path,
    found: blocks.Blocks,
    camera: dict[str, Any],
    orientation: int,
    digest: str,
    stamp: Stamp,
    max_pixels: int,
) -> ThermalFile:
    """What FLIR's file within the file holds."""
    records = blocks.flir_records(found.flir, path)
    if blocks.RAW not in records:
        raise InputError(f"{shown(path)} has FLIR's part without a raw plane: give the camera's own file")
    raw = raw_plane(records[blocks.RAW], path)
    if raw.size > max_pixels:
        raise InputError(f"{shown(path)} holds {raw.shape[1]}x{raw.shape[0]} counts, more than {max_pixels}: raise it")
    constants = calibration(records[blocks.CAMERA], path) if blocks.CAMERA in records else None
    if blocks.CAMERA in records:
        name = records[blocks.CAMERA].text(0xD4, 32)
        camera = {**camera, **({"model": name} if name.isprintable() and len(name.strip("*")) > 1 else {})}
    second, warp = None, None
    if blocks.EMBEDDED in records:
        stored = visible(records[blocks.EMBEDDED], path, max_pixels)
        second, cut = without_border(stored)
        raw_size, stored_size = (raw.shape[1], raw.shape[0]), (stored.width, stored.height)
        warp = pip_warp(records.get(blocks.PIP), raw_size, stored_size, cut, (second.width, second.height))
    if orientation != 1:
        if warp is not None and second is not None:
            warp = _turned_warp(warp, orientation)
        if second is not None:
            array = apply_orientation(second.array, orientation)
            second = Picture(array, None, second.sha256, second.format, (*second.notes, *_turned(orientation)))
        raw = apply_orientation(raw, orientation)
    if second is not None:
        second = Picture(second.array, path, digest, second.format, second.notes, stamp)
    maker = "DJI" if "dji" in str(camera.get("maker", "")).lower() else "FLIR"
    notes = _turned(orientation)
    return ThermalFile(path, maker, camera, raw, constants, second, warp, found.exif, digest, stamp, notes)


def _turned(orientation: int) -> tuple[str, ...]:
    """The note of planes that were turned upright."""
    return () if orientation == 1 else (f"EXIF orientation {orientation} applied",)


def _turned_warp(warp: Warp, orientation: int) -> Warp:
    """The same warp between pictures that were both turned upright."""
    swaps = orientation >= 5
    size_a, size_b = (size[::-1] if swaps else size for size in (warp.size_a, warp.size_b))
    there, back = (_turn(orientation, size) for size in (warp.size_b, warp.size_a))
    matrix = there @ warp.matrix @ np.linalg.inv(back)
    kind = "similarity" if orientation in (1, 3, 6, 8) else "affine"
    return Warp(matrix, size_a, size_b, kind, found=warp.found, details=warp.details)  # type: ignore[arg-type]


def _turn(orientation: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """Where `apply_orientation` puts the pixels of a stored picture, as a 3x3 matrix."""
    matrix = np.eye(3)
    width, height = size
    if orientation >= 5:
        matrix = matrix[[1, 0, 2]]
        width, height = height, width
    if orientation in (3, 4, 7, 8):
        matrix = np.array([[1.0, 0, 0], [0, -1, height - 1], [0, 0, 1]]) @ matrix
    if orientation in (2, 3, 6, 7):
        matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
    return matrix
