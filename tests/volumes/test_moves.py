"""The file of a move between volumes: what comes back, what is refused, pictures and volumes told apart."""

import json

import numpy as np
import pytest

from polyfuse.alignment import Warp, read_warp, write_warp
from polyfuse.errors import InputError, OutputError, UsageError
from polyfuse.volumes.move import Move
from polyfuse.volumes.move_files import from_json, read_move, to_json, write_move
from polyfuse.volumes.rigid import matrix_of
from polyfuse.volumes.volume import Volume

SHAPE_A, SHAPE_B = (5, 6, 7), (4, 4, 9)
AFFINE_A, AFFINE_B = np.diag([2.0, 2, 3, 1]), np.diag([-1.5, 1.5, 4, 1])


@pytest.fixture
def move():
    matrix = matrix_of([0.3, -0.2, 0.1, 4, 5, 6], np.array([1.0, 2, 3]))
    return Move(
        matrix, SHAPE_A, AFFINE_A, SHAPE_B, AFFINE_B, "by hand", 1.25, 0.75, ("aa",), ("bb", "cc"), {"overlap": 1.0}
    )


def volume(shape, affine, name="b.nii"):
    return Volume(np.zeros(shape, np.float32), affine, name=name)


def test_a_move_comes_back_from_its_file_to_the_bit(tmp_path, move):
    path = write_move(tmp_path / "move.json", move)
    back = read_move(path)
    assert to_json(back) == to_json(move)
    assert np.array_equal(back.matrix, move.matrix)
    with pytest.raises(OutputError, match="exists"):
        write_move(path, move)


def test_the_way_back_and_chains(move):
    back = move.inverse()
    assert np.allclose((back.matrix @ move.matrix), np.eye(4))
    assert (back.shape_a, back.shape_b, back.hashes_a) == (SHAPE_B, SHAPE_A, ("bb", "cc"))
    assert np.allclose(move.then(back).matrix, np.eye(4))
    with pytest.raises(UsageError, match="do not meet"):
        move.then(move)


def test_volumes_of_its_geometry_fit_and_others_are_refused(move):
    rounded = AFFINE_B.astype(np.float32).astype(np.float64) + 1e-7
    rounded[3] = [0, 0, 0, 1]
    move.check_fits(volume(SHAPE_A, AFFINE_A), volume(SHAPE_B, rounded))
    with pytest.raises(InputError, match=r"is for b of 4x4x9 voxels and b.nii has 4x4x8"):
        move.check_fits(volume(SHAPE_A, AFFINE_A), volume((4, 4, 8), AFFINE_B))
    shifted = AFFINE_B.copy()
    shifted[0, 3] = 2
    with pytest.raises(InputError, match=r"lie up to 2 mm from those of b.nii"):
        move.check_fits(volume(SHAPE_A, AFFINE_A), volume(SHAPE_B, shifted))


CHANGES = {
    "missing": (lambda values: values.pop("affine_b"), "lacks affine_b"),
    "unknown": (lambda values: values.update(size_a=[1, 2]), "says size_a"),
    "schema": (lambda values: values.update(schema=2), "version 2"),
    "model": (lambda values: values.update(model="affine-3d"), "affine-3d"),
    "rows": (lambda values: values["matrix"].pop(), "four rows"),
    "text": (lambda values: values["matrix"][0].__setitem__(0, "1"), "numbers"),
    "infinite": (lambda values: values["matrix"][0].__setitem__(3, 1e999), "finite"),
    "scaled": (lambda values: values["matrix"][0].__setitem__(0, 3.0), "scales"),
    "singular": (lambda values: values["affine_a"][2].__setitem__(2, 0.0), "singular"),
    "shape": (lambda values: values.update(shape_b=[4, 4]), "three sides"),
    "sides": (lambda values: values.update(shape_b=[4, 4, 0]), "three sides"),
    "residual": (lambda values: values.update(residual=-1), "residual"),
    "confidence": (lambda values: values.update(confidence=2), "confidence"),
    "sources": (lambda values: values.update(sources={"c": []}), "hashes"),
    "details": (lambda values: values.update(details=[]), "table"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, move, change):
    values = to_json(move)
    spoil, words = CHANGES[change]
    spoil(values)
    path = tmp_path / "move.json"
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=words) as caught:
        read_move(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_no_json_or_no_table_is_refused(tmp_path):
    path = tmp_path / "move.json"
    path.write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="no JSON"):
        read_move(path)
    with pytest.raises(InputError, match="no table"):
        from_json([1, 2])


def test_pictures_and_volumes_refuse_the_files_of_each_other(tmp_path, move):
    of_volumes = write_move(tmp_path / "move.json", move)
    of_pictures = write_warp(tmp_path / "warp.json", Warp.identity((4, 3)))
    with pytest.raises(InputError, match="is a move between volumes and these are pictures"):
        read_warp(of_volumes)
    with pytest.raises(InputError, match="is a warp of pictures and these are volumes"):
        read_move(of_pictures)
