"""Climbing the mutual information of two volumes over the six numbers of a rigid move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.volumes.levels import Level
from polyfuse.volumes.mutual_information import joint_histogram, normalised_mutual_information
from polyfuse.volumes.rigid import matrix_of, move_matrix, parameters_of
from polyfuse.volumes.volume import Affine

_SUFFICIENT = 1e-4
"""Share of the rise promised by the slope that a step must make (Armijo)."""
_SHRINK = 0.4
_TRIES = 8
"""Shorter steps tried before a climb ends."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two volumes at one level and the points of a's world at which they are compared."""

    b: Level
    points: torch.Tensor
    """(N, 3)."""
    of_a: torch.Tensor
    """(N,): a's values there."""
    inside_a: torch.Tensor
    """(N,): their shares inside a."""
    num_bins: int
    least: float
    """Share of the points that must be inside b; with fewer a move is worth nothing."""

    @classmethod
    def of(cls, a: Level, b: Level, points: torch.Tensor, num_bins: int, least: float) -> Comparison:
        """Look at a once."""
        values, inside = a.sampled(points)
        return cls(b, points, values, inside, num_bins, least)

    def value(self, matrix: torch.Tensor) -> torch.Tensor:
        """NMI under a matrix (4, 4), with gradients."""
        matrix = matrix.to(self.points.dtype)
        values, inside = self.b.sampled(self.points @ matrix[:3, :3].T + matrix[:3, 3])
        inside = inside * self.inside_a
        if float(inside.detach().mean()) < self.least:
            return 1 + 0 * inside.sum()
        return normalised_mutual_information(joint_histogram(self.of_a, values, inside, self.num_bins))

    def at(self, matrix: Affine) -> float:
        """NMI under a matrix."""
        with torch.no_grad():
            return float(self.value(torch.from_numpy(matrix)))


@dataclass(frozen=True, eq=False)
class Climb:
    """Where a climb ended."""

    matrix: Affine
    value: float
    """NMI there."""
    num_steps: int


def climb(
    comparison: Comparison, start: Affine, *, centre: NDArray[np.float64], radius: float, step: float, most: int
) -> Climb:
    """Climb from a start: quasi-Newton steps (BFGS) over turns and shifts that count in the same millimetres.

    Args:
        comparison: What is climbed.
        start: (4, 4).
        centre: (3,), of a's world: what a move turns about.
        radius: Distance from the centre at which a turn counts as a shift, millimetres.
        step: Length of the first step and most of any, millimetres; a climb ends at steps of a hundredth of it.
        most: Steps at most.
    """
    units = np.array([1 / radius] * 3 + [1.0] * 3)
    about = torch.from_numpy(centre)

    def slope(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = torch.from_numpy(at * units).requires_grad_()
        value = comparison.value(move_matrix(parameters, about))
        (gradient,) = torch.autograd.grad(value, parameters)
        return float(value.detach()), gradient.numpy() * units

    here = parameters_of(start, centre) / units
    value, gradient = slope(here)
    steepness = float(np.linalg.norm(gradient))
    if steepness == 0:
        return Climb(start, value, 0)
    curvature = np.eye(6) * (step / steepness)  # inverse of minus the Hessian
    for number in range(most):
        direction = curvature @ gradient
        direction *= min(1.0, step / float(np.linalg.norm(direction)))
        better = None
        for _ in range(_TRIES):
            candidate, slope_there = slope(here + direction)
            if candidate >= value + _SUFFICIENT * float(gradient @ direction):
                better = candidate, slope_there
                break
            direction *= _SHRINK
        if better is None:
            return Climb(matrix_of(here * units, centre), value, number)
        here, change = here + direction, gradient - better[1]
        value, gradient = better
        along = float(change @ direction)
        if along > 1e-12:
            keep = np.eye(6) - np.outer(direction, change) / along
            curvature = keep @ curvature @ keep.T + np.outer(direction, direction) / along
        if float(np.linalg.norm(direction)) < step / 100:
            break
    return Climb(matrix_of(here * units, centre), value, number + 1)
