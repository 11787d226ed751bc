"""A rigid move between two volumes, with the geometry it was made for: a warp of the alignment in three dimensions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from polyfuse.errors import InputError, UsageError
from polyfuse.volumes.registration import Registration
from polyfuse.volumes.rigid import checked_rigid, distances, inverse
from polyfuse.volumes.volume import Affine, Volume, checked_affine

MODEL = "rigid-3d"
MOST_SIDE = 1 << 16
"""Voxels that a side may have."""
SAME = 0.01
"""Voxels by which corners may differ where two headers say the same: they hold 32-bit numbers."""

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Move:
    """The way from a's world to b's: the point of b that shows what a shows at x is `matrix @ x`.

    Raises:
        InputError: If the matrix is not rigid, or a shape or affine is none of a volume.
    """

    matrix: Affine
    """(4, 4), RAS+ millimetres of a to RAS+ millimetres of b."""
    shape_a: Shape
    """Voxels of a along i, j and k."""
    affine_a: Affine
    """(4, 4): voxel index of a to RAS+ millimetres."""
    shape_b: Shape
    affine_b: Affine
    found: str = "given"
    """How it was found, in a few words."""
    residual: float | None = None
    """How far parts of the volumes are from where they belong, millimetres, the median; None if not measured."""
    confidence: float | None = None
    """How sure whoever found it is, 0 to 1; None if nobody says."""
    hashes_a: tuple[str, ...] = ()
    """SHA-256 of the files of a that it was found with."""
    hashes_b: tuple[str, ...] = ()
    """SHA-256 of the files of b."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is known, as plain JSON values; nothing here is looked at when it is applied."""

    def __post_init__(self) -> None:
        """Refuse what is no move; the linear part is made the nearest rotation."""
        object.__setattr__(self, "matrix", checked_rigid(self.matrix, "the matrix of the move"))
        for name in ("a", "b"):
            affine = checked_affine(getattr(self, f"affine_{name}"), f"the move's {name}")
            object.__setattr__(self, f"affine_{name}", affine)
            shape = getattr(self, f"shape_{name}")
            if len(shape) != 3 or not all(isinstance(side, int) and 1 <= side <= MOST_SIDE for side in shape):
                raise InputError(f"the move's shape of {name} is {shape}: give the voxels of three sides")
        if self.residual is not None and not (np.isfinite(self.residual) and self.residual >= 0):
            raise InputError(f"the residual of the move is {self.residual}: give millimetres, 0 or more")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise InputError(f"the confidence of the move is {self.confidence}: give 0 to 1")

    @classmethod
    def of(cls, registration: Registration, a: Volume, b: Volume) -> Move:
        """The move of a registration of two volumes."""
        evidence = registration.evidence
        hashes = [(volume.origin.sha256,) if volume.origin.sha256 else () for volume in (a, b)]
        return cls(
            registration.matrix,
            a.shape,
            a.affine,
            b.shape,
            b.affine,
            found="normalised mutual information",
            residual=round(registration.residual, 4),
            confidence=round(registration.confidence, 4),
            hashes_a=hashes[0],
            hashes_b=hashes[1],
            details={
                "nmi_before": round(registration.before, 5),
                "nmi_after": round(registration.after, 5),
                "overlap": round(registration.overlap, 4),
                "degrees": round(registration.angle, 4),
                "millimetres": round(registration.shift, 4),
                "rival": round(registration.rival, 4),
                "mirrored": round(registration.mirrored, 4),
                "parts": evidence.num_cubes,
                "parts_in_place": round(evidence.share, 4),
            },
        )

    def inverse(self) -> Move:
        """The way back, from b's world to a's."""
        return replace(
            self,
            matrix=inverse(self.matrix),
            shape_a=self.shape_b,
            affine_a=self.affine_b,
            shape_b=self.shape_a,
            affine_b=self.affine_a,
            hashes_a=self.hashes_b,
            hashes_b=self.hashes_a,
        )

    def then(self, after: Move) -> Move:
        """This move from a to b and `after` from b to c as one from a to c.

        Raises:
            UsageError: If b is not the same grid in both.
        """
        if not _is_same(self.shape_b, self.affine_b, after.shape_a, after.affine_a):
            raise UsageError("the moves do not meet in one volume: the first must end where the second begins.")
        return Move(
            after.matrix @ self.matrix,
            self.shape_a,
            self.affine_a,
            after.shape_b,
            after.affine_b,
            found=f"{self.found}, then {after.found}",
            hashes_a=self.hashes_a,
            hashes_b=after.hashes_b,
        )

    def check_fits(self, a: Volume, b: Volume, name: str = "the move") -> None:
        """Refuse volumes of another geometry than the move was made for.

        Raises:
            InputError: If one has other sides or another affine; it says which.
        """
        for letter, volume in (("a", a), ("b", b)):
            shape, affine = getattr(self, f"shape_{letter}"), getattr(self, f"affine_{letter}")
            if _is_same(shape, affine, volume.shape, volume.affine):
                continue
            of = "x".join(map(str, shape))
            if shape != volume.shape:
                other = "x".join(map(str, volume.shape))
                raise InputError(f"{name} is for {letter} of {of} voxels and {volume.name} has {other}: make it again")
            apart = _apart(shape, affine, volume.affine)
            raise InputError(
                f"{name} is for {letter} of {of} voxels that lie up to {apart:.3g} mm from those of {volume.name}: "
                "make it again, or give the volume it was made for"
            )


def _is_same(shape: Shape, affine: Affine, other_shape: Shape, other_affine: Affine) -> bool:
    """Whether two grids are one."""
    if shape != other_shape:
        return False
    smallest = float(np.linalg.norm(affine[:3, :3], axis=0).min())
    return _apart(shape, affine, other_affine) <= SAME * smallest


def _apart(shape: Shape, affine: Affine, other: Affine) -> float:
    """Largest distance between the corners of two grids of one shape, millimetres."""
    corners = np.array(list(itertools.product(*((0, side - 1) for side in shape))), np.float64)
    return float(distances(affine, other, corners).max())
