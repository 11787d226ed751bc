"""The warp of a fixed pair of cameras from one or many of their pictures: all of them vote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment.apply import check_sizes_fit, resampler_of
from polyfuse.alignment.canvas import Canvas, Matrix, as_canvas, inverted, projected
from polyfuse.alignment.evidence import ACCEPTED, Evidence
from polyfuse.alignment.find import Estimate, estimate, judged, refined_by_all
from polyfuse.alignment.points import fit_points
from polyfuse.alignment.warp import Kind, Warp
from polyfuse.errors import InputError, UsageError

GRID = 9
"""Points a side of the grid on which warps are compared."""
SAME = 10.0
"""Pixels of a picture 640 wide within which two pictures agree about a warp."""
ENOUGH = 0.5
"""Share of the pictures that are sure that must agree for all to be accepted."""
Pictures = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Vote:
    """What one pair said by itself."""

    name: str
    confidence: float
    apart: float
    """Mean distance of its warp from that of all, pixels of b."""


@dataclass(frozen=True, eq=False)
class Finding:
    """A warp and what speaks for it."""

    warp: Warp
    votes: tuple[Vote, ...]
    estimate: Estimate
    """What the blocks of the last pair that was looked at say of it."""
    canvases: tuple[Canvas, Canvas]
    """Of that pair."""
    pairs: tuple[tuple[Canvas, Canvas], ...] = ()
    """Those of all pairs that were looked at, as the matrix of `estimate` lays them over one another."""

    @property
    def is_accepted(self) -> bool:
        """Whether the confidence is high enough to use it."""
        return (self.warp.confidence or 0.0) >= ACCEPTED


def find_warp(
    pairs: Iterable[tuple[str, NDArray[Any], NDArray[Any]]],
    *,
    kind: Kind = "homography",
    on_pair: Callable[[int, int], None] | None = None,
) -> Finding:
    """Find the warp from a to b that pictures of one pair of cameras share.

    Args:
        pairs: A name and two pictures each, (H, W) or (H, W, 3) of uint8, uint16 or float32; sizes the same throughout.
        kind: The freest model that is allowed: similarity, affine or homography.
        on_pair: Called with the number of pairs that have voted and that of all.

    Returns:
        The warp with its confidence, which may be low: look at `is_accepted`.

    Raises:
        UsageError: For a model with radial terms.
        InputError: If there is no pair, or sizes differ.
    """
    if kind == "homography-radial":
        raise UsageError("frames give a homography first: ask for that, then polyfuse.alignment.lens.with_lenses.")
    canvases: list[tuple[str, Canvas, Canvas]] = []
    for name, a, b in pairs:
        canvas_a, canvas_b = as_canvas(a), as_canvas(b)
        if canvases and (canvas_a.size, canvas_b.size) != (canvases[0][1].size, canvases[0][2].size):
            raise InputError(
                f"{name} has other sizes than {canvases[0][0]}: give one pair of cameras, or align each pair by itself"
            )
        canvases.append((name, canvas_a, canvas_b))
    if not canvases:
        raise InputError("there is no pair to align: give two pictures, folders or clips")
    estimates = []
    for _, canvas_a, canvas_b in canvases:
        estimates.append(estimate(canvas_a, canvas_b, kind=kind))
        if on_pair is not None:
            on_pair(len(estimates), len(canvases))
    middle = _most_central(estimates, canvases[0][2])
    matrix = estimates[middle].matrix
    if len(canvases) > 1:
        matrix = refined_by_all([(a, b) for _, a, b in canvases], matrix, kind)
    final = [judged(a, b, matrix) for _, a, b in canvases] if len(canvases) > 1 else estimates
    width_b = canvases[0][2].size[0]
    votes = tuple(
        Vote(name, each.confidence, _apart(each.matrix, matrix, a, b) * b.size[0] / b.width)
        for (name, a, b), each in zip(canvases, estimates, strict=True)
    )
    confidence = _confidence(votes, final, width_b)
    native = _native(matrix, canvases[0][1], canvases[0][2], kind)
    _, one, other = canvases[middle]
    warp = Warp(
        native, one.size, other.size, kind, found=_how(len(canvases)), residual=residual_of(final),
        confidence=round(confidence, 4),
        details=_details(votes, final, width_b),
    )  # fmt: skip
    return Finding(warp, votes, final[middle], (one, other), tuple((a, b) for _, a, b in canvases))


def judged_finding(warp: Warp, a: NDArray[Any], b: NDArray[Any]) -> Finding:
    """What the pictures of a pair say of a warp that was made otherwise.

    Args:
        warp: From a to b.
        a: (H, W) or (H, W, 3), of the warp's size of a.
        b: Of its size of b.

    Raises:
        InputError: If sizes are not the warp's.
    """
    canvas_a, canvas_b, inner = canvases_under(warp, a, b)
    pair = canvas_a, canvas_b
    return Finding(warp, (), judged(canvas_a, canvas_b, inner), pair, (pair,))


def canvases_under(warp: Warp, a: NDArray[Any], b: NDArray[Any]) -> tuple[Canvas, Canvas, Matrix]:
    """Canvases of a pair and the matrix between them; under lenses or a flow, that of a as it lies on b.

    Raises:
        InputError: If sizes are not the warp's.
    """
    check_sizes_fit(warp, (a.shape[1], a.shape[0]), (b.shape[1], b.shape[0]))
    matrix = warp.matrix
    if not warp.is_matrix:  # lenses and flow are taken out of a first
        a, matrix = resampler_of(warp, "b")(a), np.eye(3)
    canvas_a, canvas_b = as_canvas(a), as_canvas(b)
    return canvas_a, canvas_b, canvas_b.matrix @ matrix @ inverted(canvas_a.matrix)


def _how(number: int) -> str:
    return "blocks of one pair" if number == 1 else f"blocks of {number} pairs"


def _most_central(estimates: Sequence[Estimate], b: Canvas) -> int:
    """The pair whose warp most of the others are near to, weighted by how sure they are."""
    if len(estimates) == 1:
        return 0
    grids = np.stack([projected(inverted(each.matrix), _grid(b)) for each in estimates])
    apart = np.nan_to_num(np.linalg.norm(grids[:, None] - grids[None], axis=-1).mean(-1), nan=1e6)
    near = np.exp(-apart / SAME) @ np.array([each.confidence + 1e-6 for each in estimates])
    return int((near * [0.1 + each.confidence for each in estimates]).argmax())


def _grid(b: Canvas) -> NDArray[np.float64]:
    """Points spread over b's canvas, (81, 2)."""
    share = (np.arange(GRID) + 0.5) / GRID
    x, y = np.meshgrid(share * b.width - 0.5, share * b.height - 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=-1)


def _apart(one: Matrix, other: Matrix, a: Canvas, b: Canvas) -> float:
    """Mean distance between two warps over what a and b share under the second, pixels of b's canvas."""
    there = projected(inverted(other), _grid(b))
    inside = ((there >= 0) & (there <= [a.width - 1, a.height - 1])).all(1)
    if not inside.any():
        return float("inf")
    return float(np.hypot(*(projected(one, there[inside]) - _grid(b)[inside]).T).mean())


def _confidence(votes: Sequence[Vote], final: Sequence[Estimate], width_b: int) -> float:
    """Of all pairs together: the median of those that agree, times the share that does."""
    if len(votes) == 1:
        return votes[0].confidence
    sure = [vote for vote in votes if vote.confidence >= ACCEPTED]
    if not sure:
        return float(np.median([each.confidence for each in final]))
    agreeing = np.mean([vote.apart <= SAME * width_b / 640 for vote in sure])
    return float(np.median([each.confidence for each in final]) * min(1.0, agreeing / ENOUGH))


def residual_of(final: Sequence[Estimate]) -> float | None:
    """Median of how far agreeing blocks are from where the warp puts them, pixels of b."""
    parts = [np.hypot(*each.evidence.shifts[each.evidence.in_place].T) * each.pixel for each in final]
    every = np.concatenate(parts)
    return round(float(np.median(every)), 3) if len(every) else None


def _details(votes: Sequence[Vote], final: Sequence[Estimate], width_b: int) -> dict[str, Any]:
    """What the warp file says of the evidence."""
    details: dict[str, Any] = {
        "blocks": sum(each.evidence.num_blocks for each in final),
        "blocks_in_place": round(share_in_place([each.evidence for each in final]), 3),
    }
    if len(votes) > 1:
        apart = [vote.apart for vote in votes if vote.confidence >= ACCEPTED and np.isfinite(vote.apart)]
        details["pairs"] = len(votes)
        details["pairs_sure"] = sum(vote.confidence >= ACCEPTED for vote in votes)
        details["pairs_agreeing"] = sum(each <= SAME * width_b / 640 for each in apart)
        details["pairs_apart"] = round(float(np.median(apart)), 3) if apart else None
    return details


def share_in_place(evidence: Sequence[Evidence]) -> float:
    """Share of all blocks that agree."""
    total = sum(each.num_blocks for each in evidence)
    return sum(each.share * each.num_blocks for each in evidence) / total if total else 0.0


def _native(matrix: Matrix, a: Canvas, b: Canvas, kind: Kind) -> Matrix:
    """The matrix between the pictures themselves, of its kind to the last bit."""
    whole = inverted(b.matrix) @ matrix @ a.matrix
    if kind == "homography":
        return np.asarray(whole / whole[2, 2])
    x, y = np.meshgrid(np.linspace(0, a.size[0] - 1, GRID), np.linspace(0, a.size[1] - 1, GRID))
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    return fit_points(points, projected(whole, points), kind)
