"""A warp sends points where its matrix and lenses say, its inverse brings them back, and its file is read strictly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.alignment import Warp, read_warp, write_warp
from polyfuse.errors import InputError, OutputError, UsageError

SIZE_A, SIZE_B = (64, 48), (150, 110)
POINTS = np.array([[0.0, 0.0], [63, 0], [0, 47], [63, 47], [31.5, 23.5], [10.25, 40.75]])


@st.composite
def warps(draw: st.DrawFn) -> Warp:
    """Homographies that keep all of a in front, with or without lenses."""
    small = st.floats(-0.1, 0.1)
    scale = draw(st.floats(0.5, 3))
    matrix = np.array(
        [
            [scale * (1 + draw(small)), draw(small), draw(st.floats(-30, 30))],
            [draw(small), scale * (1 + draw(small)), draw(st.floats(-30, 30))],
            [draw(small) / 100, draw(small) / 100, 1],
        ]
    )
    if draw(st.booleans()):
        return Warp(matrix, SIZE_A, SIZE_B, "homography-radial", draw(small), draw(small))
    return Warp(matrix, SIZE_A, SIZE_B)


@given(warps())
def test_way_there_and_back_is_where_it_began(warp: Warp) -> None:
    there = warp.to_b(POINTS)
    seen = ~np.isnan(there).any(axis=1)  # far outside of b a lens shows nothing
    # Newton's steps end at 1e-14 of half a diagonal.
    np.testing.assert_allclose(warp.to_a(there[seen]), POINTS[seen], atol=1e-9)


@given(warps(), warps())
def test_two_warps_in_one_are_one_after_the_other(first: Warp, second: Warp) -> None:
    between = Warp(first.matrix, SIZE_A, SIZE_A, "homography-radial", first.radial_a, second.radial_a)
    try:
        whole = between.then(second)
    except InputError:  # together they may see a corner from behind
        return
    expected = second.to_b(between.to_b(POINTS))
    seen = ~(np.isnan(expected).any(axis=1) | np.isnan(whole.to_b(POINTS)).any(axis=1))
    np.testing.assert_allclose(whole.to_b(POINTS)[seen], expected[seen], rtol=1e-9, atol=1e-7)


def test_homography_sends_corners_where_it_says() -> None:
    matrix = [[2, 0.25, 10], [0, 2, -4], [0.001, 0, 1]]
    there = Warp(np.array(matrix), SIZE_A, SIZE_B).to_b([[0, 0], [63, 0], [63, 47]])
    expected = np.array([[10, -4], [136, -4], [147.75, 90]]) / [[1], [1.063], [1.063]]
    np.testing.assert_allclose(there, expected, rtol=1e-12)


def test_mirrored_pictures_are_not_seen_from_behind() -> None:
    warp = Warp(np.array([[-1.0, 0, 63], [0, 1, 0], [0, 0, 1]]), SIZE_A, SIZE_A, "affine")
    np.testing.assert_allclose(warp.to_a([[0, 5]]), [[63, 5]])


def test_inverse_goes_from_b_to_a_with_everything_exchanged() -> None:
    warp = Warp(np.diag([2.0, 2, 1]), SIZE_A, SIZE_B, "similarity", residual=1.0, hashes_a=("x",), confidence=0.5)
    back = warp.inverse()
    assert (back.size_a, back.size_b, back.hashes_b) == (SIZE_B, SIZE_A, ("x",))
    assert (back.residual, back.confidence) == (0.5, 0.5)
    np.testing.assert_allclose(back.to_b([[20, 10]]), [[10, 5]])


def test_warps_that_do_not_meet_are_refused() -> None:
    with pytest.raises(UsageError, match="do not meet"):
        Warp.identity(SIZE_A).then(Warp.identity(SIZE_B))


def test_scale_is_that_of_the_centre() -> None:
    assert Warp(np.diag([2.0, 4.5, 1]), SIZE_A, SIZE_B, "affine").scale == pytest.approx(3)


@pytest.mark.parametrize(
    ("matrix", "kind", "match"),
    [
        (np.zeros((3, 3)), "homography", "to infinity"),
        (np.array([[1.0, 0, 0], [2, 0, 0], [0, 0, 1]]), "homography", "folds"),
        (np.array([[1.0, 0, 0], [0, 1, 0], [-0.1, 0, 1]]), "homography", "from behind"),
        (np.diag([2.0, 2, 1]), "shift", "is no shift"),
        (np.diag([2.0, 3, 1]), "similarity", "is no similarity"),
        (np.array([[1.0, 0, 0], [0, 1, 0], [1e-4, 0, 1]]), "affine", "is no affine"),
        (np.full((3, 3), np.nan), "homography", "finite"),
        (np.eye(3), "bent", "cannot be a 'bent'"),
    ],
)
def test_matrix_that_is_none_of_its_model_is_refused(matrix: Any, kind: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Warp(matrix, SIZE_A, SIZE_B, kind)


@pytest.mark.parametrize(
    ("field", "match"),
    [
        ({"radial_a": 0.1}, "no radial terms"),
        ({"radial_a": 0.3, "kind": "homography-radial"}, "at most 0.25"),
        ({"confidence": 1.5}, "0 to 1"),
        ({"residual": -1.0}, "0 or more"),
        ({"size_a": (0, 5)}, "width and height"),
    ],
)
def test_values_out_of_range_are_refused(field: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Warp(**{"matrix": np.eye(3), "size_a": SIZE_A, "size_b": SIZE_B, **field})


@given(warp=warps())
def test_file_holds_every_bit_of_the_warp(warp: Warp, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write_warp(tmp_path_factory.mktemp("warp") / "warp.json", warp)
    read = read_warp(path)
    assert read.matrix.tolist() == warp.matrix.tolist()
    assert (read.kind, read.radial_a, read.radial_b) == (warp.kind, warp.radial_a, warp.radial_b)


def test_existing_file_is_kept(tmp_path: Path) -> None:
    path = write_warp(tmp_path / "warp.json", Warp.identity(SIZE_A))
    with pytest.raises(OutputError, match="exists"):
        write_warp(path, Warp.identity(SIZE_B))
    assert read_warp(path).size_a == SIZE_A


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"matrix": None}, "lacks matrix"),
        ({"matrix": [[1, 0], [0, 1]]}, "three rows"),
        ({"matrix": [[True, 0, 0], [0, 1, 0], [0, 0, 1]]}, "must hold numbers"),
        ({"matrix": [[10**400, 0, 0], [0, 1, 0], [0, 0, 1]]}, "finite numbers"),
        ({"size_a": [64, 48.0]}, "width and height"),
        ({"schema": 2}, "version 2"),
        ({"model": 3}, "cannot be a"),
        ({"confidence": "high"}, "must hold numbers"),
        ({"sources": {"c": []}}, "hashes of a and b"),
        ({"sources": {"a": [1]}}, "list of hashes"),
        ({"details": []}, "a table"),
        ({"frame": "b"}, "says frame, which no warp has"),
    ],
)
def test_file_that_is_no_warp_is_refused_by_name(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    path = write_warp(tmp_path / "warp.json", Warp.identity(SIZE_A))
    values = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    with pytest.raises(InputError, match=match) as raised:
        read_warp(path)
    assert str(raised.value).startswith(str(path))


def test_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "warp.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(InputError, match="holds no JSON"):
        read_warp(tmp_path / "warp.json")
