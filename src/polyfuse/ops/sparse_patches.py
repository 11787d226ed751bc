"""Orthogonal matching pursuit of many patches at once, and an overcomplete dictionary of cosines."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cosine_dictionary(side: int, atoms_a_side: int) -> Tensor:
    """Overcomplete two-dimensional cosines without the constant one.

    Args:
        side: Of a patch, pixels.
        atoms_a_side: Frequencies in either direction; at least `side`.

    Returns:
        (side^2, atoms_a_side^2 - 1) float32, columns with mean 0 and length 1.
    """
    place = torch.arange(side, dtype=torch.float64)[:, None] + 0.5
    frequency = torch.arange(atoms_a_side, dtype=torch.float64)
    waves = torch.cos(math.pi * place * frequency / atoms_a_side)
    waves[:, 1:] -= waves[:, 1:].mean(dim=0)
    waves /= waves.norm(dim=0)
    return torch.kron(waves, waves)[:, 1:].float()


def matching_pursuit(patches: Tensor, dictionary: Tensor, error: float, most: int) -> tuple[Tensor, Tensor]:
    """Sparse approximation of each patch: the best next atom until the rest is short enough.

    Args:
        patches: (P, D).
        dictionary: (D, K), columns of length 1.
        error: Length of the rest at which a patch is done.
        most: Largest number of atoms of a patch, at most D.

    Returns:
        The approximations, (P, D), and the sums of the absolute values of their codes, (P,).

    Source: Pati, Rezaiifar and Krishnaprasad 1993, by orthogonalising the atoms one after the other.
    """
    count, size = patches.shape
    rest = patches.clone()
    axes, places = patches.new_zeros(count, most, size), patches.new_zeros(count, most)
    triangle = torch.eye(most, dtype=patches.dtype, device=patches.device).repeat(count, 1, 1)
    for turn in range(most):
        going = rest.norm(dim=1) > error
        if not going.any():
            break
        atoms = dictionary.T[(rest @ dictionary).abs().argmax(dim=1)]
        along = (axes[:, :turn] @ atoms[..., None])[..., 0]
        axis = atoms - (axes[:, :turn] * along[..., None]).sum(dim=1)
        length = axis.norm(dim=1)
        going &= length > 1e-5  # an atom that adds nothing ends the search of its patch
        axis = torch.where(going[:, None], axis / length.clamp(min=1e-5)[:, None], 0)
        axes[:, turn] = axis
        places[:, turn] = (axis * rest).sum(dim=1)
        triangle[:, :turn, turn] = torch.where(going[:, None], along, 0)
        triangle[:, turn, turn] = torch.where(going, length, 1)
        rest = rest - axis * places[:, turn, None]
    code = torch.linalg.solve_triangular(triangle, places[..., None], upper=True)
    return patches - rest, code.abs().sum(dim=(1, 2))
