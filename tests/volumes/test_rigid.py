"""Moves: six numbers to a matrix and back, the way back, angles and distances."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from polyfuse.errors import InputError
from polyfuse.volumes.rigid import (
    angle_of,
    checked_rigid,
    distances,
    inverse,
    matrix_of,
    move_matrix,
    moved,
    parameters_of,
)

CENTRE = np.array([5.0, -20, 31])
parameters = st.tuples(*[st.floats(-1.8, 1.8)] * 3, *[st.floats(-80, 80)] * 3).map(np.array)


@given(parameters)
def test_parameters_come_back_from_their_matrix(values):
    if np.linalg.norm(values[:3]) > np.pi - 1e-3:
        values[:3] /= 2
    assert np.allclose(parameters_of(matrix_of(values, CENTRE), CENTRE), values, atol=1e-9)


@given(parameters)
def test_a_turn_is_that_of_scipy(values):
    assert np.allclose(matrix_of(values, CENTRE)[:3, :3], Rotation.from_rotvec(values[:3]).as_matrix(), atol=1e-12)


@given(parameters, parameters)
def test_the_way_back_undoes_a_move(one, other):
    chain = matrix_of(one, CENTRE) @ matrix_of(other, CENTRE)
    assert np.allclose(inverse(chain) @ chain, np.eye(4), atol=1e-10)


def test_half_a_turn_about_each_axis_is_found():
    for axis in np.eye(3):
        matrix = matrix_of([*(np.pi * axis), 0, 0, 0], CENTRE)
        assert np.allclose(np.abs(parameters_of(matrix, CENTRE)[:3]), np.pi * axis, atol=1e-6)
        assert angle_of(matrix) == pytest.approx(180)


def test_a_turn_leaves_its_centre_and_a_shift_moves_it():
    matrix = matrix_of([0.3, -0.2, 0.5, 1, 2, 3], CENTRE)
    assert np.allclose(moved(CENTRE[None], matrix), CENTRE + np.array([1, 2, 3]))
    assert angle_of(matrix) == pytest.approx(np.degrees(np.linalg.norm([0.3, -0.2, 0.5])))


def test_distances_are_those_between_the_moved_points():
    points = np.array([[0.0, 0, 0], [0, 10, 0]])
    quarter = matrix_of([0, 0, np.pi / 2, 0, 0, 0], np.zeros(3))
    assert np.allclose(distances(quarter, np.eye(4), points), [0, 10 * np.sqrt(2)])


def test_the_matrix_has_gradients_at_no_turn_at_all():
    values = torch.tensor([0.0, 0, 0, 1, 2, 3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: move_matrix(each, torch.from_numpy(CENTRE)), values)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.diag([1.01, 1, 1, 1]), "scales"),
        (np.diag([-1.0, 1, 1, 1]), "mirrors"),
        (np.eye(3), "4x4"),
        (np.full((4, 4), np.nan), "finite"),
        (np.eye(4) + np.eye(4)[[3, 0, 1, 2]] * 0.1, "0 0 0 1"),
    ],
)
def test_what_is_not_rigid_is_refused(matrix, words):
    with pytest.raises(InputError, match=words):
        checked_rigid(matrix)


def test_rounding_in_a_rotation_is_taken_out():
    matrix = matrix_of([0.3, -0.2, 0.5, 1, 2, 3], CENTRE)
    clean = checked_rigid(np.round(matrix, 6))
    assert np.allclose(clean[:3, :3] @ clean[:3, :3].T, np.eye(3), atol=1e-14)
