"""A warp through a board that both cameras see: the inner corners of a checkerboard, or a grid of circles."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment.canvas import as_canvas, projected
from polyfuse.alignment.points import LARGEST_TERM, NEEDED, Points, fit_points
from polyfuse.alignment.warp import Kind, Warp, distorted, undistorted
from polyfuse.errors import DependencyError, InputError, UsageError
from polyfuse.io.source import counted

SMALLEST_BOARD, LARGEST_BOARD = 3, 50
LEAST_BOARDS = 3
"""Pictures of a board from which it gives the terms of lenses."""
_LENS_BETTER, _LENS_REACH = 0.9, 0.6
"""Residual with a term in that without up to which it is kept; halves of the diagonal that points must reach out to."""
_STEADY = 0.6
"""Share of the points' spread over b below which they say little about the rest of the picture."""


@dataclass(frozen=True)
class Lens:
    """The term of one camera by its pictures of a board."""

    radial: float
    before: float
    """Root mean square of how far points are from a flat board, pixels."""
    after: float
    """The same with the term."""


def parse_board(text: str) -> tuple[int, int]:
    """Columns and rows of a board, as `--board` says them.

    >>> parse_board("9x6")
    (9, 6)

    Raises:
        UsageError: If it is no size of a board.
    """
    match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text.strip().lower())
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(SMALLEST_BOARD <= side <= LARGEST_BOARD for side in sides):
        raise UsageError(f"--board {text} is no board: write columns and rows of inner corners or circles, as 9x6.")
    return sides


def find_board(array: NDArray[Any], board: tuple[int, int], *, circles: bool) -> Points | None:
    """Points of a board in a picture, row by row; None if it is not there.

    A thermal camera may see it dark for bright, so both are tried.

    Args:
        array: (H, W) or (H, W, 3), uint8, uint16 or float32.
        board: Columns and rows of inner corners, or of circles.
        circles: Whether it is a grid of circles.

    Returns:
        (columns * rows, 2), the centre of the first pixel 0, 0.

    Raises:
        DependencyError: If OpenCV is missing.

    Source: OpenCV, findChessboardCornersSB and findCirclesGrid.
    """
    try:
        import cv2
    except ImportError as error:
        raise DependencyError('--board needs OpenCV: pip install "polyfuse[imaging]".') from error
    grey = as_canvas(array).whole[0, 0].numpy()
    levels = np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)
    for plane in (levels, 255 - levels):
        if circles:
            is_there, points = cv2.findCirclesGrid(plane, board, flags=cv2.CALIB_CB_SYMMETRIC_GRID)
        else:
            is_there, points = cv2.findChessboardCornersSB(plane, board, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
        if is_there and points is not None:
            return np.asarray(points, np.float64).reshape(-1, 2)
    return None


def warp_of_boards(
    pairs: Sequence[tuple[str, NDArray[Any], NDArray[Any]]],
    board: tuple[int, int],
    *,
    circles: bool = False,
    kind: Kind = "homography",
) -> Warp:
    """The warp through the points of a board in one or several pairs of pictures.

    A board has a plane of its own in each picture: with several the warp is exact for none of them, and the residual
    says by how much. Hold it where what you watch is.

    Args:
        pairs: A name and two pictures each, of one size throughout.
        board: Columns and rows of inner corners, or of circles.
        circles: Whether it is a grid of circles.
        kind: The model.

    Raises:
        InputError: If the board is not found in a picture, which are named, or sizes differ.
        DependencyError: If OpenCV is missing.
    """
    sizes = {(a.shape[:2], b.shape[:2]) for _, a, b in pairs}
    if len(sizes) != 1:
        raise InputError("the pictures of the board have different sizes: give those of one pair of cameras")
    points_a, points_b, missing = [], [], []
    for name, a, b in pairs:
        seen_a, seen_b = (find_board(array, board, circles=circles) for array in (a, b))
        if seen_a is None or seen_b is None:
            sides = [side for side, seen in (("a", seen_a), ("b", seen_b)) if seen is None]
            missing.append(f"{name} ({' and '.join(sides)})")
            continue
        points_a.append(seen_a)
        points_b.append(_same_order(seen_a, seen_b))
    if missing:
        word = "circles" if circles else "inner corners"
        raise InputError(
            f"no board of {board[0]}x{board[1]} {word} is found in {', '.join(missing[:5])}"
            f"{f' and {len(missing) - 5} more' if len(missing) > 5 else ''}: leave them out, or check --board"
        )
    a, b = np.concatenate(points_a), np.concatenate(points_b)
    if len(a) < NEEDED[kind]:
        raise InputError(f"{kind} needs {NEEDED[kind]} points and {len(a)} came: give more pictures")
    (height_a, width_a), (height_b, width_b) = next(iter(sizes))
    size_a, size_b = (width_a, height_a), (width_b, height_b)
    lenses, details = (Lens(0.0, 0.0, 0.0), Lens(0.0, 0.0, 0.0)), {}
    if kind == "homography-radial":
        lenses = lens_of_boards(points_a, board, size_a), lens_of_boards(points_b, board, size_b)
        details["flatness"] = {
            side: [round(lens.before, 3), round(lens.after, 3)] for side, lens in zip("ab", lenses, strict=True)
        }
        if lenses[0].radial == lenses[1].radial == 0:
            kind = "homography"
    flat_a, flat_b = undistorted(a, size_a, lenses[0].radial), undistorted(b, size_b, lenses[1].radial)
    matrix = fit_points(flat_a, flat_b, "homography" if kind == "homography-radial" else kind)
    errors = np.hypot(*(distorted(projected(matrix, flat_a), size_b, lenses[1].radial) - b).T)
    spread = np.ptp(b, axis=0) / [width_b, height_b]
    return Warp(
        matrix, size_a, size_b, kind, lenses[0].radial, lenses[1].radial,
        found=f"a board in {counted(len(pairs), 'pair')}", residual=float(np.median(errors)),
        details={
            "points": len(a),
            "largest_residual": round(float(errors.max()), 3),
            "covers_little": bool(spread.max() < _STEADY),
            **details,
        },
    )  # fmt: skip


def lens_of_boards(pictures: Sequence[Points], board: tuple[int, int], size: tuple[int, int]) -> Lens:
    """The radial term of one camera under which its pictures of a board are those of a flat one.

    Args:
        pictures: Points of the board, row by row, of each picture.
        board: Columns and rows.
        size: Width and height of the pictures.

    Returns:
        The term; 0 where it would not help, or points are few or all in the middle.

    Source: a plane and one term of Zhang's calibration (2000), searched along a line; ours.
    """
    x, y = np.meshgrid(np.arange(board[0], dtype=float), np.arange(board[1], dtype=float))
    flat = np.stack([x.ravel(), y.ravel()], axis=-1)

    def off(radial: float) -> float:
        parts = []
        for points in pictures:
            straight = undistorted(points, size, radial)
            back = distorted(projected(fit_points(flat, straight, "homography"), flat), size, radial)
            parts.append(np.nan_to_num(back - points, nan=1e3))
        return float(np.sqrt(np.mean(np.concatenate(parts) ** 2)))

    before = off(0.0)
    far = max(float(np.hypot(*(points - (np.array(size) - 1) / 2).T).max()) for points in pictures)
    if len(pictures) < LEAST_BOARDS or far < _LENS_REACH * np.hypot(*size) / 2:
        return Lens(0.0, before, before)
    radial = _lowest(off, -LARGEST_TERM, LARGEST_TERM)
    after = off(radial)
    return Lens(radial, before, after) if after <= _LENS_BETTER * before else Lens(0.0, before, before)


def _lowest(of: Callable[[float], float], low: float, high: float) -> float:
    """Where a function of one number is lowest: on a coarse grid, then by golden sections."""
    grid = np.linspace(low, high, 9)
    best = int(np.argmin([of(float(value)) for value in grid]))
    left, right = float(grid[max(0, best - 1)]), float(grid[min(len(grid) - 1, best + 1)])
    share = (np.sqrt(5) - 1) / 2
    inner, outer = right - share * (right - left), left + share * (right - left)
    of_inner, of_outer = of(inner), of(outer)
    while right - left > 1e-4:
        if of_inner < of_outer:
            right, outer, of_outer = outer, inner, of_inner
            inner = right - share * (right - left)
            of_inner = of(inner)
        else:
            left, inner, of_inner = inner, outer, of_outer
            outer = left + share * (right - left)
            of_outer = of(outer)
    return (left + right) / 2


def _same_order(a: Points, b: Points) -> Points:
    """B's points in the order of a's: a board is the same upside down, and the cameras see it upright alike."""
    turned = b[::-1]
    along = float(((a[-1] - a[0]) * (b[-1] - b[0])).sum())
    return b if along >= 0 else turned
