"""Moves of a rigid body in space: six numbers, 4x4 matrices in millimetres, and how far two of them are apart.

Worlds are RAS+ millimetres: x to the patient's right, y to the front (anterior), z to the head (superior). A matrix
maps columns (x, y, z, 1) of a's world to those of b's: the point of b that shows what a shows at x is `matrix @ x`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from polyfuse.errors import InputError
from polyfuse.volumes.volume import Affine

_RIGID = 1e-5
"""By so much the linear part may differ from a rotation, a thousandth of a millimetre at 10 cm."""

_ROUNDED = 1e-12


def move_matrix(parameters: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    """The matrix of six numbers, with gradients: turn about a centre, then shift.

    Args:
        parameters: (6,): the axis of the turn times its angle, radians, and the shift, millimetres.
        centre: (3,), millimetres: where the turn leaves things in place.

    Returns:
        (4, 4), of the parameters' type.
    """
    x, y, z = parameters[:3]
    none = torch.zeros_like(x)
    generator = torch.stack([none, -z, y, z, none, -x, -y, x, none]).reshape(3, 3)
    turn = torch.linalg.matrix_exp(generator)
    shift = centre - turn @ centre + parameters[3:]
    last = torch.tensor([[0, 0, 0, 1]], dtype=parameters.dtype)
    return torch.cat([torch.cat([turn, shift[:, None]], dim=1), last])


def matrix_of(parameters: ArrayLike, centre: ArrayLike) -> Affine:
    """`move_matrix` without gradients, of anything that holds six numbers and three."""
    values, about = (torch.from_numpy(np.array(each, np.float64)) for each in (parameters, centre))
    return np.asarray(move_matrix(values, about).numpy())


def parameters_of(matrix: Affine, centre: ArrayLike) -> NDArray[np.float64]:
    """The six numbers of a rigid matrix about a centre, the reverse of `matrix_of`; the angle is at most pi."""
    turn, middle = matrix[:3, :3], np.asarray(centre, np.float64)
    shift = matrix[:3, 3] - middle + turn @ middle
    return np.concatenate([_rotation_vector(turn), shift])


def _rotation_vector(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axis times angle of a rotation (3, 3), by way of its unit quaternion, which is safe at any angle.

    Source: Shepperd, "Quaternion from rotation matrix", Journal of Guidance and Control 1(3), 1978.
    """
    products = np.empty((4, 4))  # of the quaternion (w, x, y, z) with itself, times 4
    trace = float(np.trace(turn))
    products[0, 0] = 1 + trace
    products[range(1, 4), range(1, 4)] = 1 - trace + 2 * np.diag(turn)
    for row, (i, j) in enumerate(((2, 1), (0, 2), (1, 0)), start=1):
        products[0, row] = products[row, 0] = turn[i, j] - turn[j, i]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        products[i + 1, j + 1] = products[j + 1, i + 1] = turn[i, j] + turn[j, i]
    largest = int(np.argmax(np.diag(products)))
    quaternion = products[largest] / np.linalg.norm(products[largest])
    if quaternion[0] < 0:
        quaternion = -quaternion
    length = float(np.linalg.norm(quaternion[1:]))
    angle = 2 * math.atan2(length, float(quaternion[0]))
    factor = angle / length if length > 1e-12 else 2.0
    return np.asarray(factor * quaternion[1:])


def checked_rigid(matrix: NDArray[Any], name: str = "the move") -> Affine:
    """A rigid 4x4 matrix, its linear part made the nearest rotation.

    Raises:
        InputError: If it is another shape, not finite, or scales, shears or mirrors.
    """
    array = np.array(matrix, np.float64)
    if array.shape != (4, 4) or not np.isfinite(array).all() or not np.array_equal(array[3], [0, 0, 0, 1]):
        raise InputError(f"{name} is no matrix of 4x4 finite numbers that ends in 0 0 0 1: make it again")
    left, _, right = np.linalg.svd(array[:3, :3])
    turn = left @ right
    off = float(np.abs(array[:3, :3] - turn).max())
    if off > _RIGID or np.linalg.det(turn) < 0:
        raise InputError(f"{name} scales, shears or mirrors: give one that turns and shifts alone")
    if off > _ROUNDED:  # what is rigid already stays as it is to the bit
        array[:3, :3] = turn
    return array


def inverse(matrix: Affine) -> Affine:
    """The way back, exact up to rounding."""
    back = np.eye(4)
    back[:3, :3] = matrix[:3, :3].T
    back[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return back


def moved(points: NDArray[Any], matrix: Affine) -> NDArray[np.float64]:
    """Points (N, 3) through a matrix."""
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def angle_of(matrix: Affine) -> float:
    """By how many degrees a move turns, 0 to 180."""
    return math.degrees(float(np.linalg.norm(_rotation_vector(matrix[:3, :3]))))


def distances(one: Affine, other: Affine, points: NDArray[Any]) -> NDArray[np.float64]:
    """How far apart two moves put each of the points (N, 3), millimetres, (N,)."""
    return np.asarray(np.linalg.norm(moved(points, one) - moved(points, other), axis=1))
