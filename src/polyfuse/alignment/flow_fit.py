"""Finding the flow of a warp: blocks say by how much they are still off, and a smooth field follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment.blocks import Surfaces, joined
from polyfuse.alignment.canvas import Canvas, Matrix, inverted, zoomed
from polyfuse.alignment.evidence import best_shifts
from polyfuse.alignment.find import LEAST_BLOCKS, Stage, laid_over
from polyfuse.alignment.fit import expected, likelihoods
from polyfuse.alignment.flow import (
    MOST_CONTROLS,
    MOST_SHIFT,
    MOST_SLOPE,
    Flow,
    longest,
    most_shift,
    spline_weights,
    steepest,
)
from polyfuse.alignment.shifts import LEAST_RISE, with_neighbours
from polyfuse.alignment.vote import Finding, canvases_under, judged_finding, residual_of
from polyfuse.alignment.warp import Warp
from polyfuse.errors import UsageError

STAGE = Stage(1, 49, 16, 24, "homography", (6, 3, 2, 1.5))
"""Blocks that the field is fitted to, and the neighbourhoods looked at."""
CHECK = Stage(1, 49, 16, 28, "homography", ())
"""Blocks that it is judged by."""
SPACING = 32
"""Pixels of the working size from control point to control point."""
STIFFNESS, HOME = 4.0, 0.02
"""Precision, per square pixel, of the belief that neighbours shift alike, and that nothing shifts."""
BETTER = 0.9
"""What is still off at fresh blocks, in what was without the flow, up to which the flow is kept."""
LEAST_SHIFT = 0.3
"""Pixels of the working size that places must be off by, the median, for a flow to be looked for at all."""


@dataclass(frozen=True, eq=False)
class Flowing:
    """What came of the search for a flow."""

    flow: Flow | None
    """None where it would not help."""
    before: float | None
    """Median of how far fresh blocks are off without it, pixels of b; None if nothing could be measured."""
    after: float | None
    """The same with it."""
    longest: float
    """Longest shift, pixels of b."""


def fit_flow(pairs: Sequence[tuple[Canvas, Canvas]], matrix: Matrix) -> Flowing:
    """The smooth field that pairs of one size share, beyond their matrix.

    Args:
        pairs: Canvases of a and b.
        matrix: From a's canvas to b's.

    Returns:
        The field, if fresh blocks confirm it.
    """
    size = pairs[0][1].size
    laid = [_laid(a, b, matrix, STAGE) for a, b in pairs]
    surfaces, to_b = joined([each[0] for each in laid]), laid[0][1]
    fresh = joined([_laid(a, b, matrix, CHECK)[0] for a, b in pairs])
    centres, off = _still_off(fresh)
    if len(surfaces) < LEAST_BLOCKS or len(centres) < LEAST_BLOCKS:
        return Flowing(None, None, None, 0.0)
    scale = to_b[0, 0]  # pixels of b for one of the field
    before = float(np.median(np.hypot(*off.T)))
    grid = _grid(size, SPACING * scale)
    controls = _bounded(_fitted(surfaces, to_b, size, grid) * scale, size)
    flow = Flow(controls, size)
    shifts = flow.at(centres * scale + to_b[:2, 2]) / scale
    after = float(np.median(np.hypot(*(off - shifts).T)))
    helps = before >= LEAST_SHIFT and after <= BETTER * before
    return Flowing(
        flow if helps else None, float(before * scale), float(after * scale), longest(controls) if helps else 0.0
    )


def flowed(finding: Finding) -> Finding:
    """What was found, with the flow that its pictures show, if it helps; judged with it.

    Args:
        finding: From `find_warp` or `judged_finding`, of a warp without a flow.
    """
    warp, flowing = _with_flow(finding.warp, finding.pairs, finding.estimate.matrix)
    if flowing.flow is None:
        return replace(finding, warp=warp)
    a, b = finding.canvases
    to_b = inverted(b.matrix) @ finding.estimate.matrix @ a.matrix  # the warp's matrix, or none where lenses are out
    laid = Warp(to_b, a.size, b.size, "homography", flow=flowing.flow)
    after = judged_finding(laid, a.whole[0, 0].numpy(), b.whole[0, 0].numpy())
    warp = replace(warp, residual=residual_of([after.estimate]))
    return replace(finding, warp=warp, estimate=after.estimate, canvases=after.canvases, pairs=after.pairs)


def warp_with_flow(warp: Warp, a: NDArray[Any], b: NDArray[Any]) -> tuple[Warp, Flowing]:
    """A warp with the flow that one pair shows, if it helps.

    Args:
        warp: Without a flow.
        a: (H, W) or (H, W, 3) of uint8, uint16 or float32, of the warp's size of a.
        b: Of its size of b.

    Raises:
        InputError: If sizes are not the warp's.
        UsageError: If it has a flow.
    """
    if warp.flow is not None:
        raise UsageError("the warp has a flow of its own: drop --flow, or make the warp without it.")
    canvas_a, canvas_b, matrix = canvases_under(warp, a, b)
    return _with_flow(warp, [(canvas_a, canvas_b)], matrix)


def _with_flow(warp: Warp, pairs: Sequence[tuple[Canvas, Canvas]], matrix: Matrix) -> tuple[Warp, Flowing]:
    """A warp with the flow that pairs show under a matrix, if it helps; what was measured goes into the details."""
    flowing = fit_flow(pairs, matrix)
    told = {
        "kept": flowing.flow is not None,
        "longest": round(flowing.longest, 3),
        "bound": round(most_shift(warp.size_b), 3),
        "median_off_before": None if flowing.before is None else round(flowing.before, 3),
        "median_off_after": None if flowing.after is None else round(flowing.after, 3),
    }
    return replace(warp, flow=flowing.flow, details={**warp.details, "flow": told}), flowing


def _laid(a: Canvas, b: Canvas, matrix: Matrix, stage: Stage) -> tuple[Surfaces, Matrix]:
    """Blocks of b, where a sees it, and the matrix from their field to b's own pixels."""
    part = zoomed(a, b, matrix)
    surfaces, down, _ = laid_over(a, part, part.matrix @ inverted(b.matrix) @ matrix, stage)
    return surfaces, inverted(down @ part.matrix)


def _still_off(surfaces: Surfaces) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres and shifts of the blocks that say something clear by themselves or with their neighbours."""
    if len(surfaces) == 0:
        return np.zeros((0, 2)), np.zeros((0, 2))
    values = with_neighbours(surfaces, 0.5 * CHECK.step)
    flat = values.flatten(1)
    clear = ((flat.amax(1) - flat.mean(1)) / (flat.std(1) + 1e-6) > LEAST_RISE).numpy()
    return surfaces.centres[clear], best_shifts(values)[clear]


def _grid(size: tuple[int, int], spacing: float) -> tuple[int, int]:
    """Rows and columns of control points."""
    columns, rows = (int(np.clip(np.ceil(side / spacing), 1, MOST_CONTROLS)) for side in size)
    return rows, columns


def _fitted(surfaces: Surfaces, to_b: Matrix, size: tuple[int, int], grid: tuple[int, int]) -> NDArray[np.float64]:
    """Control points, (rows, columns, 2), in pixels of the blocks' field."""
    rows, columns = grid
    number = rows * columns
    basis = _basis(surfaces.centres * [to_b[0, 0], to_b[1, 1]] + to_b[:2, 2], size, grid)
    stiff = _stiffness(rows, columns)
    likelihood = likelihoods(surfaces)
    controls = np.zeros((number, 2))
    for width in STAGE.widths:
        for _ in range(2):
            guess = basis @ controls
            wish, care = expected(likelihood, guess, width)
            # Blocks pull from the guess; the field itself is solved for, so that it is the whole that stays smooth.
            wish = wish + np.einsum("nij,nj->ni", care, guess)
            blocks = [[basis.T @ (care[:, i, j, None] * basis) for j in (0, 1)] for i in (0, 1)]
            normal = np.block(blocks) + np.kron(np.eye(2), stiff)
            solution = np.linalg.solve(normal, (basis.T @ wish).T.ravel())
            controls = solution.reshape(2, number).T
    return controls.reshape(rows, columns, 2)


def _basis(points: NDArray[np.float64], size: tuple[int, int], grid: tuple[int, int]) -> NDArray[np.float64]:
    """How much each control point counts at points, (N, rows * columns)."""
    sides = []
    for axis, number in ((1, grid[0]), (0, grid[1])):
        places, weights = spline_weights(points[:, axis], size[axis], number)
        side = np.zeros((len(points), number))
        for column in range(4):
            np.add.at(side, (np.arange(len(points)), places[:, column]), weights[:, column])
        sides.append(side)
    return np.asarray(np.einsum("nr,nc->nrc", *sides).reshape(len(points), -1))


def _stiffness(rows: int, columns: int) -> NDArray[np.float64]:
    """The belief that neighbours shift alike and nothing shifts, as a precision over the control points."""
    parts = []
    for number in (rows, columns):
        difference = np.diff(np.eye(number), axis=0)
        parts.append(difference.T @ difference)
    smooth = np.kron(parts[0], np.eye(columns)) + np.kron(np.eye(rows), parts[1])
    return np.asarray(STIFFNESS * smooth + HOME * np.eye(rows * columns))


def _bounded(controls: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Control points within the bounds of a flow: shortened, and smoothed until nothing folds."""
    lengths = np.hypot(controls[..., 0], controls[..., 1])[..., None]
    controls = controls * np.minimum(1, 0.99 * MOST_SHIFT * max(size) / np.maximum(lengths, 1e-9))
    while steepest(controls, size) > 0.99 * MOST_SLOPE:
        for axis in (0, 1):
            padded = np.concatenate([controls.take([0], axis), controls, controls.take([-1], axis)], axis=axis)
            number = controls.shape[axis]
            before, after = (padded.take(range(start, start + number), axis) for start in (0, 2))
            controls = (before + 2 * controls + after) / 4
    return np.asarray(np.round(controls, 3))
