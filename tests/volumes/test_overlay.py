"""The chessboard of a registration: which way round its planes lie, and that b is shown where the move puts it."""

import numpy as np
import pytest

from polyfuse.volumes.evidence import Evidence
from polyfuse.volumes.overlay import PLANES, draw_overlay, plane_of
from polyfuse.volumes.registration import Registration
from polyfuse.volumes.rigid import matrix_of
from polyfuse.volumes.volume import Volume

AFFINE = np.diag([2.0, 2, 2, 1])
"""Its first voxel is at the patient's left, back and below."""


def marked(*corner):
    """A volume with one bright block, by the signs of x, y and z."""
    values = np.zeros((20, 24, 28), np.float32)
    block = tuple(
        slice(0, side // 2) if sign < 0 else slice(side // 2, side)
        for sign, side in zip(corner, values.shape, strict=True)
    )
    values[block] = 100
    return Volume(values, AFFINE)


@pytest.mark.parametrize(
    ("plane", "corner", "rows", "columns"),
    [(0, (1, 1, 0), "top", "left"), (1, (1, 0, 1), "top", "left"), (2, (0, 1, 1), "top", "left")],
)
def test_right_front_and_head_are_where_the_sheet_says(plane, corner, rows, columns):
    values = marked(*corner)
    middle = np.array([19.0, 23, 27])
    picture = plane_of(values, values, PLANES[plane], middle, np.eye(4), (0, 100))
    height, width = picture.shape
    upper, left = picture[: height // 2], picture[:, : width // 2]
    assert (upper.sum() > 0.9 * picture.sum()) == (rows == "top")
    assert (left.sum() > 0.9 * picture.sum()) == (columns == "left")


def test_b_is_shown_where_the_move_puts_it_and_black_beyond_its_border():
    a = marked(1, 1, 1)
    middle = np.array([19.0, 23, 27])
    picture = plane_of(a, a, PLANES[0], middle, matrix_of([0, 0, 0, 20, 0, 0], middle), (-100, 100))
    assert (picture[:, :6] == 0).all()  # to the patient's right b has no more voxels
    there = plane_of(a, a, PLANES[0], middle, np.eye(4), (-100, 100))
    assert np.allclose(picture[:, 12:], there[:, 2:-10], atol=1e-4)


def test_the_sheet_is_a_picture_with_the_same_bytes_each_time():
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    a = marked(1, 1, 1)
    evidence = Evidence(1.0, 2.0, 0.5, 20, np.zeros((20, 3)))
    found = Registration(np.eye(4), 1.0, 1.2, 1.0, 0.0, 0.0, 0.0, 0.5, evidence)
    content = draw_overlay(a, a, found).png()
    assert content.startswith(b"\x89PNG")
    assert content == draw_overlay(a, a, found).png()
