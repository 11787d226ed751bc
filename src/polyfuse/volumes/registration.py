"""Finding the rigid move from one volume to another, and saying how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from polyfuse.errors import InputError
from polyfuse.volumes.evidence import ACCEPTED, LEAST_CUBES, Evidence, weigh
from polyfuse.volumes.levels import Level, make_level, reduced, spacings
from polyfuse.volumes.rigid import angle_of, checked_rigid, moved
from polyfuse.volumes.search import STAGES, middle, mirrored, search
from polyfuse.volumes.volume import Affine, Volume

_HEAD = 85.0
"""Root mean square distance of a field of view from its middle, millimetres, for which the spacings are made: a head.
Smaller fields are searched as if they were that large."""
LEAST_SIDE = 8
"""Voxels that each side of a volume must have."""
AMBIGUOUS = 0.9
"""Share of the best move's NMI - 1 from which another move is as likely."""
EXCHANGED = 1.02
"""Share from which left and right of one volume seem to be exchanged."""


@dataclass(frozen=True, eq=False)
class Registration:
    """The move from a's world to b's, and what speaks for it."""

    matrix: Affine
    """(4, 4), RAS+ millimetres of a to those of b."""
    before: float
    """Normalised mutual information as the headers have it, 1 to 2."""
    after: float
    """Under the move."""
    overlap: float
    """Share of what a shows that lies in b's field of view, 0 to 1."""
    angle: float
    """By how many degrees the move turns."""
    shift: float
    """By how many millimetres it moves the middle of what a shows."""
    rival: float
    """How near another move comes to it, 0 to 1: 1 is as good."""
    mirrored: float
    """How well it fits with left and right exchanged, as a share of how well it fits as it is."""
    evidence: Evidence
    """What parts of the volumes say, each by itself."""

    @property
    def residual(self) -> float:
        """Median distance by which parts of a would still like to move, millimetres."""
        return self.evidence.residual

    @property
    def confidence(self) -> float:
        """How likely the move is right, 0 to 1."""
        return 0.0 if self.rival > AMBIGUOUS or self.mirrored > EXCHANGED else self.evidence.confidence

    @property
    def is_accepted(self) -> bool:
        """Whether the move is sure enough to be used."""
        return self.confidence >= ACCEPTED

    @property
    def doubt(self) -> str:
        """Why the move is not accepted, in a few words; empty if it is."""
        if self.is_accepted:
            return ""
        if self.rival > AMBIGUOUS:
            return f"another move fits {self.rival:.0%} as well"
        if self.mirrored > EXCHANGED:
            return "they fit better with left and right of one exchanged: look at its orientation"
        evidence = self.evidence
        if evidence.num_cubes < LEAST_CUBES:
            return f"only {evidence.num_cubes} parts of the volumes overlap and show anything, {LEAST_CUBES} are needed"
        return f"only {evidence.share:.0%} of {evidence.num_cubes} parts of the volumes fit under it"


def register(a: Volume, b: Volume, start: Affine | None = None) -> Registration:
    """The rigid move that brings b onto a, by normalised mutual information.

    Volumes of about a head are searched within 45 degrees of the start, wherever they lie. PyTorch's threads are used;
    the same number of them gives the same bits.

    Args:
        a: The volume that stays.
        b: The one that is moved.
        start: (4, 4), from a's world to b's: what is known of the move; None: the headers agree.

    Returns:
        The best move found, sure or not: see `is_accepted`, or call `checked`.

    Raises:
        InputError: If a volume is too thin, shows one value alone, or holds NaN.
    """
    header = np.eye(4) if start is None else checked_rigid(start, "the start")
    for volume in (a, b):
        if min(volume.shape) < LEAST_SIDE:
            sides = "x".join(map(str, volume.shape))
            raise InputError(
                f"{volume.name} has {sides} voxels, too few to register: each side needs {LEAST_SIDE}; "
                "leave registration out if the headers are right"
            )
    unit = min(1.0, *(_extent(volume) / _HEAD for volume in (a, b)))
    pyramid = _pyramid(a, b, unit)
    found = search(pyramid, _scaled(header, 1 / unit))
    matrix = _scaled(found.best.matrix, unit)
    evidence = weigh(*pyramid[1], found.best.matrix)
    centre = middle(pyramid[0][0])[None] * unit
    return Registration(
        matrix,
        found.last.at(_scaled(header, 1 / unit)),
        found.best.value,
        _overlap(*pyramid[1], found.best.matrix),
        angle_of(matrix),
        float(np.linalg.norm(moved(centre, matrix) - centre)),
        found.rival,
        mirrored(pyramid, found.best.matrix),
        evidence.scaled(unit),
    )


def checked(registration: Registration, a: Volume, b: Volume) -> Registration:
    """The registration, if it is sure.

    Raises:
        InputError: If not; it says what would help.
    """
    if registration.is_accepted:
        return registration
    raise InputError(
        f"no sure move from {a.name} to {b.name} ({registration.doubt}): they must show the same part of one patient; "
        "turn them to within 45 degrees first, give volumes with a larger overlap, or pass a move that is known"
    )


def _pyramid(a: Volume, b: Volume, unit: float) -> list[tuple[Level, Level]]:
    """Both volumes at the spacing of each stage, in units instead of millimetres."""
    pairs = []
    for volume in (a, b):
        finest, affine = reduced(volume, STAGES[-1].spacing * unit)
        if not float(finest.max()) > float(finest.min()):
            raise InputError(f"{volume.name} has the same value everywhere, nothing to register: give another volume")
        there = np.diag([1 / unit, 1 / unit, 1 / unit, 1]) @ affine
        pairs.append([make_level(finest, there, stage.spacing) for stage in STAGES])
    return list(zip(*pairs, strict=True))


def _scaled(matrix: Affine, factor: float) -> Affine:
    """A rigid matrix for a world in other units."""
    scaled = matrix.copy()
    scaled[:3, 3] *= factor
    return scaled


def _extent(volume: Volume) -> float:
    """Root mean square distance of a field of view from its middle, millimetres."""
    sides = np.array(volume.shape) * spacings(volume.affine)
    return math.sqrt(float((sides**2).sum()) / 12)


def _overlap(a: Level, b: Level, matrix: Affine) -> float:
    """Share of what a shows that lies in b."""
    index = a.foreground.nonzero().double().numpy()
    there = moved(moved(moved(index, a.affine), matrix), b.to_index.numpy())
    inside = (there >= -0.5) & (there <= np.array(b.foreground.shape) - 0.5)
    return float(inside.all(axis=1).mean()) if len(index) else 0.0
