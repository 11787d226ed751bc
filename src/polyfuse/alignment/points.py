"""A warp through pairs of points: by least squares in b, from two points for a similarity to four for a homography."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment.canvas import Matrix, inverted, projected
from polyfuse.alignment.warp import MOST_RADIAL, Kind, Warp, distorted, undistorted
from polyfuse.errors import InputError, UsageError
from polyfuse.io.source import counted, read_bytes_of, shown

NEEDED: Mapping[Kind, int] = MappingProxyType(
    {"shift": 1, "similarity": 2, "affine": 3, "homography": 4, "homography-radial": 8}
)
"""Pairs of points that a model needs at least."""
MAX_TABLE = 1 << 22
"""Largest table that is read, bytes."""
HEADERS = (("x_a", "y_a", "x_b", "y_b"), ("xa", "ya", "xb", "yb"), ("ax", "ay", "bx", "by"))
_ONE_SPOT = 1.0
"""Pixels within which two points of a table are one spot."""
_THIN = 1e-3
"""Spread across a line of points, in that along it, below which they lie on one line."""
_ROUNDS = 20
LEAST_FOR_LENSES = NEEDED["homography-radial"]
"""Pairs of points from which radial terms of both cameras are fitted; there are ten unknowns in them."""
LARGEST_TERM = 0.8 * MOST_RADIAL
"""Largest radial term that is looked for."""
_PRIOR = 0.1
"""A term of this size costs as much as a residual of one pixel, so that what points leave open stays near none."""
_TERM_STEP, _TERM_ROUNDS = 1e-4, 12

Points = NDArray[np.float64]


def fit_points(a: Points, b: Points, kind: Kind) -> Matrix:
    """The matrix of a model that brings points of a closest to those of b, in least squares of distances in b.

    Args:
        a: (N, 2), columns x and y.
        b: (N, 2).
        kind: shift, similarity, affine or homography.

    Raises:
        InputError: If the points are too few, or lie on one spot or line, for the model.

    Source: normalised direct linear transform, then Gauss-Newton (Hartley and Zisserman, chapter 4); ours.
    """
    if len(a) < NEEDED[kind]:
        raise InputError(f"{kind} needs {NEEDED[kind]} pairs of points and {len(a)} came: give more")
    to_a, to_b = _normalising(a), _normalising(b)
    p, q = projected(to_a, a), projected(to_b, b)
    if kind == "shift":
        matrix = np.eye(3)
        matrix[:2, 2] = (b - a).mean(0)
        return matrix
    if kind == "similarity":
        square = float((p * p).sum())
        turn = np.array([(p * q).sum(), (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()]) / square
        inner = np.array([[turn[0], -turn[1], 0], [turn[1], turn[0], 0], [0, 0, 1]])
        return np.asarray(inverted(to_b) @ inner @ to_a)
    for points in (p, q):
        spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
        if spread[1] <= _THIN * spread[0]:
            raise InputError("the points lie on one line: add one that does not, or pass --model similarity")
    if kind == "affine":
        columns = np.linalg.lstsq(np.c_[p, np.ones(len(p))], q, rcond=None)[0]
        return np.asarray(inverted(to_b) @ np.vstack([columns.T, [0, 0, 1]]) @ to_a)
    return np.asarray(inverted(to_b) @ _homography(p, q) @ to_a)


def _normalising(points: Points) -> Matrix:
    """Moves points to a mean of 0 and a mean distance of 1."""
    mean = points.mean(0)
    size = float(np.hypot(*(points - mean).T).mean()) or 1.0
    return np.array([[1 / size, 0, -mean[0] / size], [0, 1 / size, -mean[1] / size], [0, 0, 1]])


def _homography(p: Points, q: Points) -> Matrix:
    """Least squares of distances in q, from the direct linear transform on."""
    x, y, one, none = p[:, 0], p[:, 1], np.ones(len(p)), np.zeros(len(p))
    rows = [
        np.stack([x, y, one, none, none, none, -x * q[:, 0], -y * q[:, 0], -q[:, 0]], axis=1),
        np.stack([none, none, none, x, y, one, -x * q[:, 1], -y * q[:, 1], -q[:, 1]], axis=1),
    ]
    system = np.concatenate(rows)
    values = np.linalg.svd(system, compute_uv=False)
    if len(values) > 7 and values[7] < 1e-6 * values[0]:
        raise InputError("too many of the points lie on one line for a homography: spread them, or pass --model affine")
    matrix = np.linalg.svd(system, full_matrices=len(system) < 9)[2][-1].reshape(3, 3)
    matrix = matrix / matrix[2, 2]
    for _ in range(_ROUNDS):
        below = matrix[2, 0] * x + matrix[2, 1] * y + 1
        at = projected(matrix, p)
        if not np.isfinite(at).all():
            raise InputError("no homography goes through these points: name spots that do not lie on one line")
        left = np.stack([x / below, y / below, 1 / below], axis=1)
        jacobian = np.concatenate(
            [
                np.c_[left, np.zeros((len(p), 3)), -at[:, :1] * left[:, :2]],
                np.c_[np.zeros((len(p), 3)), left, -at[:, 1:] * left[:, :2]],
            ]
        )
        step = np.linalg.lstsq(jacobian, (q - at).T.ravel(), rcond=None)[0]
        matrix = (matrix.ravel() + np.r_[step, 0]).reshape(3, 3)
        if np.abs(step).max() < 1e-12:
            break
    return np.asarray(matrix)


def fit_with_lenses(
    a: Points, b: Points, size_a: tuple[int, int], size_b: tuple[int, int]
) -> tuple[Matrix, float, float]:
    """The homography and radial terms that bring points of a closest to those of b, in least squares of distances in b.

    Args:
        a: (N, 2), at least `LEAST_FOR_LENSES`.
        b: (N, 2).
        size_a: Width and height of a.
        size_b: Width and height of b.

    Returns:
        The matrix between pictures without their lenses, and the terms of a and b.

    Raises:
        InputError: If the points are too few, or lie on a line.

    Source: variable projection with Gauss-Newton (Golub and Pereyra, 1973); ours.
    """
    if len(a) < LEAST_FOR_LENSES:
        raise InputError(f"homography-radial needs {LEAST_FOR_LENSES} pairs of points and {len(a)} came: give more")

    def solved(terms: NDArray[np.float64]) -> tuple[Matrix, NDArray[np.float64]]:
        flat_a, flat_b = undistorted(a, size_a, terms[0]), undistorted(b, size_b, terms[1])
        matrix = fit_points(flat_a, flat_b, "homography")
        off = (flat_b - projected(matrix, flat_a)).ravel()
        return matrix, np.concatenate([np.nan_to_num(off, nan=1e3), terms / _PRIOR])

    terms = np.zeros(2)
    matrix, residual = solved(terms)
    for _ in range(_TERM_ROUNDS):
        changes = [solved(terms + _TERM_STEP * unit)[1] - residual for unit in np.eye(2)]
        step = np.linalg.lstsq(np.stack(changes, axis=1) / _TERM_STEP, -residual, rcond=None)[0]
        for share in (1.0, 0.5, 0.25, 0.1):
            tried = np.clip(terms + share * step, -LARGEST_TERM, LARGEST_TERM)
            new_matrix, new_residual = solved(tried)
            if (new_residual**2).sum() < (residual**2).sum():
                break
        else:
            break
        done = float(np.abs(tried - terms).max()) < 1e-6
        terms, matrix, residual = tried, new_matrix, new_residual
        if done:
            break
    return matrix, float(terms[0]), float(terms[1])


def warp_of_points(
    a: Points, b: Points, size_a: tuple[int, int], size_b: tuple[int, int], kind: Kind | None = None
) -> Warp:
    """The warp through pairs of points, with their residual.

    Args:
        a: (N, 2), pixels of a, the centre of the first 0, 0.
        b: (N, 2), pixels of b.
        size_a: Width and height of a.
        size_b: Width and height of b.
        kind: The model; by default the freest that the number of points allows.

    Raises:
        UsageError: For a model that points cannot give.
        InputError: If points are too few, double, outside the pictures, or on one line.
    """
    if kind is None:
        kind = "similarity" if len(a) <= 2 else "affine" if len(a) == 3 else "homography"
    if kind not in NEEDED:
        raise UsageError(f"points cannot give a {kind}: use {', '.join(NEEDED)}.")
    if len(a) < max(2, NEEDED[kind]):
        least = max(2, NEEDED[kind])
        raise InputError(f"{kind} needs {least} pairs of points and {len(a)} came: give more")
    for name, points, size in (("a", a, size_a), ("b", b, size_b)):
        _check_points(name, points, size)
    radial_a = radial_b = 0.0
    if kind == "homography-radial":
        matrix, radial_a, radial_b = fit_with_lenses(a, b, size_a, size_b)
    else:
        matrix = fit_points(a, b, kind)
    there = distorted(projected(matrix, undistorted(a, size_a, radial_a)), size_b, radial_b)
    errors = np.hypot(*(there - b).T)
    spare = len(a) > NEEDED[kind]
    details = {
        "points": len(a),
        "largest_residual": round(float(errors.max()), 3),
        "worst_point": int(errors.argmax()) + 1,
    }
    return Warp(
        matrix, size_a, size_b, kind, radial_a, radial_b,
        found=f"{len(a)} pairs of points", residual=float(np.median(errors)) if spare else None,
        details=details if spare else {"points": len(a)},
    )  # fmt: skip


def _check_points(name: str, points: Points, size: tuple[int, int]) -> None:
    """Refuse points outside their picture, and two on one spot."""
    outside = ~((points >= -0.5) & (points <= np.array(size) - 0.5)).all(1)
    if outside.any():
        number = int(outside.argmax())
        x, y = points[number]
        raise InputError(
            f"point {number + 1} lies at {x:g}, {y:g} of {name}, which is {size[0]}x{size[1]}: "
            "give pixels, the centre of the first is 0, 0"
        )
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    one, other = np.nonzero(np.triu(apart < _ONE_SPOT, 1))
    if len(one):
        raise InputError(f"points {one[0] + 1} and {other[0] + 1} lie on one spot of {name}: drop one of them")


def read_points(path: str | os.PathLike[str]) -> tuple[Points, Points]:
    """Read pairs of points from a table of four columns: x and y in a, x and y in b.

    A first line with names is allowed: x_a, y_a, x_b, y_b. Cells are parted by commas or semicolons.

    Returns:
        Points of a and points of b, (N, 2) each.

    Raises:
        InputError: If the table cannot be read, or a line holds anything but four finite numbers; lines are named.
    """
    data = read_bytes_of(path, MAX_TABLE, what="table of points")
    try:
        lines = data.decode("utf-8-sig").splitlines()
        head = next((line for line in lines if line.strip()), "")
        reader = csv.reader(lines, delimiter=";" if ";" in head else ",", strict=True)
        rows = [
            (reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{shown(path)} is no CSV table in UTF-8: save it again") from error
    if rows and tuple(cell.lower() for cell in rows[0][1]) in HEADERS:
        rows = rows[1:]
    numbers = []
    for line, row in rows:
        try:
            values = [float(cell) for cell in row]
        except ValueError:
            values = []
        if len(values) != 4 or not np.isfinite(values).all():
            raise InputError(f"{shown(path)}, line {line}: give four numbers, x and y in a and x and y in b")
        numbers.append(values)
    if len(numbers) < 2:
        raise InputError(f"{shown(path)} holds {counted(len(numbers), 'pair')} of points: give 2 or more")
    table = np.array(numbers, np.float64)
    return table[:, :2], table[:, 2:]
