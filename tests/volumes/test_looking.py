"""Volumes as they are looked at: the order of voxels, windows of results, what a record is believed."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse import registry
from polyfuse.errors import InputError, UsageError
from polyfuse.volumes import fuse_volumes
from polyfuse.volumes.looking import open_looking
from polyfuse.volumes.resample import resampled
from polyfuse.volumes.viewing import viewing_grid
from polyfuse.volumes.volume import Volume

WHOLE = (slice(None), slice(None), slice(None))


@given(st.permutations([0, 1, 2]), st.tuples(*[st.sampled_from([1, -1])] * 3))
def test_whatever_the_order_of_voxels_a_page_counts_to_the_left_the_back_and_the_feet(axes, signs) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, axes] * np.array(signs) * [2.0, 3.0, 5.0]
    affine[:3, 3] = [7, -11, 13]
    volume = Volume(np.random.default_rng(0).random((4, 5, 6), np.float32), affine)
    grid = viewing_grid(volume)
    seen = resampled(volume, grid.affine, grid.shape)
    assert seen.orientation == "LPI"
    assert grid.steps == (1, 1, 1)
    values = seen.loaded()
    for place in itertools.product(*(range(0, side, 3) for side in grid.shape)):
        there = np.linalg.inv(affine) @ grid.affine @ [*place, 1]
        i, j, k = np.rint(there[:3]).astype(int)
        assert values[place] == volume.array[i, j, k]


def test_too_many_voxels_become_fewer_that_stay_inside_and_the_finest_sides_go_first() -> None:
    volume = Volume(np.ones((40, 40, 9), np.float32), np.diag([1.0, 1, 4, 1]))
    grid = viewing_grid(volume, most=4000)
    assert (grid.shape, grid.steps) == ((20, 20, 9), (2, 2, 1))
    low, high = Volume(np.ones(grid.shape, np.float32), grid.affine).world_bounds
    assert np.allclose(low, volume.world_bounds[0])
    assert np.allclose(high, volume.world_bounds[1])
    assert viewing_grid(volume, most=10).shape == (2, 2, 2)


@pytest.fixture
def pair(tmp_path, ball):
    """A CT and a PET, and the folder that they lie in."""
    ball(tmp_path / "x_CT.nii.gz", tmp_path / "x_PT.nii.gz")
    return tmp_path / "x_CT.nii.gz", tmp_path / "x_PT.nii.gz"


def fuse(polyfuse, *arguments):
    code, _, err = polyfuse("fuse", "x_CT.nii.gz", "x_PT.nii.gz", "--model", "average", *arguments)
    assert code == 0, err


def test_sources_are_seen_as_the_record_beside_the_result_says(polyfuse, pair, tmp_path) -> None:
    fuse(polyfuse, "-o", "f.nii.gz", "--window", "bone", "--colour-map", "pet", "--range-b", "0,4")
    a, b, fused = open_looking(pair[0], pair[1], {"f": tmp_path / "f.nii.gz"}).looks
    assert (a.window.low, a.window.high) == (-500, 1300)
    assert (b.window.high, b.colour_map) == (4, "pet")
    assert fused.black_and_white == (0.0, 255.0, "")
    (tmp_path / "f.nii.gz.json").unlink()
    a, b, _ = open_looking(pair[0], pair[1], {"f": tmp_path / "f.nii.gz"}).looks
    assert (a.window.mode, b.colour_map) == ("soft", "hot-iron")


def test_b_lies_where_the_record_moved_it(pair, tmp_path) -> None:
    move = np.eye(4)
    move[0, 3] = 4.0  # two voxels
    fuse_volumes(pair[0], pair[1], tmp_path / "f.nii.gz", model=registry.load("average"), move=move)
    looking = open_looking(pair[0], pair[1], {"f": tmp_path / "f.nii.gz"})
    grid, b = looking.seen.together.a, looking.looks[1]
    assert np.array_equal(b.on(grid.affine, grid.shape).loaded()[:-2], b.source.loaded()[2:])


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["sources"]["a"].update(sha256="0" * 64),
        lambda record: record["settings"]["volume"].update(window="evil"),
        lambda record: record["volume"].update(move=[[0] * 4] * 4),
        lambda record: record.update(volume=7),
    ],
)
def test_a_record_of_other_sources_or_with_nonsense_is_not_believed(polyfuse, pair, tmp_path, change) -> None:
    fuse(polyfuse, "-o", "f.nii.gz", "--window", "bone")
    record = json.loads((tmp_path / "f.nii.gz.json").read_text())
    change(record)
    (tmp_path / "f.nii.gz.json").write_text(json.dumps(record))
    assert open_looking(pair[0], pair[1], {"f": tmp_path / "f.nii.gz"}).looks[0].window.mode == "soft"


def test_grey_results_are_shown_by_what_they_hold(polyfuse, pair, tmp_path, write_nifti) -> None:
    fuse(polyfuse, "-o", "plain.nii.gz", "--grey")
    fuse(polyfuse, "-o", "hu.nii.gz", "--grey", "--values", "a")
    fuse(polyfuse, "-o", "dicom.dcm", "--grey")
    other = write_nifti(tmp_path / "other.nii.gz", np.linspace(3, 99, 450).reshape(10, 9, 5), np.diag([2.0, 2, 3, 1]))
    paths = {name: tmp_path / name for name in ("plain.nii.gz", "hu.nii.gz", "dicom.dcm")} | {"other": other}
    looking = open_looking(pair[0], pair[1], paths)
    a, _, *fused = looking.looks
    assert fused[0].black_and_white == fused[2].black_and_white == (0.0, 1.0, "luminance")
    assert fused[1].black_and_white == (-150.0, 250.0, "HU")
    assert fused[3].window.mode.startswith("percentile")
    assert any(note.startswith("other: window") for note in looking.notes)
    grid = looking.seen.together.a
    levels = [look.levels(look.on(grid.affine, grid.shape), WHOLE).astype(int) for look in fused[:3]]
    assert levels[0].max() > 100
    for same in levels[1:]:  # a level: what is stored is rounded, of DICOM to 16 bits
        assert np.abs(levels[0] - same).max() <= 1
    assert a.name == "CT"


def test_a_fused_volume_that_is_a_source_or_lies_elsewhere_is_refused(pair, tmp_path, write_nifti) -> None:
    with pytest.raises(UsageError, match="as a source"):
        open_looking(pair[0], pair[1], {"f": pair[0]})
    far = np.diag([2.0, 2, 3, 1])
    far[:3, 3] = 1000
    path = write_nifti(tmp_path / "far.nii.gz", np.ones((4, 4, 4), np.float32), far)
    with pytest.raises(InputError, match="do not overlap"):
        open_looking(pair[0], pair[1], {"f": path})
