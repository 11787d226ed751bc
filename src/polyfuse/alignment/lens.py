"""Radial terms of two cameras from blocks of many frames.

They are kept where blocks of half of the pairs confirm those of the other half; else the warp stays a homography, and
the details say why. Those of a board, and of points by hand, are in `board` and `points`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment.canvas import inverted, projected, zoomed
from polyfuse.alignment.evidence import best_shifts
from polyfuse.alignment.find import Stage, laid_over
from polyfuse.alignment.points import LEAST_FOR_LENSES, Points, fit_points, fit_with_lenses
from polyfuse.alignment.shifts import LEAST_RISE, with_neighbours
from polyfuse.alignment.vote import Finding, canvases_under, judged_finding, residual_of
from polyfuse.alignment.warp import Warp

LEAST_PAIRS = 4
"""Pairs of pictures from which blocks may give radial terms."""
BETTER = 0.9
"""How far fresh blocks are off with radial terms, in that without, up to which they are kept."""
_STAGE = Stage(1, 65, 12, 36, "homography", ())
_Pictures = tuple[NDArray[np.float32], NDArray[np.float32]]


def with_lenses(finding: Finding) -> Finding:
    """What was found, with radial terms where they make it better.

    Args:
        finding: From `find_warp`, of a homography.
    """
    warp = finding.warp
    pictures = [(a.whole[0, 0].numpy(), b.whole[0, 0].numpy()) for a, b in finding.pairs]
    if len(pictures) < LEAST_PAIRS:
        return _told(finding, f"blocks need {LEAST_PAIRS} pairs at least")
    halves = _halves(warp, pictures)
    if min(len(half[0]) for half in halves) < 4 * LEAST_FOR_LENSES:
        return _told(finding, "too little can be compared")
    ratios = []
    for fitted, fresh in (halves, halves[::-1]):
        plain, lenses = (_robust(warp, *fitted, lenses=flag) for flag in (False, True))
        ratios.append(_off(lenses, *fresh) / max(_off(plain, *fresh), 1e-6))
    ratio = float(np.mean(ratios))
    if ratio > BETTER:
        return _told(finding, "fresh blocks fit no better with them", ratio)
    better = _robust(warp, *_both(halves), lenses=True)
    better = _robust(better, *_both(_halves(better, pictures)), lenses=True)  # blocks fit better under the first answer
    details = {**warp.details, "lenses": {"kept": True, "residual_ratio": round(ratio, 3)}}
    middle = next(index for index, pair in enumerate(finding.pairs) if pair[0] is finding.canvases[0])
    judged = judged_finding(better, *pictures[middle])
    better = replace(better, residual=residual_of([judged.estimate]), details=details)
    return replace(finding, warp=better, estimate=judged.estimate, canvases=judged.canvases, pairs=judged.pairs)


def _told(finding: Finding, why: str, ratio: float | None = None) -> Finding:
    """What was found as it is, with the reason why there are no radial terms in it."""
    lenses: dict[str, Any] = {"kept": False, "why": why}
    if ratio is not None:
        lenses["residual_ratio"] = round(ratio, 3)
    return replace(finding, warp=replace(finding.warp, details={**finding.warp.details, "lenses": lenses}))


def _halves(warp: Warp, pictures: Sequence[_Pictures]) -> list[tuple[Points, Points]]:
    """Pairs of points that blocks agree on, of every second pair of pictures and of the others."""
    spots = [_spots(warp, a, b) for a, b in pictures]
    return [_both(spots[first::2]) for first in (0, 1)]


def _both(parts: Sequence[tuple[Points, Points]]) -> tuple[Points, Points]:
    """Pairs of points put together."""
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _spots(warp: Warp, a: NDArray[Any], b: NDArray[Any]) -> tuple[Points, Points]:
    """Pairs of points, pixels of a and of b, at which blocks of one pair say something clear."""
    canvas_a, canvas_b, matrix = canvases_under(warp, a, b)
    part = zoomed(canvas_a, canvas_b, matrix)
    surfaces, down, _ = laid_over(canvas_a, part, part.matrix @ inverted(canvas_b.matrix) @ matrix, _STAGE)
    if len(surfaces) == 0:
        return np.zeros((0, 2)), np.zeros((0, 2))
    values = with_neighbours(surfaces, 0.5 * _STAGE.step)
    flat = values.flatten(1)
    clear = ((flat.amax(1) - flat.mean(1)) / (flat.std(1) + 1e-6) > LEAST_RISE).numpy()
    to_b = inverted(down @ part.matrix)
    here = projected(to_b, surfaces.centres[clear])
    there = warp.to_a(projected(to_b, surfaces.centres[clear] + best_shifts(values)[clear]))
    with np.errstate(invalid="ignore"):
        seen = ((there >= 0) & (there <= np.array(warp.size_a) - 1)).all(1)
    return there[seen], here[seen]


def _robust(warp: Warp, a: Points, b: Points, *, lenses: bool) -> Warp:
    """The warp through points of which some are wrong: those far off are left out, twice."""
    keep = np.ones(len(a), bool)
    fitted = warp
    for _ in range(3):
        if lenses:
            matrix, radial_a, radial_b = fit_with_lenses(a[keep], b[keep], warp.size_a, warp.size_b)
            fitted = replace(warp, matrix=matrix, kind="homography-radial", radial_a=radial_a, radial_b=radial_b)
        else:
            fitted = replace(warp, matrix=fit_points(a[keep], b[keep], "homography"))
        errors = np.nan_to_num(np.hypot(*(fitted.to_b(a) - b).T), nan=1e6)
        keep = errors <= max(1.0, 3 * float(np.median(errors)))
    return fitted


def _off(warp: Warp, a: Points, b: Points) -> float:
    """Median distance of points from where a warp puts them, pixels of b."""
    return float(np.nanmedian(np.hypot(*(warp.to_b(a) - b).T)))
