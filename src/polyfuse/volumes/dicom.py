"""Reading a DICOM series or an enhanced object: slices decoded once, values in the unit that the tags give."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError, InputError, PolyfuseError
from polyfuse.io.source import decoding, file_sha256, reason, shown
from polyfuse.volumes.dicom_files import Series, Slice, pydicom, quietly, series_at
from polyfuse.volumes.dicom_places import Place, Stack, places_of, stacked
from polyfuse.volumes.spool import FileVoxels, check_size, spool, write_spooled
from polyfuse.volumes.suv import Uptake, uptake_of
from polyfuse.volumes.volume import Origin, Volume

Scale = tuple[float, float]


def read_dicom(path: Path, frame: int | None = None) -> Volume:
    """Read the series of a folder, or the one that a file belongs to.

    Args:
        path: Folder or file.
        frame: Which volume, where several lie in one place, from 0.

    Raises:
        InputError: If there is no one series, or it makes no volume.
        DependencyError: If pydicom or a decoder is missing.
    """
    pydicom()
    with decoding(path, "DICOM"):
        return read_series(series_at(path), shown(path), frame)


def read_series(series: Series, name: str, frame: int | None = None) -> Volume:
    """Decode a series; values stay in memory, or in a temporary file where they are many.

    Args:
        series: Its files.
        name: What error messages call it.
        frame: Which volume, where several lie in one place.
    """
    data = series.slices[0].data
    sizes = {(int(part.data.Rows), int(part.data.Columns)) for part in series.slices}
    if len(sizes) > 1:
        listed = " and ".join(f"{columns}x{rows}" for rows, columns in sorted(sizes))
        raise InputError(f"{name} mixes slices of {listed} pixels: give one stack.")
    rows, columns = sizes.pop()
    check_size((columns, rows, sum(int(part.data.get("NumberOfFrames", 1) or 1) for part in series.slices)), name)
    places = [place for file, part in enumerate(series.slices) for place in places_of(part.data, file, name)]
    stack = stacked(places, _thickness(data), frame, name)
    uptake = _unit_of(series)
    content, colour, stored = _decoded(series, stack, name)
    scales, notes = _scales(series, stack, uptake, colour, stored, name)
    shape = (columns, rows, len(stack.places))
    voxels = FileVoxels(content, 0, np.uint8 if colour else stored, (*shape, 3) if colour else shape, scales, name)
    digests = "".join(file_sha256(part.path) for part in series.slices)
    used = [series.slices[place.file] for place in stack.places]
    origin = Origin(
        tuple(dict.fromkeys(part.path for part in used)),
        "DICOM",
        hashlib.sha256(digests.encode()).hexdigest() if len(series.slices) > 1 else digests,
        series.study or None,
        series.uid or None,
        tuple((str(part.data.get("SOPClassUID", "")), str(part.data.get("SOPInstanceUID", ""))) for part in used),
        tuple(place.frame for place in stack.places),
        str(data.get("FrameOfReferenceUID", "") or "") or None,
        tuple(place.written for place in stack.places) if all(all(place.written) for place in stack.places) else (),
        data,
    )
    unit = "colour" if colour else uptake.unit
    told = (*stack.notes, *uptake.notes, *notes)
    return Volume(voxels, stack.affine, series.modality, unit, name, origin, told, window=_window(series, uptake))


def _thickness(data: Any) -> float | None:
    """Millimetres that a single slice stands for."""
    for tag in ("SpacingBetweenSlices", "SliceThickness"):
        try:
            return abs(float(data[tag].value)) or None
        except (KeyError, TypeError, ValueError):
            continue
    return None


def _unit_of(series: Series) -> Uptake:
    """The unit of a series' values after rescaling."""
    data = series.slices[0].data
    if series.modality == "PT":
        return uptake_of(data, [_acquired(part.data) for part in series.slices])
    if series.modality == "CT":
        kind = str(data.get("RescaleType", "HU") or "HU").upper()
        return Uptake(1.0, "HU") if kind == "HU" else Uptake(1.0, "raw", (f"rescale type {kind}: not taken as HU",))
    if series.modality == "MR":
        return Uptake(1.0, "signal")
    return Uptake(1.0, "raw counts" if series.modality == "NM" else "raw")


def _acquired(data: Any) -> str:
    """When a slice was acquired; empty if it is not said."""
    date = str(data.get("AcquisitionDate", "") or data.get("SeriesDate", "") or "")
    time = str(data.get("AcquisitionTime", "") or "")
    return date + time if date and time else ""


def _decoded(series: Series, stack: Stack, name: str) -> tuple[IO[bytes], bool, np.dtype[Any]]:
    """The stored values of all slices in the order of the stack, whether they are colour, and their type."""
    content: IO[bytes] | None = None
    colour, stored = False, np.dtype(np.int16)
    for place, pixels in _frames(series, stack, name):
        if content is None:
            colour, stored = pixels.ndim == 3, pixels.dtype
            if colour and stored != np.uint8:
                raise InputError(f"{name} holds colour of {stored}: 8 bits are read.")
            content = spool(pixels.nbytes * len(stack.places))
        if pixels.dtype != stored or (pixels.ndim == 3) != colour:
            at = shown(series.slices[place.file].path)
            raise InputError(f"{at} holds {pixels.dtype} pixels and others of its series {stored}: give one stack.")
        write_spooled(content, np.ascontiguousarray(pixels).data)
    assert content is not None  # a stack has one slice at least
    return content, colour, stored


def _frames(series: Series, stack: Stack, name: str) -> Iterator[tuple[Place, NDArray[Any]]]:
    """Each slice's pixels, (rows, columns) or (rows, columns, 3), in the order of the stack."""
    for file, group in itertools.groupby(stack.places, key=lambda place: place.file):
        part, places = series.slices[file], list(group)
        for place, pixels in zip(places, _pixels(part, [place.frame for place in places]), strict=True):
            yield place, _checked(part, pixels)


def _checked(part: Slice, pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels of the size that their header says.

    Raises:
        InputError: If they have another one.
    """
    expected = (int(part.data.Rows), int(part.data.Columns))
    if pixels.shape[:2] != expected or pixels.ndim not in (2, 3):
        raise InputError(f"{shown(part.path)} holds {pixels.shape} pixels, its header says {expected}: get it again.")
    return pixels


def _pixels(part: Slice, frames: list[int]) -> Iterator[NDArray[Any]]:
    """The stored values of some frames of a file, which is opened once.

    Raises:
        InputError: If there are none, or they are damaged.
        DependencyError: If no decoder for them is installed; it is named.
    """
    from pydicom.pixels.utils import iter_pixels

    several = int(part.data.get("NumberOfFrames", 1) or 1) > 1
    try:
        decoded = iter_pixels(part.path, indices=frames if several else [0])
        for _ in frames:
            with quietly():
                pixels = next(decoded)
                if str(part.data.get("PhotometricInterpretation", "")) == "PALETTE COLOR":
                    pixels = _through_palette(part.path, pixels)
            yield pixels
    except PolyfuseError:
        raise
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise _problem(part.path, error) from error


def _through_palette(path: Path, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Indices of a palette as RGB of 8 bits."""
    from pydicom.pixels.processing import apply_color_lut

    with quietly():
        colours = apply_color_lut(pixels, pydicom().dcmread(path, stop_before_pixels=True))
    return (colours >> 8 if colours.dtype == np.uint16 else colours).astype(np.uint8)


def _problem(path: Path, error: Exception) -> PolyfuseError:
    """What is wrong with a file whose pixels cannot be had."""
    with quietly():
        whole = pydicom().dcmread(path, defer_size=1024)
    name = shown(path)
    if not any(word in whole for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        return InputError(f"{name} has no pixel data: it is cut off, or no image.")
    syntax = whole.file_meta.TransferSyntaxUID
    if syntax.is_private:
        return InputError(f"{name} has the private transfer syntax {syntax}: convert it with its maker's program.")
    missing = _missing_decoder(syntax)
    if missing:
        return DependencyError(f"{name} is packed as {syntax.name}, which needs {missing}.")
    return InputError(f"{name} cannot be decoded ({reason(error)}): the file is damaged, get it again.")


def _missing_decoder(syntax: Any) -> str | None:
    """What has to be installed for a transfer syntax; None if nothing."""
    from pydicom.pixels.decoders.base import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        return "a decoder that pydicom does not know: convert the file to another transfer syntax"
    if decoder.is_available:
        return None
    needed = " ".join(decoder.missing_dependencies)
    if any(word in needed for word in ("openjpeg", "rle")):
        return 'pylibjpeg: pip install "polyfuse[medical]"'
    return (
        "pylibjpeg-libjpeg, which is under the GPL and no extra of polyfuse: install that package, or unpack the file"
    )


def _scales(
    series: Series, stack: Stack, uptake: Uptake, colour: bool, stored: np.dtype[Any], name: str
) -> tuple[list[Scale], list[str]]:
    """Slope and intercept of each slice, unit included; MONOCHROME1 is turned round where it is no measure."""
    if colour:
        return [(1.0, 0.0)], []
    scales, notes = [], []
    for place in stack.places:
        slope, intercept = _rescale(series.slices[place.file].data, place.frame)
        scales.append((slope * uptake.factor, intercept * uptake.factor))
    if not np.isfinite(scales).all():
        raise InputError(f"{name} has a rescale slope or intercept that is not finite: get it again.")
    data = series.slices[0].data
    if str(data.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        if uptake.unit in ("HU", "SUVbw", "BQML"):
            notes.append("MONOCHROME1 concerns its display: values are kept")
        elif stored.kind in "iu":
            bits = int(data.get("BitsStored", stored.itemsize * 8))
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if stored.kind == "i" else (0, (1 << bits) - 1)
            scales = [(-slope, intercept + slope * (low + high)) for slope, intercept in scales]
            notes.append("MONOCHROME1: values are turned round, so that more is brighter")
    return scales, notes


def _rescale(data: Any, frame: int) -> Scale:
    """Rescale slope and intercept of a slice; 1 and 0 where there are none."""
    where = data
    if "PerFrameFunctionalGroupsSequence" in data:
        own = data.PerFrameFunctionalGroupsSequence[frame]
        shared = data.SharedFunctionalGroupsSequence[0] if data.get("SharedFunctionalGroupsSequence") else own
        tag = "PixelValueTransformationSequence"
        where = next((group[tag][0] for group in (own, shared) if tag in group), data)
    return float(where.get("RescaleSlope", 1) or 1), float(where.get("RescaleIntercept", 0) or 0)


def _window(series: Series, uptake: Uptake) -> tuple[float, float] | None:
    """The first display window of a series in its unit, where all files have the same; None if there is none.

    Source: DICOM PS3.3 C.11.2.1.2.1, the linear function.
    """
    found = set()
    for part in series.slices:
        try:
            centre, width = (part.data[tag].value for tag in ("WindowCenter", "WindowWidth"))
            centre, width = (value if isinstance(value, (int, float, str)) else value[0] for value in (centre, width))
            found.add((float(centre), float(width)))
        except (KeyError, TypeError, ValueError, IndexError):
            return None
    if len(found) != 1:
        return None
    centre, width = found.pop()
    if not width > 1:
        return None
    low = centre - 0.5 - (width - 1) / 2
    return low * uptake.factor, (low + width - 1) * uptake.factor
