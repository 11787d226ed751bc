"""Latent low-rank representation: data by their own columns, by their own rows, and sparse errors.

Minimises ||Z||_* + ||L||_* + weight ||E||_1 subject to X = X Z + L X + E, where ||.||_* is the sum of the singular
values. X Z is what the columns have in common, L X what stands out of it: edges and texture, where the columns are
patches of pictures.

Source: Liu and Yan 2011, "Latent low-rank representation for subspace segmentation and feature extraction", and the
inexact augmented Lagrange multipliers given there. Without errors the solution is not unique (Zhang, Lin and Zhang
2013): how much goes to Z and how much to L depends on the order of the steps, Z before L, and on the start, 0, which
are therefore part of the definition here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FIRST_PENALTY, LAST_PENALTY, GROWTH = 1e-6, 1e6, 1.1
"""Of the deviation from the constraints: first, largest, and how it grows from step to step."""
TOLERANCE = 1e-6
"""Largest entry of a deviation at which the search ends."""
MOST_STEPS = 1000


@dataclass(frozen=True, eq=False)
class Representation:
    """Solution of the problem for X, (D, M)."""

    columns: Tensor
    """Z, (M, M)."""
    projection: Tensor
    """L, (D, D)."""
    errors: Tensor
    """E, (D, M)."""
    num_steps: int
    """Steps that it took."""


def latent_low_rank(samples: Tensor, weight: float) -> Representation:
    """Split data into what their columns have in common, what stands out, and sparse errors.

    All iterates of Z lie in the row space of X: kept are V^T Z, where X = U S V^T, with as many rows as X has and the
    same singular values.

    Args:
        samples: X, (D, M) float64, one sample a column; M at least D.
        weight: Of the errors (lambda), positive.

    Returns:
        Z, L and E with X = X Z + L X + E, each entry within 1e-6.

    Raises:
        ArithmeticError: If that is not reached in 1000 steps.
    """
    u, scale, vt = torch.linalg.svd(samples, full_matrices=False)
    one = torch.eye(len(samples), dtype=samples.dtype, device=samples.device)
    inverse = torch.linalg.inv(one + samples @ samples.T)
    gain = scale / (1 + scale.square())
    z, low_z, pull_z = (torch.zeros_like(vt) for _ in range(3))  # V^T Z, the same with few ranks, its multiplier
    projection, low, pull = (torch.zeros_like(one) for _ in range(3))
    errors, pull_all = torch.zeros_like(samples), torch.zeros_like(samples)
    common, latent = torch.zeros_like(samples), torch.zeros_like(samples)  # X Z and L X
    penalty = FIRST_PENALTY
    for step in range(1, MOST_STEPS + 1):
        low_z = _fewer_ranks(z + pull_z / penalty, 1 / penalty)
        low = _fewer_ranks(projection + pull / penalty, 1 / penalty)
        rest = samples - latent - errors + pull_all / penalty
        z = gain[:, None] * (u.T @ rest) + (low_z - pull_z / penalty) / (1 + scale.square())[:, None]
        common = (u * scale) @ z
        rest = samples - common - errors + pull_all / penalty
        projection = (rest @ samples.T + low - pull / penalty) @ inverse
        latent = projection @ samples
        rest = samples - common - latent + pull_all / penalty
        errors = rest.sign() * (rest.abs() - weight / penalty).clamp(min=0)
        deviations = samples - common - latent - errors, z - low_z, projection - low
        if max(deviation.abs().max().item() for deviation in deviations) < TOLERANCE:
            return Representation(vt.T @ z, projection, errors, step)
        pull_all += penalty * deviations[0]
        pull_z += penalty * deviations[1]
        pull += penalty * deviations[2]
        penalty = min(penalty * GROWTH, LAST_PENALTY)
    raise ArithmeticError(f"no representation after {MOST_STEPS} steps: scale the samples to about [0, 1].")


def _fewer_ranks(x: Tensor, threshold: float) -> Tensor:
    """The matrix with its singular values lowered by the threshold, none below 0."""
    u, scale, vt = torch.linalg.svd(x, full_matrices=False)
    kept: Tensor = (u * (scale - threshold).clamp(min=0)) @ vt
    return kept
