"""Which pixel of one camera sees what a pixel of the other does: a matrix, and for lenses a radial term per camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyfuse.alignment.flow import Flow
from polyfuse.errors import InputError, UsageError

Kind = Literal["shift", "similarity", "affine", "homography", "homography-radial"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Models from the stiffest to the freest; each holds those before it."""
Points = NDArray[np.float64]
"""(N, 2): columns x and y, the centre of the first pixel is 0, 0."""

MOST_RADIAL = 0.25
"""Largest radial term: the edge of the picture then moves by a quarter of its distance, and no two points meet."""
MOST_SIDE = 1 << 20
"""Pixels that a side of a picture may have."""
_OF_ITS_KIND = 1e-6
"""By so much entries may differ from what their model has there, relative to the largest of the linear part."""
_SMALLEST = 1e-9
"""Determinant, relative to the square of the linear part, below which a matrix folds the picture to a line."""
_STEPS, _NEAR = 50, 1e-14
"""Newton's steps for a radius, and where they end; five do for the radii of a picture."""


@dataclass(frozen=True, eq=False)
class Warp:
    """The way from pixels of picture a to pixels of picture b.

    A point of a is freed of its lens, goes through `matrix`, and gets the lens of b. A lens is one term: a point at the
    distance r from the picture's centre, in halves of its diagonal, really lies at r * (1 + radial * r^2). A flow comes
    last, where there is one: it moves points within b by a few pixels.

    Raises:
        InputError: If matrix, terms or sizes are none of a warp.

    Source: ours; the radial term is the first of Brown, "Close-range camera calibration", 1971.
    """

    matrix: NDArray[np.float64]
    """(3, 3) from x, y, 1 of a to those of b times a factor; its last entry is 1."""
    size_a: tuple[int, int]
    """Width and height of the picture a that it was made for, as it is read: upright."""
    size_b: tuple[int, int]
    """Width and height of b."""
    kind: Kind = "homography"
    """What the matrix is free to do."""
    radial_a: float = 0.0
    """Radial term of a's lens; 0 for none."""
    radial_b: float = 0.0
    """Radial term of b's lens."""
    flow: Flow | None = None
    """Small shifts over b that the rest misses, such as the parallax of one scene; None for none."""
    found: str = "given"
    """How it was found, in a few words."""
    residual: float | None = None
    """How far points end up from where they belong, pixels of b, the median; None if nothing was measured."""
    confidence: float | None = None
    """How sure whoever found it is, 0 to 1; None if nobody says."""
    hashes_a: tuple[str, ...] = ()
    """SHA-256 of the files of a that it was found with."""
    hashes_b: tuple[str, ...] = ()
    """SHA-256 of the files of b."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of how it was found, as plain JSON values; nothing here is looked at when it is applied."""

    def __post_init__(self) -> None:
        """Refuse what is no warp, and scale the matrix so that its last entry is 1."""
        matrix = np.array(self.matrix, np.float64)
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
            raise InputError("the matrix of the warp is not 3x3 finite numbers: make the warp again")
        if self.kind not in KINDS:
            raise InputError(f"a warp cannot be a {self.kind!r}: use one of {', '.join(KINDS)}")
        for name, size in (("a", self.size_a), ("b", self.size_b)):
            if len(size) != 2 or not all(isinstance(side, int) and 1 <= side <= MOST_SIDE for side in size):
                raise InputError(f"the warp's size of {name} is {size}: give width and height in pixels")
        if abs(matrix[2, 2]) <= _SMALLEST * np.abs(matrix).max():
            raise InputError("the matrix of the warp sends the corner of a to infinity: make the warp again")
        matrix /= matrix[2, 2]
        _check_kind(matrix, self.kind)
        _check_radial(self)
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)
        _check_folds(self)
        if self.flow is not None and self.flow.size != self.size_b:
            raise InputError("the flow of the warp is for another size of b: make the warp again")
        if self.residual is not None and not (np.isfinite(self.residual) and self.residual >= 0):
            raise InputError(f"the residual of the warp is {self.residual}: give pixels, 0 or more")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise InputError(f"the confidence of the warp is {self.confidence}: give 0 to 1")

    @classmethod
    def identity(cls, size_a: tuple[int, int], size_b: tuple[int, int] | None = None) -> Warp:
        """The warp under which each pixel of a lies on the pixel of b with the same numbers."""
        return cls(np.eye(3), size_a, size_b or size_a, "shift", found="identity")

    @property
    def is_lensless(self) -> bool:
        """Whether there are no radial terms."""
        return self.radial_a == 0.0 and self.radial_b == 0.0

    @property
    def is_matrix(self) -> bool:
        """Whether the matrix is all there is."""
        return self.is_lensless and self.flow is None

    def to_b(self, points: ArrayLike) -> Points:
        """Where points of a lie in b, (N, 2) in and out; NaN for those that no point of b sees."""
        there = self._without_flow(_as_points(points))
        return there if self.flow is None else self.flow.back(there)

    def _without_flow(self, points: Points) -> Points:
        """Where matrix and lenses alone send points of a."""
        freed = undistorted(points, self.size_a, self.radial_a)
        return distorted(_projected(freed, self.matrix), self.size_b, self.radial_b)

    def to_a(self, points: ArrayLike) -> Points:
        """Where points of b lie in a, (N, 2) in and out; NaN for those that no point of a sees."""
        there = _as_points(points)
        there = there if self.flow is None else self.flow.there(there)
        freed = undistorted(there, self.size_b, self.radial_b)
        return distorted(_projected(freed, _inverted(self.matrix)), self.size_a, self.radial_a)

    def inverse(self) -> Warp:
        """The way back: from pixels of b to pixels of a. Its residual is in pixels of a.

        Raises:
            UsageError: If it has a flow, which lies on b alone, or sends a corner to infinity.
        """
        self._refuse_flow()
        back = _inverted(self.matrix)
        if abs(back[2, 2]) < _SMALLEST * np.abs(back).max():
            raise UsageError("the inverse of this warp sends a corner to infinity: exchange the pictures instead.")
        residual = None if self.residual is None else self.residual / self.scale
        return replace(
            self,
            matrix=back,
            size_a=self.size_b,
            size_b=self.size_a,
            radial_a=self.radial_b,
            radial_b=self.radial_a,
            residual=residual,
            hashes_a=self.hashes_b,
            hashes_b=self.hashes_a,
        )

    def then(self, after: Warp) -> Warp:
        """This warp from a to b and `after` from b to c as one from a to c.

        Raises:
            UsageError: If b is not the same picture in both: another size, or another lens; or if one has a flow.
        """
        self._refuse_flow()
        after._refuse_flow()
        if self.size_b != after.size_a or self.radial_b != after.radial_a:
            raise UsageError("the warps do not meet in one picture: the first must end where the second begins.")
        return Warp(
            after.matrix @ self.matrix,
            self.size_a,
            after.size_b,
            max(self.kind, after.kind, key=KINDS.index),
            self.radial_a,
            after.radial_b,
            found=f"{self.found}, then {after.found}",
            hashes_a=self.hashes_a,
            hashes_b=after.hashes_b,
        )

    def _refuse_flow(self) -> None:
        if self.flow is not None:
            raise UsageError(
                "a warp with a flow goes from a to b alone: find it without --flow, or the other way round."
            )

    @property
    def scale(self) -> float:
        """Pixels of b for one of a, along a side, at the centre of a, whatever its flow."""
        width, height = self.size_a
        x, y = (width - 1) / 2, (height - 1) / 2
        centre, right, below = self._without_flow(np.array([[x, y], [x + 0.5, y], [x, y + 0.5]]))
        return float(2 * np.sqrt(abs(np.linalg.det(np.stack([right - centre, below - centre])))))


def _as_points(points: ArrayLike) -> Points:
    """An array of points, checked."""
    array = np.asarray(points, np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"points have shape {array.shape}: give (N, 2), x and y")
    return array


def _inverted(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse as it is: scaled otherwise, its denominators would not tell any more what is seen from behind."""
    return np.linalg.inv(matrix).astype(np.float64)


def _projected(points: Points, matrix: NDArray[np.float64]) -> Points:
    """Points through a 3x3 matrix; NaN for those that would be seen from behind."""
    x, y = points[:, 0], points[:, 1]
    below = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        safe = np.where(below > 0, below, np.nan)
        return np.stack([(matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2]) / safe for row in (0, 1)], axis=1)


def _lens(size: tuple[int, int]) -> tuple[NDArray[np.float64], float]:
    """Centre of a picture, and half of its diagonal in pixels."""
    return (np.array(size, np.float64) - 1) / 2, float(np.hypot(*size)) / 2


def undistorted(points: Points, size: tuple[int, int], radial: float) -> Points:
    """Points of a picture where a lens without distortion would have put them.

    Args:
        points: (N, 2).
        size: Width and height of the picture.
        radial: The lens's term.
    """
    if radial == 0.0:
        return points
    centre, unit = _lens(size)
    offsets = points - centre
    squares = np.sum(offsets**2, axis=1, keepdims=True) / unit**2
    # Beyond this radius a lens with a negative term would show the same thing twice.
    turned = 1 + 3 * radial * squares <= 0
    return np.where(turned, np.nan, centre + offsets * (1 + radial * squares))


def distorted(points: Points, size: tuple[int, int], radial: float) -> Points:
    """The reverse of `undistorted`; NaN where there is none."""
    if radial == 0.0:
        return points
    centre, unit = _lens(size)
    offsets = points - centre
    wanted = np.sqrt(np.sum(offsets**2, axis=1)) / unit
    if radial < 0:  # r * (1 + radial * r^2) is no larger than this
        last = 1 / np.sqrt(-3 * radial)
        wanted = np.where(wanted < last * 2 / 3, wanted, np.nan)
    radius = wanted.copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(_STEPS):
            change = (radius * (1 + radial * radius**2) - wanted) / (1 + 3 * radial * radius**2)
            radius -= change
            if not np.nanmax(np.abs(change), initial=0.0) > _NEAR:
                break
        shrink = np.where(wanted > 0, radius / np.where(wanted > 0, wanted, 1), 1)
    return centre + offsets * np.where(np.isnan(wanted), np.nan, shrink)[:, None]


def _check_kind(matrix: NDArray[np.float64], kind: Kind) -> None:
    """Refuse a matrix that does more than its model says."""
    linear = matrix[:2, :2]
    size = max(1.0, float(np.abs(linear).max()))
    wrong: tuple[NDArray[np.float64], ...] = ()
    if kind == "shift":
        wrong = (linear - np.eye(2), matrix[2, :2])
    elif kind == "similarity":
        wrong = (linear - [[linear[0, 0], -linear[1, 0]], [linear[1, 0], linear[0, 0]]], matrix[2, :2])
    elif kind == "affine":
        wrong = (matrix[2, :2],)
    if any(np.abs(part).max() > _OF_ITS_KIND * size for part in wrong):
        raise InputError(f"the matrix of the warp is no {kind}: name the model that it is, or correct it")


def _check_radial(warp: Warp) -> None:
    """Refuse terms that are too large, or where the model has none."""
    for name, radial in (("a", warp.radial_a), ("b", warp.radial_b)):
        if not abs(radial) <= MOST_RADIAL:
            raise InputError(f"the radial term of {name} is {radial}: give at most {MOST_RADIAL}")
    if not warp.is_lensless and warp.kind != "homography-radial":
        raise InputError(f"a warp that is a {warp.kind} has no radial terms: name it homography-radial")


def _check_folds(warp: Warp) -> None:
    """Refuse a matrix that folds a into a line, or lets part of it be seen from behind."""
    matrix = warp.matrix
    linear = float(np.abs(matrix[:2, :2]).max())
    if abs(np.linalg.det(matrix)) <= _SMALLEST * linear**2 or linear == 0:
        raise InputError("the matrix of the warp folds the picture to a line: make the warp again")
    width, height = warp.size_a
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)
    if np.isnan(_projected(undistorted(corners, warp.size_a, warp.radial_a), matrix)).any():
        raise InputError("the matrix of the warp sees a corner of a from behind: make the warp again")
