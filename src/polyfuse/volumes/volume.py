"""A volume as it lies in a file: voxels in the file's unit, and where in the body they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError

Affine = NDArray[np.float64]
Window = tuple[slice, slice, slice]
SINGULAR = 1e-9
"""Volume of a voxel over the product of its sides, below which an affine counts as singular."""


class Voxels(Protocol):
    """An array, or what reads one piece by piece: (I, J, K) or (I, J, K, 3)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along i, j and k, and 3 for colour."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""

    def __getitem__(self, window: Any, /) -> Any:
        """The voxels of a `Window`, as an array."""


@dataclass(frozen=True)
class Origin:
    """Where a volume was read from."""

    paths: tuple[Path, ...] = ()
    """Its files; those of a DICOM series in the order of their positions."""
    format: str = "array"
    """"NIfTI-1", "NIfTI-2" or "DICOM"."""
    sha256: str | None = None
    """Hex digest of the file; of a series, of its files' digests one after the other."""
    study: str | None = None
    """Study Instance UID."""
    series: str | None = None
    """Series Instance UID."""
    instances: tuple[tuple[str, str], ...] = ()
    """SOP Class and SOP Instance UIDs of the files, in the order of `paths`."""
    frames: tuple[int, ...] = ()
    """Number of each slice's frame in its file, from 0, beside `instances`."""
    frame_of_reference: str | None = None
    """Frame of Reference UID: volumes that share it share their millimetres."""
    places: tuple[tuple[tuple[str, ...], ...], ...] = ()
    """Of DICOM: position, directions and pixel spacing of each slice, as the files have them."""
    header: Any = field(default=None, repr=False)
    """NIfTI header, or the data set of a series' first file without its pixels."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for the sidecar; files of a series are named by their folder and number."""
        facts = {
            "path": str(self.paths[0]) if len(self.paths) == 1 else None,
            "folder": str(self.paths[0].parent) if len(self.paths) > 1 else None,
            "files": len(self.paths),
            "format": self.format,
            "sha256": self.sha256,
            "study": self.study,
            "series": self.series,
            "frame_of_reference": self.frame_of_reference,
        }
        return {name: value for name, value in facts.items() if value is not None}


@dataclass(frozen=True, eq=False, repr=False)
class Volume:
    """Voxels with their place in the body.

    Raises:
        InputError: If the array is no volume, or the affine is singular or not finite.
    """

    array: Voxels
    """(I, J, K), or (I, J, K, 3) RGB of 8 bits; read piece by piece where a file is large."""
    affine: Affine
    """(4, 4): from the centre of voxel (i, j, k) to RAS+ millimetres."""
    modality: str = ""
    """As DICOM names it: "CT", "MR", "PT", "NM"; empty if not known."""
    unit: str = "raw"
    """Of the voxels: "HU", "SUVbw", "BQML", "signal", "raw counts" or "raw"."""
    name: str = "the volume"
    """What error messages call it."""
    origin: Origin = field(default_factory=Origin)
    """Where it was read from."""
    notes: tuple[str, ...] = ()
    """What reading did, one line each."""
    window: tuple[float, float] | None = None
    """Values that its file proposes to show as black and white, in the unit; None if it proposes none."""
    coverage: Voxels | None = None
    """How much each voxel counts, (I, J, K) float32 in [0, 1], where resampling left parts without; None: all do."""

    def __post_init__(self) -> None:
        """Refuse what is no volume, so that no caller has to check again."""
        shape = self.array.shape
        if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3) or 0 in shape:
            raise InputError(f"{self.name} has shape {shape}: a volume has three sides, and a fourth of 3 for colour")
        object.__setattr__(self, "affine", checked_affine(self.affine, self.name))

    def __repr__(self) -> str:
        """Size, spacing, unit and name, not the voxels."""
        spacing = "x".join(f"{side:.4g}" for side in self.spacing)
        return (
            f"Volume({'x'.join(map(str, self.shape))}, {spacing} mm, {self.modality or '?'} {self.unit}, {self.name!r})"
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j and k."""
        i, j, k = self.array.shape[:3]
        return int(i), int(j), int(k)

    @property
    def is_colour(self) -> bool:
        """Whether voxels are red, green and blue."""
        return len(self.array.shape) == 4

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres from one voxel to the next along i, j and k."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def thickest_axis(self) -> int:
        """The axis with the largest spacing, across which slices lie; k where none stands out."""
        spacing = np.array(self.spacing)
        return 2 if spacing[2] >= spacing.max() * (1 - 1e-3) else int(spacing.argmax())

    @cached_property
    def world_bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smallest and the largest RAS+ millimetres, (3,) each, of the box around all voxels, edges included."""
        ends = [(-0.5, side - 0.5) for side in self.shape]
        corners = np.array([[*corner, 1.0] for corner in itertools.product(*ends)]) @ self.affine.T
        return corners[:, :3].min(axis=0), corners[:, :3].max(axis=0)

    @property
    def orientation(self) -> str:
        """Where i, j and k point, by the nearest of right, left, anterior, posterior, superior and inferior: "RAS"."""
        letters = (("L", "R"), ("P", "A"), ("I", "S"))
        directions, free, named = self.affine[:3, :3] / np.array(self.spacing), [0, 1, 2], ["", "", ""]
        for _ in range(3):  # the clearest first, so that no two axes get one direction
            left = [
                (abs(directions[world, axis]), world, axis) for world in free for axis in range(3) if not named[axis]
            ]
            _, world, axis = max(left)
            named[axis] = letters[world][int(directions[world, axis] > 0)]
            free.remove(world)
        return "".join(named)

    def block(self, window: Window) -> NDArray[Any]:
        """The voxels of a window: float32, or uint8 where they are colour.

        Raises:
            InputError: If a value is NaN or infinite, or the file is damaged there.
        """
        values = np.asarray(self.array[window])
        if self.is_colour:
            return values
        with np.errstate(over="ignore"):
            values = values.astype(np.float32, copy=False)
        if not np.isfinite(values).all():
            raise InputError(
                f"{self.name} holds {int((~np.isfinite(values)).sum())} voxels of NaN or infinity in one part: "
                "replace them by the value of empty space."
            )
        return values

    def coverage_block(self, window: Window) -> NDArray[np.float32] | None:
        """How much the voxels of a window count; None if all do in full."""
        if self.coverage is None:
            return None
        weights: NDArray[np.float32] = np.asarray(self.coverage[window])
        return None if weights.min() == 1 else weights

    def loaded(self) -> NDArray[Any]:
        """All voxels at once, as `block` gives them."""
        return self.block((slice(None), slice(None), slice(None)))

    def slice_windows(self, axis: int) -> Iterator[Window]:
        """A window for each slice across an axis."""
        return (slab(axis, index, index + 1) for index in range(self.shape[axis]))


def slab(axis: int, start: int, stop: int) -> Window:
    """The window of the slices from `start` up to `stop` across an axis."""
    window = [slice(None), slice(None), slice(None)]
    window[axis] = slice(start, stop)
    return window[0], window[1], window[2]


def bounds_of(window: Window, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Start and stop of each side of a window, with numbers for what is left open."""
    return [side.indices(length)[:2] for side, length in zip(window, shape, strict=False)]


def checked_affine(affine: NDArray[Any], name: str) -> Affine:
    """An affine as float64, (4, 4).

    Raises:
        InputError: If it has another shape, is not finite, or is singular.
    """
    matrix = np.array(affine, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or not np.array_equal(matrix[3], [0, 0, 0, 1]):
        raise InputError(f"the affine of {name} is no affine of 4x4 finite numbers: repair the header.")
    sides = np.linalg.norm(matrix[:3, :3], axis=0)
    if not sides.all() or abs(np.linalg.det(matrix[:3, :3] / sides)) < SINGULAR:
        raise InputError(
            f"the affine of {name} is singular (voxel sides {', '.join(f'{side:.4g}' for side in sides)} mm): "
            "its voxels have no place in space, repair the header."
        )
    return matrix
