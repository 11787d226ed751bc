"""Where the slices of a DICOM series lie: sorted by position, gaps and mixtures named, and the affine they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError
from polyfuse.io.source import counted
from polyfuse.volumes.volume import Affine

Written = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Image Position, Image Orientation and Pixel Spacing of a slice as text, which can be written again to the digit."""

TURNED = 1e-3
"""Difference of a direction's cosines from which two slices count as turned against one another."""
UNEVEN = 0.01
"""Share of the spacing by which slices may miss their even places; headers hold them with few digits."""
GAP = 1.5
"""Times the usual spacing from which slices are missing, where it is no more than uneven below."""
SAME = 1e-3
"""Millimetres below which two slices lie in one place."""
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From DICOM's millimetres (left, posterior, superior) to RAS+."""


@dataclass(frozen=True)
class Place:
    """Where one slice lies, and which one it is in its file."""

    file: int
    """Number of the file in the series."""
    frame: int
    """Number of the frame in the file, from 0."""
    position: NDArray[np.float64]
    """Centre of its first pixel in DICOM's millimetres, (3,)."""
    directions: NDArray[np.float64]
    """Along a row and down a column, (2, 3) of unit length."""
    spacing: tuple[float, float]
    """Millimetres from one row to the next, and from one column to the next."""
    order: float
    """What sorts slices of one place: time or number."""
    written: Written = ((), (), ())
    """Position, directions and spacing as the file has them."""


@dataclass(frozen=True)
class Stack:
    """Slices in the order of their places."""

    places: tuple[Place, ...]
    """From k = 0 on."""
    affine: Affine
    """(4, 4), from (column, row, slice) to RAS+ millimetres."""
    notes: tuple[str, ...] = ()
    """What had to be assumed."""


def stacked(places: Sequence[Place], thickness: float | None, frame: int | None, name: str) -> Stack:
    """Sort slices by where they lie along their normal.

    Args:
        places: Of all slices, in any order.
        thickness: Spacing of a single slice, millimetres; None if the file does not say.
        frame: Which one is meant where several lie in each place, as of a series over time; from 0.
        name: What error messages call the series.

    Raises:
        InputError: If slices are turned against one another, missing, or several in one place without `frame`.
    """
    first = places[0]
    turned = [place for place in places if np.abs(place.directions - first.directions).max() > TURNED]
    if turned:
        raise InputError(
            f"{name} mixes orientations, {counted(len(turned), 'slice')} of {len(places)} against the others: "
            "give one stack, without a localiser."
        )
    if any(not np.allclose(place.spacing, first.spacing, rtol=1e-3) for place in places):
        raise InputError(f"{name} mixes pixel spacings: give one stack.")
    normal = np.cross(first.directions[0], first.directions[1])
    by_depth = sorted(places, key=lambda place: (float(place.position @ normal), place.order))
    groups: list[list[Place]] = []
    for place in by_depth:
        if groups and abs(float((place.position - groups[-1][0].position) @ normal)) < SAME:
            groups[-1].append(place)
        else:
            groups.append([place])
    chosen = _chosen([sorted(group, key=lambda place: place.order) for group in groups], frame, name)
    notes: list[str] = []
    if len(chosen) == 1:
        step = normal * (thickness or 1.0)
        if thickness is None:
            notes.append("a single slice without a thickness: 1 mm is assumed")
    else:
        _check_even(np.array([float(place.position @ normal) for place in chosen]), name)
        step = (chosen[-1].position - chosen[0].position) / (len(chosen) - 1)
    matrix = np.eye(4)
    matrix[:3, 0] = first.directions[0] * first.spacing[1]
    matrix[:3, 1] = first.directions[1] * first.spacing[0]
    matrix[:3, 2] = step
    matrix[:3, 3] = chosen[0].position
    return Stack(tuple(chosen), RAS @ matrix, tuple(notes))


def _chosen(groups: list[list[Place]], frame: int | None, name: str) -> list[Place]:
    """One slice of each place."""
    numbers = {len(group) for group in groups}
    if numbers == {1}:
        return [group[0] for group in groups]
    if len(numbers) > 1:
        raise InputError(
            f"{name} holds {min(numbers)} to {max(numbers)} slices in one place: some are missing or there twice, give "
            "one complete stack."
        )
    (number,) = numbers
    if frame is None or frame >= number:
        raise InputError(f"{name} holds {number} volumes (4-D): name one with --volume 0 to {number - 1}.")
    return [group[frame] for group in groups]


def _check_even(depths: NDArray[np.float64], name: str) -> None:
    """Refuse stacks with slices missing, or too uneven to be one grid.

    Raises:
        InputError: Naming the place.
    """
    steps = np.diff(depths)
    usual = float(np.median(steps))
    if steps.max() > GAP * usual:
        index = int(steps.argmax())
        raise InputError(
            f"{name} has a gap of {steps[index]:.4g} mm behind slice {index + 1} (at {depths[index]:.4g} mm), others "
            f"lie {usual:.4g} mm apart: slices are missing, get the whole series."
        )
    even = np.linspace(depths[0], depths[-1], len(depths))
    off = float(np.abs(depths - even).max())
    if off > max(UNEVEN * usual * len(depths) ** 0.5, 0.02):
        raise InputError(
            f"{name} has slices {steps.min():.4g} to {steps.max():.4g} mm apart: resample it to even slices first."
        )


def places_of(data: Any, file: int, name: str) -> list[Place]:
    """The slices of one file: its own place, or those of its frames.

    Args:
        data: Data set of the file.
        file: Its number in the series.
        name: What error messages call the series.

    Raises:
        InputError: If the file does not say where it lies.
    """
    frames = int(data.get("NumberOfFrames", 1) or 1)
    try:
        if "PerFrameFunctionalGroupsSequence" in data:
            return [_enhanced(data, file, frame) for frame in range(frames)]
        if frames > 1:
            return _nuclear(data, file, frames)
        return [_place(data, data, data, file, 0, _order_of(data))]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{name} does not say where its slices lie (position, orientation or pixel spacing is missing): only "
            "images with a place in the patient make a volume."
        ) from error


def _enhanced(data: Any, file: int, frame: int) -> Place:
    """A frame of an enhanced object: what all share stands once, the rest with each frame."""
    own = data.PerFrameFunctionalGroupsSequence[frame]
    shared = data.SharedFunctionalGroupsSequence[0] if data.get("SharedFunctionalGroupsSequence") else own

    def group(name: str) -> Any:
        return (own if name in own else shared)[name][0]

    order = float(frame)
    if "FrameContentSequence" in own:
        order = float(own.FrameContentSequence[0].get("TemporalPositionIndex", frame) or frame)
    return _place(
        group("PlanePositionSequence"),
        group("PlaneOrientationSequence"),
        group("PixelMeasuresSequence"),
        file,
        frame,
        order,
    )


def _nuclear(data: Any, file: int, frames: int) -> list[Place]:
    """The frames of a reconstructed NM object: the place of the first, and the spacing."""
    where = data.DetectorInformationSequence[0] if "DetectorInformationSequence" in data else data
    first = _place(where, where, data, file, 0, 0.0)
    step = np.cross(first.directions[0], first.directions[1]) * float(data.SpacingBetweenSlices)
    return [
        Place(file, frame, first.position + frame * step, first.directions, first.spacing, float(frame))
        for frame in range(frames)
    ]


def _place(position: Any, orientation: Any, measures: Any, file: int, frame: int, order: float) -> Place:
    """A slice's place from the parts of a data set that hold it."""
    cosines = np.array([float(value) for value in orientation.ImageOrientationPatient]).reshape(2, 3)
    corner = np.array([float(value) for value in position.ImagePositionPatient])
    rows, columns = (float(value) for value in measures.PixelSpacing)
    lengths = np.linalg.norm(cosines, axis=1)
    numbers = np.concatenate([cosines.ravel(), corner, [rows, columns]])
    if corner.shape != (3,) or not np.isfinite(numbers).all() or not lengths.all() or rows <= 0 or columns <= 0:
        raise ValueError
    tags = (position.ImagePositionPatient, orientation.ImageOrientationPatient, measures.PixelSpacing)
    place, directions, spacing = (tuple(str(value) for value in tag) for tag in tags)
    written = (place, directions, spacing)
    return Place(file, frame, corner, cosines / lengths[:, None], (rows, columns), order, written)


def _order_of(data: Any) -> float:
    """What sorts slices of one place: time point, time of acquisition, number."""
    for tag in ("TemporalPositionIdentifier", "AcquisitionTime", "InstanceNumber"):
        try:
            return float(data[tag].value)
        except (KeyError, TypeError, ValueError):
            continue
    return 0.0
