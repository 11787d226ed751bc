"""From no idea to a move: many starts at a coarse level, the best of them climbed, fewer at each finer level."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from polyfuse.volumes.climb import Climb, Comparison, climb
from polyfuse.volumes.levels import Level, sample_points
from polyfuse.volumes.rigid import matrix_of, moved
from polyfuse.volumes.volume import Affine


@dataclass(frozen=True)
class Stage:
    """One level of the search."""

    spacing: float
    """Millimetres."""
    most_points: int
    num_bins: int
    keep: int
    """Starts that are climbed, the best first."""
    most_steps: int


STAGES = (
    Stage(8.0, 4_000, 16, 10, 20),
    Stage(4.0, 25_000, 24, 3, 30),
    Stage(2.0, 80_000, 32, 1, 40),
)
TURN, FARTHEST_TURN = 15.0, 45.0
"""Degrees between the turns tried at first, and the largest."""
LEAST_OVERLAP = 0.3
"""Share of the points that must be inside b, of the most that its size lets be."""
_SAME = 2.0
"""Two ends of climbs nearer than this are one, in spacings of their level."""


def starts(a: Level, b: Level, header: Affine) -> list[Affine]:
    """Moves to begin with: turns about the middle of what a shows, with the header's shift and with b's middle there.

    Args:
        a: The coarsest level.
        b: Of the other volume.
        header: The move that the headers imply, the identity, or one that the user gives.
    """
    middle_a, middle_b = middle(a), middle(b)
    far = int(FARTHEST_TURN // TURN)
    turns = [
        np.radians(TURN) * np.array(steps)
        for steps in itertools.product(range(-far, far + 1), repeat=3)
        if math.hypot(*steps) <= far
    ]
    found = []
    for turn in turns:
        about = matrix_of([*turn, 0, 0, 0], middle_a)
        there = header @ about
        found.append(there)
        onto = there.copy()
        onto[:3, 3] += middle_b - moved(middle_a[None], there)[0]
        found.append(onto)
    return found


def middle(level: Level) -> NDArray[np.float64]:
    """The mean position of what a volume shows, millimetres, (3,); of all of it where nothing stands out."""
    index = level.foreground.nonzero().double().numpy()
    if len(index) == 0:
        index = (np.array([level.foreground.shape]) - 1) / 2
    return np.asarray(moved(index.mean(0, keepdims=True), level.affine)[0])


def spread(level: Level) -> float:
    """The root mean square distance of what a volume shows from its middle, millimetres, at least 10."""
    index = level.foreground.nonzero().double().numpy()
    if len(index) == 0:
        return 10.0
    offsets = moved(index, level.affine) - middle(level)
    return max(10.0, float(np.sqrt((offsets**2).sum(1).mean())))


def compared(a: Level, b: Level, stage: Stage) -> Comparison:
    """The two at a level."""
    points = sample_points(a, stage.spacing, stage.most_points)
    size_a, size_b = (float(level.foreground.numel() * abs(np.linalg.det(level.affine[:3, :3]))) for level in (a, b))
    return Comparison.of(a, b, points, stage.num_bins, LEAST_OVERLAP * min(1.0, size_b / size_a))


@dataclass(frozen=True, eq=False)
class Found:
    """The best move, and how near another one comes to it."""

    best: Climb
    rival: float
    """NMI - 1 of the best move that is another, as a share of the best one's, at the last but one level; 0 if none."""
    last: Comparison
    """The finest level, to compare other moves there."""


def search(pyramid: list[tuple[Level, Level]], header: Affine, stages: tuple[Stage, ...] = STAGES) -> Found:
    """The move under which two volumes tell most of each other.

    Args:
        pyramid: a and b at the spacing of each stage.
        header: The move to begin with, from a's world to b's.
        stages: From coarse to fine, two or more.
    """
    centre, radius = middle(pyramid[0][0]), spread(pyramid[0][0])
    around = centre + radius * np.concatenate([np.eye(3), -np.eye(3)])
    comparison = compared(*pyramid[0], stages[0])
    ends = [Climb(each, comparison.at(each), 0) for each in starts(*pyramid[0], header)]
    apart, rival = math.radians(TURN) * radius, 0.0
    for number, stage in enumerate(stages):
        comparison = compared(*pyramid[number], stage) if number else comparison
        ends = [
            climb(comparison, start.matrix, centre=centre, radius=radius, step=stage.spacing, most=stage.most_steps)
            for start in _distinct(ends, around, apart)[: stage.keep]
        ]
        apart = _SAME * stage.spacing
        if number == len(stages) - 2:
            best, *others = _distinct(ends, around, apart)
            rival = (others[0].value - 1) / (best.value - 1) if others and best.value > 1 else 0.0
    return Found(max(ends, key=lambda end: end.value), rival, comparison)


def mirrored(pyramid: list[tuple[Level, Level]], matrix: Affine, stages: tuple[Stage, ...] = STAGES) -> float:
    """How well b fits a with left and right exchanged: NMI - 1 as a share of that under the move, at the second stage.

    # ours: a head is nearly its own mirror image, so that one stored the wrong way round fits well. It fits better
    # still once it is turned back, and that is what this finds.
    """
    centre, radius = middle(pyramid[0][0]), spread(pyramid[0][0])
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = 2 * centre[0]
    there, value = matrix, 1.0
    for (a, b), stage in zip(pyramid[:2], stages[:2], strict=True):
        turned = replace(a, affine=mirror @ a.affine)
        end = climb(
            compared(turned, b, stage), there, centre=centre, radius=radius, step=stage.spacing, most=stage.most_steps
        )
        there, value = end.matrix, end.value
    usual = compared(*pyramid[1], stages[1]).at(matrix)
    return (value - 1) / (usual - 1) if usual > 1 else 0.0


def _distinct(found: list[Climb], around: NDArray[np.float64], apart: float) -> list[Climb]:
    """The best first, without those that a better one is near to; points around the middle say how near."""
    kept: list[Climb] = []
    places = np.zeros((0, *around.shape))
    for each in sorted(found, key=lambda each: -each.value):
        there = moved(around, each.matrix)
        if (np.linalg.norm(places - there, axis=-1).max(axis=-1) > apart).all():
            kept.append(each)
            places = np.concatenate([places, there[None]])
    return kept
