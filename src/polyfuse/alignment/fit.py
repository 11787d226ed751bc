"""The motion that most blocks agree with, found by looking at all their shifts at once.

No block is asked for its one best shift: a block on a straight edge has a whole line of them. Each gives a likelihood
over shifts; near the present guess its mean and spread say where it wants to go and in which direction it cares. These
are solved for the motion, and the neighbourhood that is looked at shrinks from step to step (expectation-maximisation,
annealed). Blocks that show something else care little near the guess, so they drop out by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.alignment.blocks import Surfaces
from polyfuse.alignment.canvas import Matrix
from polyfuse.alignment.warp import Kind

SHARPNESS = 40.0
"""Logarithm of the likelihood for a correlation of 1: what noise reaches, 0.06, is worth a factor of 10."""
ROUNDS = 2
"""Steps at each width of the neighbourhood."""
_PEAK_VARIANCE = 0.15
"""Variance of a block's shift that no peak is sharper than, square pixels."""
_RIDGE = 1e-6
_NUM_PARAMETERS: dict[Kind, int] = {"shift": 2, "similarity": 4, "affine": 6, "homography": 8}


@dataclass(frozen=True, eq=False)
class Motion:
    """By how much each point of b's field is to be found further in a."""

    parameters: NDArray[np.float64]
    kind: Kind
    centre: tuple[float, float]
    """The point that the parameters turn about: column and row."""
    unit: float
    """The distance at which they count, pixels."""

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shifts at points, both (N, 2)."""
        return np.asarray(_basis((points - self.centre) / self.unit, self.kind) @ self.parameters)

    def matrix(self) -> Matrix:
        """From points of b's field to where they are found in a's, to first order for the two of perspective."""
        t = np.zeros(8)
        if self.kind == "similarity":
            x, y, stretch, turn = self.parameters
            t[:6] = x, y, stretch, -turn, turn, stretch
        else:
            t[: len(self.parameters)] = self.parameters
        unit = self.unit
        about = np.array(
            [
                [1 + t[2] / unit, t[3] / unit, t[0]],
                [t[4] / unit, 1 + t[5] / unit, t[1]],
                [-t[6] / unit**2, -t[7] / unit**2, 1],
            ]
        )
        there = np.array([[1, 0, self.centre[0]], [0, 1, self.centre[1]], [0, 0, 1]])
        return np.asarray(there @ about @ np.linalg.inv(there))


def _basis(points: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """What each parameter adds to the shift at points (N, 2): (N, 2, parameters)."""
    x, y = points[:, 0], points[:, 1]
    one, none = np.ones_like(x), np.zeros_like(x)
    columns = [(one, none), (none, one)]
    if kind == "similarity":
        columns += [(x, y), (-y, x)]
    elif kind != "shift":
        columns += [(x, none), (y, none), (none, x), (none, y)]
    if kind == "homography":
        columns += [(x * x, x * y), (x * y, y * y)]
    return np.stack([np.stack(column, axis=-1) for column in columns], axis=-1)


def fit_motion(surfaces: Surfaces, kind: Kind, size: tuple[int, int], widths: Sequence[float]) -> Motion:
    """The motion under which the blocks fit best, from none at all.

    Args:
        surfaces: Of one pair or of several with the same motion, one after another.
        kind: What the motion may be: shift, similarity, affine or homography.
        size: Width and height of the field.
        widths: Standard deviations of the neighbourhood, one after another, pixels.
    """
    centre, unit = ((size[0] - 1) / 2, (size[1] - 1) / 2), size[0] / 2
    basis = _basis((surfaces.centres - centre) / unit, kind)
    likelihood = likelihoods(surfaces)
    parameters = np.zeros(_NUM_PARAMETERS[kind])
    for width in widths:
        for _ in range(ROUNDS):
            guess = basis @ parameters
            wish, care = expected(likelihood, guess, width)
            normal = np.einsum("nip,nij,njq->pq", basis, care, basis)
            pull = np.einsum("nip,ni->p", basis, wish)
            step = np.linalg.solve(normal + _RIDGE * np.eye(len(parameters)), pull)
            parameters = parameters + step
    return Motion(parameters, kind, centre, unit)


def likelihoods(surfaces: Surfaces) -> torch.Tensor:
    """How likely each block lies at each shift, (N, side, side), 1 at its best."""
    return torch.exp(SHARPNESS * (surfaces.values - surfaces.values.amax((1, 2), keepdim=True)))


def expected(
    likelihood: torch.Tensor, guess: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where blocks want to go from a guess, as a pull (N, 2), and how much they care, as a precision (N, 2, 2).

    The neighbourhood is a Gaussian about the guess. Its own precision is taken off that of what is seen through it, so
    that what remains is the block's; a block that shows nothing there has none.
    """
    reach = likelihood.shape[-1] // 2
    places = torch.arange(-reach, reach + 1, dtype=torch.float32)
    near = torch.exp(-((places - torch.from_numpy(guess).float()[..., None]) ** 2) / (2 * width**2))  # (N, 2, reach)
    seen = likelihood * near[:, 1, :, None] * near[:, 0, None, :]
    columns, rows = seen.sum(1), seen.sum(2)
    total = columns.sum(1).clamp(min=1e-30)
    x, y = (columns @ places) / total, (rows @ places) / total
    xx, yy = (columns @ places**2) / total - x * x, (rows @ places**2) / total - y * y
    xy = ((seen @ places) @ places) / total - x * y
    spread = torch.stack([xx, xy, xy, yy], dim=-1).reshape(-1, 2, 2).double().numpy() + _PEAK_VARIANCE * np.eye(2)
    precision = np.linalg.inv(spread)
    values, vectors = np.linalg.eigh(precision)
    values = np.clip(values - 1 / (width**2 + _PEAK_VARIANCE), 0, None)
    care = np.einsum("nij,nj,nkj->nik", vectors, values, vectors)
    mean = torch.stack([x, y], dim=-1).double().numpy()
    return np.einsum("nij,nj->ni", precision, mean - guess), care
