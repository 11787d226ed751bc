"""Warps through points by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.alignment.canvas import projected
from polyfuse.alignment.points import NEEDED, fit_points, read_points, warp_of_points
from polyfuse.alignment.warp import Kind
from polyfuse.errors import InputError

TRUTH: dict[Kind, np.ndarray] = {
    "shift": np.array([[1, 0, 12.5], [0, 1, -7.25], [0, 0, 1]]),
    "similarity": np.array([[2.0, -0.3, 5], [0.3, 2.0, 9], [0, 0, 1]]),
    "affine": np.array([[2.0, -0.1, 5], [0.4, 1.7, 9], [0, 0, 1]]),
    "homography": np.array([[2.0, -0.1, 5], [0.4, 1.7, 9], [4e-4, -2e-4, 1]]),
}
A = np.array([[10.0, 10], [300, 20], [280, 220], [30, 200], [150, 90], [90, 170]])


@pytest.mark.parametrize("kind", TRUTH)
def test_exact_points_give_the_matrix_back(kind: Kind) -> None:
    for count in (NEEDED[kind], 6):
        matrix = fit_points(A[:count], projected(TRUTH[kind], A[:count]), kind)
        assert matrix / matrix[2, 2] == pytest.approx(TRUTH[kind], rel=1e-6, abs=1e-6)


@given(st.integers(0, 1000), st.sampled_from(sorted(TRUTH)))
def test_least_squares_is_no_worse_than_the_truth(seed: int, kind: Kind) -> None:
    b = projected(TRUTH[kind], A) + np.random.default_rng(seed).normal(0, 1, A.shape)
    fitted = np.sum((projected(fit_points(A, b, kind), A) - b) ** 2)
    assert fitted <= np.sum((projected(TRUTH[kind], A) - b) ** 2) * (1 + 1e-9)


@pytest.mark.parametrize(("count", "kind"), [(2, "similarity"), (3, "affine"), (4, "homography"), (6, "homography")])
def test_number_of_points_chooses_the_model(count: int, kind: Kind) -> None:
    warp = warp_of_points(A[:count], projected(TRUTH["affine"], A[:count]), (320, 240), (1000, 700))
    assert warp.kind == kind
    assert (warp.residual is None) == (count == NEEDED[kind])  # through as few as these the residual says nothing


def test_worst_point_is_named() -> None:
    b = projected(TRUTH["similarity"], A)
    b[4] += 20
    warp = warp_of_points(A, b, (320, 240), (1000, 700), "similarity")
    assert warp.details["worst_point"] == 5


@pytest.mark.parametrize(
    ("a", "b", "kind", "message"),
    [
        ([[1, 1]], [[2, 2]], None, "similarity needs 2 pairs of points and 1 came"),
        ([[1, 1], [1.2, 1.1]], [[2, 2], [9, 9]], None, "points 1 and 2 lie on one spot of a"),
        ([[1, 1], [50, 50]], [[2, 2], [2, 2]], None, "points 1 and 2 lie on one spot of b"),
        ([[1, 1], [500, 50]], [[2, 2], [9, 9]], None, "point 2 lies at 500, 50 of a, which is 320x240"),
        ([[1, 1], [50, 50], [90, 90]], [[2, 2], [52, 51], [92, 91]], None, "one line"),
        ([[1, 1], [50, 50], [90, 90], [7, 70]], [[2, 2], [52, 51], [92, 91], [8, 71]], None, "one line"),
        ([[1, 1], [50, 50]], [[2, 2], [52, 51]], "homography", "homography needs 4 pairs of points and 2 came"),
    ],
)
def test_points_that_make_no_warp_are_refused(a: list, b: list, kind: Kind | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        warp_of_points(np.array(a, float), np.array(b, float), (320, 240), (1000, 700), kind)


@pytest.mark.parametrize("head", ["", "x_a,y_a,x_b,y_b\n", "\ufeffXa, Ya, Xb, Yb\n"])
def test_table_of_points_is_read(tmp_path: Path, head: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(head + "1, 2, 3, 4\n\n5,6,7,8.5\n", encoding="utf-8")
    a, b = read_points(path)
    assert (a.tolist(), b.tolist()) == ([[1, 2], [5, 6]], [[3, 4], [7, 8.5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n4,5,6,7\n", "line 1: give four numbers"),
        ("1,2,3,4\n1,2,x,4\n", "line 2: give four numbers"),
        ("1,2,3,4\n1,2,nan,4\n", "line 2"),
        ("1,2,3,4\n", "holds 1 pair"),
        ("", "holds 0 pairs"),
        ('"1,2,3,4\n', "no CSV"),
    ],
)
def test_bad_table_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_points(path)
