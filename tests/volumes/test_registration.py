"""Registration: drawn volumes brought back, what cannot be sure refused, and a real pair."""

from pathlib import Path

import numpy as np
import pytest

from polyfuse.errors import InputError
from polyfuse.volumes.evidence import Evidence
from polyfuse.volumes.registration import Registration, checked, register
from polyfuse.volumes.rigid import distances, inverse, matrix_of, moved
from polyfuse.volumes.volume import Volume

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "volumes"
BALLS = (
    ((0, 0, 0), (26, 22, 24), 100), ((8, 4, 5), (8, 6, 10), 60), ((-10, -6, 3), (5, 9, 6), -50),
    ((2, 10, -10), (9, 4, 5), 90), ((-5, 2, 12), (6, 5, 4), 70), ((12, -9, -6), (4, 4, 7), -60),
)  # fmt: skip
"""Centre and half axes, millimetres, and brightness."""


def drawn(move=None, shape=(22, 22, 22), spacing=(3.0, 3.0, 3.0), balls=BALLS, seed=0):
    """A body of balls within balls, moved, with a little noise."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * spacing
    indices = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3)
    points = moved(moved(indices, affine), np.eye(4) if move is None else inverse(move))
    values = np.random.default_rng(seed).normal(0, 1, len(points))
    for centre, axes, bright in balls:
        distance = np.linalg.norm((points - centre) / axes, axis=1)
        values += bright / (1 + np.exp(12 * (distance - 1)))
    return Volume(values.reshape(shape).astype(np.float32), affine, name=f"volume {seed}"), points


def remapped(volume):
    return Volume(np.exp(-volume.loaded() / 80), volume.affine, name="b")


def test_a_moved_and_remapped_volume_is_brought_back_within_a_third_of_a_voxel():
    truth = matrix_of([0.2, -0.15, 0.3, 7, -9, 6], np.zeros(3))
    a, points = drawn()
    b, _ = drawn(truth, (24, 20, 18), (2.6, 3.2, 3.8), seed=1)
    found = register(a, remapped(b))
    shown = points[np.linalg.norm(points, axis=1) < 24]
    assert distances(found.matrix, truth, shown).mean() < 0.9
    assert checked(found, a, b) is found
    assert found.after > found.before
    assert found.doubt == ""


@pytest.mark.parametrize(
    ("share", "num_cubes", "rival", "mirrored", "words"),
    [
        (0.1, 40, 0.0, 0.5, "only 10% of 40 parts"),
        (1.0, 5, 0.0, 0.5, "only 5 parts"),
        (1.0, 40, 0.95, 0.5, "another move fits 95% as well"),
        (1.0, 40, 0.0, 1.1, "left and right"),
    ],
)
def test_what_speaks_against_a_move_is_said(share, num_cubes, rival, mirrored, words):
    a, _ = drawn(shape=(8, 8, 8))
    evidence = Evidence(share, 2.0, 1.0, num_cubes, np.zeros((num_cubes, 3)))
    found = Registration(np.eye(4), 1.0, 1.1, 1.0, 0.0, 0.0, rival, mirrored, evidence)
    assert found.confidence < 0.5
    with pytest.raises(InputError, match=words):
        checked(found, a, a)


@pytest.mark.slow
def test_another_body_is_refused_with_what_would_help():
    a, _ = drawn()
    rng = np.random.default_rng(8)
    inner = [(rng.uniform(-14, 14, 3), rng.uniform(3, 9, 3), float(rng.uniform(-70, 90))) for _ in range(6)]
    others = [((0, 0, 0), (19, 27, 22), 80), *inner]
    b, _ = drawn(matrix_of([0.1, 0.3, 0, 5, 5, 0], np.zeros(3)), balls=others, seed=2)
    found = register(a, b)
    assert not found.is_accepted
    with pytest.raises(InputError, match=r"no sure move from volume 0 to volume 2 .*: they must show the same part"):
        checked(found, a, b)


def test_too_thin_and_constant_volumes_and_nan_are_refused():
    a, _ = drawn(shape=(12, 12, 12))
    with pytest.raises(InputError, match="12x12x3 voxels, too few"):
        register(a, drawn(shape=(12, 12, 3))[0])
    with pytest.raises(InputError, match="same value everywhere"):
        register(Volume(np.ones((12, 12, 12), np.float32), a.affine), a)
    with pytest.raises(InputError, match="NaN"):
        register(a, Volume(np.full((12, 12, 12), np.nan, np.float32), a.affine))


@pytest.fixture(scope="module")
def real():
    nibabel = pytest.importorskip("nibabel", reason="the extra medical is not installed")
    paths = [FOLDER / name for name in ("rniftyreg_flash_t1.nii.gz", "rniftyreg_epi_t2.nii.gz")]
    if not all(path.is_file() for path in paths):
        pytest.skip("the volumes are not beside the checkout")
    images = [nibabel.load(path) for path in paths]
    return [Volume(np.asarray(image.dataobj, np.float32), image.affine) for image in images]


@pytest.mark.slow
def test_a_t1_and_a_t2_of_one_head_meet_from_both_sides(real):
    a, b = real
    there, back = register(a, b), register(b, a)
    corners = np.array(np.meshgrid(*[[-60.0, 60]] * 3)).reshape(3, -1).T
    assert there.is_accepted
    assert back.is_accepted
    assert 26 < there.shift < 30
    assert there.angle < 4
    assert distances(back.matrix @ there.matrix, np.eye(4), corners).max() < 0.5
    again = register(a, b, matrix_of([0.3, -0.2, 0.2, 20, 15, -25], np.zeros(3)))
    assert distances(again.matrix, there.matrix, corners).max() < 0.2


@pytest.mark.slow
def test_left_and_right_exchanged_is_noticed(real):
    a, b = real
    found = register(a, Volume(b.array, np.diag([-1.0, 1, 1, 1]) @ b.affine))
    assert not found.is_accepted
    assert "left and right" in found.doubt


@pytest.mark.slow
def test_the_same_threads_give_the_same_bits():
    a, _ = drawn()
    b, _ = drawn(matrix_of([0.2, 0, 0.1, 4, 0, 6], np.zeros(3)), seed=1)
    assert np.array_equal(register(a, b).matrix, register(a, b).matrix)
