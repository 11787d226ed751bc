"""Bringing b onto the voxels of a: whether their millimetres agree, whether they overlap, one resampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from polyfuse.errors import InputError
from polyfuse.volumes.nifti import space_of
from polyfuse.volumes.resample import Order, resampled, share_inside
from polyfuse.volumes.volume import Affine, Volume

ATLAS = 3
"""Codes of NIfTI's spaces from here on are those of an atlas."""
LITTLE = 0.05
"""Share of a's voxels that b must have, below which the user is told."""


@dataclass(frozen=True, eq=False)
class Together:
    """Two volumes on one grid."""

    a: Volume
    """As it is."""
    b: Volume
    """On the voxels of a."""
    overlap: float
    """Share of a's voxels that lie on b."""
    notes: tuple[str, ...] = ()
    """What the user should know."""


def brought_together(
    a: Volume, b: Volume, *, order: Order = "linear", same_space: bool = False, move: Affine | None = None
) -> Together:
    """Put b on the voxels of a by the places that their headers say.

    Args:
        a: Whose voxels the result has.
        b: What is resampled.
        order: How values between voxels are made.
        same_space: The user says that their millimetres agree whatever the headers say.
        move: (4, 4), from a's millimetres to b's, as registration found it; None: they agree.

    Raises:
        InputError: If their frames of reference differ, or they do not overlap.
    """
    if move is None and not same_space:
        _check_spaces(a, b)
    overlap = share_inside(b, a.affine, a.shape, move)
    back = None if move is None else np.asarray(np.linalg.inv(move), np.float64)
    if overlap == 0 and share_inside(a, b.affine, b.shape, back) == 0:
        raise InputError(
            f"the fields of view do not overlap: {a.name} spans {_span(a)} and {b.name} {_span(b)} in RAS+ mm: "
            "check that both are of one patient and space."
        )
    notes = []
    if overlap < LITTLE:
        notes.append(f"b covers {overlap:.1%} of a's voxels; the rest shows a alone")
    elif overlap < 1:
        notes.append(f"b covers {overlap:.0%} of a's voxels; it fades out where it ends")
    return Together(a, resampled(b, a.affine, a.shape, order=order, move=move), overlap, tuple(notes))


def _check_spaces(a: Volume, b: Volume) -> None:
    """Refuse volumes whose headers say that their millimetres are not the same ones.

    Raises:
        InputError: Naming both frames of reference.
    """
    ours, theirs = _space(a), _space(b)
    if ours is not None and theirs is not None and ours != theirs:
        raise InputError(
            f"the frames of reference differ ({a.name}: {ours}, {b.name}: {theirs}), so places need not agree: pass "
            "--same-space if you know that they do."
        )


def _space(volume: Volume) -> str | None:
    """Whose millimetres a volume's are; None if that cannot be compared."""
    origin = volume.origin
    if origin.format == "DICOM":
        return origin.frame_of_reference
    if origin.header is None:
        return None
    code = space_of(origin.header)
    return f"NIfTI space {code}" if code >= ATLAS else "NIfTI scanner space" if code else None


def _span(volume: Volume) -> str:
    """The box of a volume as text."""
    low, high = volume.world_bounds
    return " x ".join(f"{start:.0f}..{stop:.0f}" for start, stop in zip(low, high, strict=True))


def facts_of(volume: Volume) -> dict[str, Any]:
    """Plain dictionary of a volume's grid, for the sidecar."""
    return {
        **volume.origin.to_json(),
        "shape": list(volume.shape),
        "spacing": list(volume.spacing),
        "affine": volume.affine.tolist(),
        "orientation": volume.orientation,
        "modality": volume.modality or None,
        "unit": volume.unit,
        "notes": list(volume.notes),
    }
