"""How sure a move is: whether each part of a, by itself, wants to stay where the move puts it.

Mutual information has a highest point whatever the volumes show, so its height tells little. Here a is cut into cubes,
and each is shifted about over the moved b. Where both show the same thing, most cubes fit best unshifted; where they do
not, each wants something else.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.volumes.levels import Level, sample_points
from polyfuse.volumes.mutual_information import joint_histogram
from polyfuse.volumes.volume import Affine

SIDE = 40.0
"""Of a cube, millimetres."""
STEP, REACH = 4.0, 3
"""Millimetres between the shifts tried, and steps to each side."""
MOST_POINTS = 20_000
IN_PLACE = 4.0
"""Farthest that the best shift of a cube which agrees may be from none, millimetres."""
_LEAST_INSIDE = 0.6
"""Share of a cube's points that b must have under every shift."""
_TEXTURED = 0.1
"""Variance of a cube, in that of an average one, below which it has nothing to say."""
_LEAST_POINTS = 100
_BINS = 24
LEAST_CUBES = 6
"""With fewer cubes that say anything, nothing is sure."""
ACCEPTED = 0.5
"""Confidence from which a move is accepted."""
_HALFWAY, _PER_SHARE = 0.4, 20.0
"""Share at which the odds are even, and how fast their logarithm grows with it; see docs/medical-registration.md."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the cubes say of a move."""

    share: float
    """Share of cubes whose best shift is none, 0 to 1."""
    contrast: float
    """How far no shift stands out among all of a cube, in their standard deviations, the mean over the cubes."""
    residual: float
    """Median length of the cubes' best shifts, millimetres."""
    num_cubes: int
    shifts: NDArray[np.float64]
    """(N, 3): the best shift of each."""

    @property
    def confidence(self) -> float:
        """How likely the move is right, 0 to 1."""
        if self.num_cubes < LEAST_CUBES:
            return 0.0
        # What few cubes say may be chance: a standard error is taken off.
        odds = _PER_SHARE * (self.share - 0.5 / math.sqrt(self.num_cubes) - _HALFWAY)
        return 1 / (1 + math.exp(-odds))

    def scaled(self, factor: float) -> Evidence:
        """The same in other units of length."""
        return replace(self, residual=self.residual * factor, shifts=self.shifts * factor)


def weigh(a: Level, b: Level, matrix: Affine) -> Evidence:
    """What the cubes say of a move between two volumes at a level of about 4 mm."""
    points = sample_points(a, STEP * 0.75, MOST_POINTS, seed=1)
    values, inside_a = a.sampled(points)
    cubes, num_cubes = _cubes(a, points)
    turn = torch.from_numpy(matrix[:3, :3]).float()
    there = points @ turn.T + torch.from_numpy(matrix[:3, 3]).float()
    of_b, inside = b.sampled(there)
    inside = inside * inside_a
    textured = _textured(values, inside, cubes, num_cubes) & _textured(of_b, inside, cubes, num_cubes)
    parity = (cubes % 2).bool()
    tables = [_table(values[part], of_b[part], inside[part]) for part in (~parity, parity)]
    side = 2 * REACH + 1
    surfaces = torch.zeros(side**3, num_cubes)
    inner = torch.full((num_cubes,), 1.0)
    per_cube = torch.zeros(num_cubes).index_add(0, cubes, torch.ones_like(values)).clamp(min=1)
    for number, steps in enumerate(itertools.product(range(-REACH, REACH + 1), repeat=3)):
        of_b, inside = b.sampled(there + STEP * torch.tensor(steps, dtype=torch.float32) @ turn.T)
        inside = inside * inside_a
        said = torch.where(parity, _looked_up(tables[0], values, of_b), _looked_up(tables[1], values, of_b))
        weight = torch.zeros(num_cubes).index_add(0, cubes, inside)
        surfaces[number] = torch.zeros(num_cubes).index_add(0, cubes, said * inside) / weight.clamp(min=1e-6)
        inner = torch.minimum(inner, weight / per_cube)
    keep = (inner > _LEAST_INSIDE) & textured & (per_cube > _LEAST_POINTS)
    return _evidence(surfaces.T[keep].reshape(-1, side, side, side))


def _cubes(a: Level, points: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The number of each point's cube: even and odd ones alternate like the fields of a chessboard."""
    index = ((points - points.amin(0)) / SIDE).long()
    sides = [int(side) + 1 for side in index.amax(0)]
    sides = [side + (side + 1) % 2 for side in sides]  # odd sides keep the chessboard in the numbers
    return (index[:, 0] * sides[1] + index[:, 1]) * sides[2] + index[:, 2], math.prod(sides)


def _textured(values: torch.Tensor, inside: torch.Tensor, cubes: torch.Tensor, num_cubes: int) -> torch.Tensor:
    """Which cubes have something to say, by the variance of their values: (num_cubes,), bool."""
    counts, sums, squares = (
        torch.zeros(num_cubes).index_add(0, cubes, each) for each in (inside, values * inside, values * values * inside)
    )
    variance = squares / counts.clamp(min=1e-6) - (sums / counts.clamp(min=1e-6)) ** 2
    usual = variance[counts > _LEAST_POINTS]
    return variance > _TEXTURED * (usual.mean() if len(usual) else 1.0)


def _table(a: torch.Tensor, b: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """How much likelier each pair of values is than by chance, as a logarithm: (bins, bins)."""
    joint = joint_histogram(a, b, inside, _BINS) + 1e-5
    joint = joint / joint.sum()
    return (joint / (joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True))).log()


def _looked_up(table: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The table's entry of each pair of values."""
    row, column = ((1 + values * (_BINS - 3)).round().long() for values in (a, b))
    return table[row, column]


def _evidence(surfaces: torch.Tensor) -> Evidence:
    """From surfaces (N, side, side, side)."""
    if len(surfaces) == 0:
        return Evidence(0.0, 0.0, 0.0, 0, np.zeros((0, 3)))
    places = STEP * torch.arange(-REACH, REACH + 1, dtype=torch.float32)
    length = torch.stack(torch.meshgrid(places, places, places, indexing="ij")).norm(dim=0)
    far = surfaces[:, length > 2 * STEP]
    contrast = (surfaces[:, length <= STEP].amax(1) - far.mean(1)) / (far.std(1) + 1e-6)
    shifts = _best_shifts(surfaces)
    lengths = np.linalg.norm(shifts, axis=1)
    return Evidence(
        float((lengths <= IN_PLACE).mean()), float(contrast.mean()), float(np.median(lengths)), len(shifts), shifts
    )


def _best_shifts(surfaces: torch.Tensor) -> NDArray[np.float64]:
    """The shift at which each cube fits best, to a part of a step: (N, 3), millimetres."""
    side = surfaces.shape[-1]
    best = surfaces.flatten(1).argmax(1)
    place = torch.stack([best // side**2, best // side % side, best % side], dim=1)
    index, parts = torch.arange(len(surfaces)), []
    for axis in range(3):
        inner = place.clone()
        inner[:, axis] = inner[:, axis].clamp(1, side - 2)
        triple = []
        for step in (-1, 0, 1):
            there = inner.clone()
            there[:, axis] += step
            triple.append(surfaces[index, there[:, 0], there[:, 1], there[:, 2]])
        bend = (triple[0] - 2 * triple[1] + triple[2]).clamp(max=-1e-9)
        part = ((triple[0] - triple[2]) / (2 * bend)).clamp(-0.5, 0.5)
        parts.append(place[:, axis] + torch.where(place[:, axis] == inner[:, axis], part, torch.zeros_like(part)))
    return (STEP * (torch.stack(parts, dim=1).double().numpy() - side // 2)).astype(np.float64)
