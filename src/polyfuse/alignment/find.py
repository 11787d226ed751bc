"""Finding the warp between a pair: a coarse search, then blocks at half and at full size, freer from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch.nn import functional

from polyfuse.alignment.blocks import Surfaces, joined, match_blocks
from polyfuse.alignment.canvas import (
    Canvas,
    Matrix,
    inverted,
    local_scale,
    projected,
    resized,
    sampled,
    scaling,
    zoomed,
)
from polyfuse.alignment.coarse import NEAR, Place, Range, search
from polyfuse.alignment.evidence import ACCEPTED, Evidence, weigh
from polyfuse.alignment.fields import BLUR, orientation_field
from polyfuse.alignment.fit import fit_motion
from polyfuse.alignment.warp import KINDS, Kind


@dataclass(frozen=True)
class Stage:
    """One step of the refinement."""

    size: float
    """Share of the working size."""
    block: int
    radius: int
    step: int
    """Side of a block, largest shift, and distance from block to block, pixels at that size."""
    kind: Kind
    widths: tuple[float, ...]
    """See `fit_motion`."""


STAGES = (
    Stage(0.5, 49, 16, 24, "similarity", (8, 4, 2)),
    Stage(0.5, 49, 12, 24, "affine", (5, 3, 1.5)),
    Stage(1, 65, 12, 40, "homography", (6, 3, 1.5)),
    Stage(1, 65, 8, 40, "homography", (4, 2, 1.2)),
)
NUM_COARSE = 2
"""The first stages, which every answer of the search goes through."""
CHECK = Stage(1, 65, 12, 36, "homography", ())
"""Blocks that a warp is judged by; they lie elsewhere than those it was found with."""
HALF_CHECK = Stage(0.5, 49, 12, 20, "homography", ())
ANSWERS = 6
"""Answers of the search that are looked into."""
SURE = 0.9
"""Confidence from which no other answer is looked into."""
FINER = (
    Range(NEAR.scales, 240),
    Range(tuple(float(scale) for scale in np.geomspace(0.14, 0.4, 13)), 480),
)
"""Where nothing is sure the search is made again at larger sizes: for scenes with few edges, and for long lenses."""
TURNS = (-12.0, -9.0, -6.0, -3.0, 3.0, 6.0, 9.0, 12.0, 90.0, 180.0, 270.0)
"""Degrees that are tried when nothing is found without."""
TURNED = Range(NEAR.scales[::2], 128)
"""Where it is turned."""
LEAST_BLOCKS = 6
"""With fewer a step is not made."""
EVEN = 1e-5
"""Standard deviation, of the picture's range, below which a picture shows nothing."""
FARTHEST = 0.2
"""Share of b's width by which a step may move one of its corners."""
MOST_ENLARGED = 4.0
"""a is compared at no more than this many pixels for one of its own, and b is blurred with it from two on."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """What was found for one pair."""

    matrix: Matrix
    """From a's canvas to b's."""
    evidence: Evidence
    """What blocks say of it."""
    pixel: float
    """Pixels of b itself for one of the shifts in it."""

    @property
    def confidence(self) -> float:
        """0 to 1."""
        return self.evidence.confidence


def estimate(a: Canvas, b: Canvas, *, kind: Kind = "homography") -> Estimate:
    """Find the warp of one pair, at most as free as `kind`; look at its confidence before you use it.

    Each answer of the search is refined at half size; the one that the blocks like best goes on. Where none convinces,
    the search is made again at larger sizes, and then with a turned.
    """
    if min(float(canvas.plane.std()) for canvas in (a, b)) < EVEN:  # nothing to find, however it is turned
        return judged(a, b, scaling((a.width, a.height), (b.width, b.height)))
    best = _best_of(search(a, b), a, b, kind)
    if best.confidence < ACCEPTED:
        finer = _best_of(search(a, b, ranges=FINER), a, b, kind)
        best = max(best, finer, key=lambda found: found.confidence)
    if best.confidence < ACCEPTED:
        turned = _best_of(search(a, b, ranges=(TURNED,), turns=TURNS), a, b, kind)
        best = max(best, turned, key=lambda found: found.confidence)
    return best


def _best_of(places: Sequence[Place], a: Canvas, b: Canvas, kind: Kind) -> Estimate:
    """The best answer, refined."""
    found: list[tuple[float, Matrix]] = []
    for place in places[:ANSWERS]:
        part, matrix = _cut_to(a, b, place.matrix)
        matrix = refined(a, part, matrix, STAGES[:NUM_COARSE], kind)
        sure = weigh(laid_over(a, part, matrix, HALF_CHECK)[0]).confidence
        found.append((sure, _between(part, b) @ matrix))
        if sure > SURE:
            break
    if not found:
        return judged(a, b, scaling((a.width, a.height), (b.width, b.height)))
    part, matrix = _cut_to(a, b, max(found, key=lambda each: each[0])[1])
    matrix = refined(a, part, matrix, STAGES[NUM_COARSE:], kind)
    return judged(a, b, _between(part, b) @ matrix)


def _between(one: Canvas, other: Canvas) -> Matrix:
    """From pixels of one canvas of a picture to those of another of it."""
    return np.asarray(other.matrix @ inverted(one.matrix))


def _cut_to(a: Canvas, b: Canvas, matrix: Matrix) -> tuple[Canvas, Matrix]:
    """The part of b that a sees, as a canvas, and the matrix to it."""
    part = zoomed(a, b, matrix)
    return part, _between(b, part) @ matrix


def judged(a: Canvas, b: Canvas, matrix: Matrix) -> Estimate:
    """What the blocks say of a matrix, however it was made."""
    part, inner = _cut_to(a, b, matrix)
    surfaces, down, _ = laid_over(a, part, inner, CHECK)
    return Estimate(matrix, weigh(surfaces), 1 / float((down @ part.matrix)[0, 0]))


def laid_over(a: Canvas, b: Canvas, matrix: Matrix, stage: Stage) -> tuple[Surfaces, Matrix, tuple[int, int]]:
    """Blocks of b matched with a laid over it.

    Returns:
        The surfaces; the matrix from b's canvas to the field they are on; width and height of that.
    """
    scale = local_scale(inverted(matrix), b.width / 2, b.height / 2)  # pixels of a for one of b's canvas
    native = max(a.size) / max(a.width, a.height)  # own pixels of a for one of its canvas
    factor = stage.size * min(1.0, MOST_ENLARGED * scale * native)
    blur = BLUR * max(1.0, factor / (scale * native) / 2)
    size = max(8, round(b.height * factor)), max(8, round(b.width * factor))
    down_b = scaling((b.width, b.height), size[::-1])
    plane, down_a = a.plane, np.eye(3)
    reduction = factor / scale
    if reduction < 0.75:
        small = max(8, round(a.height * reduction)), max(8, round(a.width * reduction))
        plane, down_a = resized(plane, small), scaling((a.width, a.height), small[::-1])
    over, mask = sampled(plane, down_a @ inverted(matrix) @ inverted(down_b), size)
    inner = -functional.max_pool2d(-mask[None, None].float(), 7, 1, 3)[0, 0]
    surfaces = match_blocks(
        orientation_field(over, blur=blur), orientation_field(resized(b.plane, size), blur=blur), inner,
        block=stage.block, radius=stage.radius, step=stage.step,
    )  # fmt: skip
    enlarged = max(1.0, factor / (scale * native), factor * float(b.matrix[0, 0]))
    return replace(surfaces, enlarged=enlarged), down_b, size[::-1]


def refined(
    a: Canvas, b: Canvas, matrix: Matrix, stages: Sequence[Stage] = STAGES, kind: Kind = "homography"
) -> Matrix:
    """Improve a matrix from a's canvas to b's; it stays as it was from where blocks are too few or lead astray."""
    return refined_together([(a, b)], matrix, stages, kind=kind)


def refined_together(
    pairs: Sequence[tuple[Canvas, Canvas]],
    matrix: Matrix,
    stages: Sequence[Stage] = STAGES,
    *,
    kind: Kind = "homography",
) -> Matrix:
    """Improve the matrix that several pairs of one size share: the blocks of all of them count."""
    b = pairs[0][1]
    for stage in stages:
        laid = [laid_over(one, other, matrix, stage) for one, other in pairs]
        surfaces = joined([each[0] for each in laid])
        _, down_b, size = laid[0]
        if len(surfaces) < LEAST_BLOCKS:
            break
        freedom = min(stage.kind, kind, key=KINDS.index)
        motion = fit_motion(surfaces, freedom, size, stage.widths)
        better = inverted(down_b) @ inverted(motion.matrix()) @ down_b @ matrix
        if not _is_possible(better, matrix, b):
            break
        matrix = better / better[2, 2]
    return matrix


def refined_by_all(pairs: Sequence[tuple[Canvas, Canvas]], matrix: Matrix, kind: Kind) -> Matrix:
    """Improve the matrix that several pairs share, where a sees b."""
    part, inner = _cut_to(*pairs[0], matrix)
    cut = [(a, b if part is pairs[0][1] else zoomed(a, b, matrix)) for a, b in pairs]
    return _between(part, pairs[0][1]) @ refined_together(cut, inner, kind=kind)


def _is_possible(after: Matrix, before: Matrix, b: Canvas) -> bool:
    """Whether a step leaves b's corners in front of the camera, and moves none of them far."""
    right, below = b.width - 1.0, b.height - 1.0
    corners = np.array([[0, 0], [right, 0], [0, below], [right, below]])
    there = projected(after, projected(inverted(before), corners))
    return bool(np.isfinite(there).all() and np.hypot(*(there - corners).T).max() < FARTHEST * b.width)
