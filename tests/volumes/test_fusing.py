"""Two volumes become one: as pictures would, black to the bit, in slabs of any size."""

import json
from typing import Any

import nibabel
import numpy as np
import pytest

from polyfuse import fuse, registry
from polyfuse.errors import InputError, OutputError, UsageError
from polyfuse.io import read_picture
from polyfuse.volumes import fusing
from polyfuse.volumes.colour_maps import palette
from polyfuse.volumes.options import VolumeOptions
from polyfuse.volumes.pyramid3d import fuse_block, halvings_of
from polyfuse.volumes.run import Saving, fuse_volumes
from polyfuse.volumes.sources import made_before

SHAPE = (20, 18, 14)


@pytest.fixture
def pair(tmp_path, write_nifti, oblique, body):
    """A CT of a ball, and a coarser PET of its core that covers all of it."""
    ct = np.rint(-1000 + 1100 * body(SHAPE, oblique)).astype(np.int16)
    coarse = oblique @ np.diag([1.7, 1.6, 1.2, 1])
    coarse[:3, 3] -= oblique[:3, :3] @ [2, 2, 2]
    pet = (9 * np.clip(body((14, 13, 14), coarse) - 0.3, 0, 1)).astype(np.float32)
    return write_nifti(tmp_path / "x_CT.nii.gz", ct, oblique), write_nifti(tmp_path / "x_PT.nii.gz", pet, coarse)


def load(path) -> Any:
    return nibabel.load(path)


def run(pair, target, model="laplacian", saving=None, **options):
    how, loaded = VolumeOptions(**options), registry.load(model)
    return fuse_volumes(pair[0], pair[1], target, model=loaded, volume_options=how, saving=saving)


def voxels(path):
    image = load(path)
    values = np.asanyarray(image.dataobj)
    return np.stack([values[name] for name in "RGB"], axis=-1) if values.dtype.names else values


def test_slices_are_fused_as_pictures_of_them(tmp_path, write_nifti, pair):
    """The same picture values through the ordinary `fuse`, slice by slice, under one window for the volume."""
    result = run(pair, tmp_path / "out.nii.gz", axis="k", range_a="-160,240", range_b="0,5", colour_map="none")
    seen = result.fused.plane
    a = np.clip((load(pair[0]).get_fdata() + 160) / 400, 0, 1).astype(np.float32)
    b = _brought(result, pair)
    made = result.fused.volume.loaded()
    for k in (0, 5, 9):
        one, other = seen.picture(a[:, :, k : k + 1]), seen.picture(b[:, :, k : k + 1])
        picture = fuse(one, other, model="laplacian", range="full").image
        expected = np.where((one == 0) & (other == 0), 0, picture)
        assert np.array_equal(seen.picture(made[:, :, k : k + 1]), expected)


def _brought(result, pair):
    from polyfuse.transforms import RangeRecord, to_unit
    from polyfuse.volumes.read import read_volume
    from polyfuse.volumes.resample import resampled

    b = resampled(read_volume(pair[1]), read_volume(pair[0]).affine, SHAPE)
    return to_unit(b.loaded(), RangeRecord("window", 0, 5, "float32"))


def test_the_grid_of_a_is_kept_to_the_bit(tmp_path, pair):
    run(pair, tmp_path / "out.nii.gz")
    before, after = load(pair[0]), load(tmp_path / "out.nii.gz")
    for name in ("srow_x", "srow_y", "srow_z", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y"):
        assert before.header[name].tobytes() == after.header[name].tobytes()
    assert before.header["pixdim"][:4].tobytes() == after.header["pixdim"][:4].tobytes()
    assert (int(after.header["sform_code"]), int(after.header["qform_code"])) == (1, 1)
    assert np.array_equal(before.affine, after.affine)
    assert before.shape == after.shape


def test_pet_is_shown_in_a_palette_and_black_stays_black(tmp_path, pair):
    result = run(pair, tmp_path / "out.nii.gz", range_a="-160,240")
    values = voxels(tmp_path / "out.nii.gz")
    assert values.dtype == np.uint8
    assert any("hot-iron" in note for note in result.notes)
    black = (load(pair[0]).get_fdata() <= -160) & (_brought(result, pair) == 0)
    assert black.any()
    assert (values[black] == 0).all()
    assert (values[..., 0] >= values[..., 2]).all()  # hot iron: red before green, green before blue
    assert (values[..., 0] > values[..., 2]).any()


def test_grey_results_are_luminance_or_in_the_unit_of_a(tmp_path, pair):
    run(pair, tmp_path / "l.nii.gz", colour_map="none", window="bone")
    run(pair, tmp_path / "a.nii.gz", colour_map="none", window="bone", values="a")
    luminance, values = voxels(tmp_path / "l.nii.gz"), voxels(tmp_path / "a.nii.gz")
    assert luminance.dtype == values.dtype == np.float32
    assert luminance.min() == 0
    assert np.allclose(values, -500 + 1800 * luminance, atol=1e-3)  # float32 at 1300
    assert values.min() == -500


def test_the_montage_is_large_and_has_the_patients_right_at_the_left(tmp_path, write_nifti):
    affine = np.diag([2.0, 2, 3, 1])  # voxels count to the patient's right
    plane = np.zeros((20, 18, 14), np.float32)
    plane[14:18, 7:11, 5:9] = 1
    sources = [write_nifti(tmp_path / name, plane, affine) for name in ("x_T1w.nii", "y_T2w.nii")]
    run(sources, tmp_path / "out.nii", saving=Saving(montage=True), range_a="0,1", range_b="0,1")
    picture = read_picture(tmp_path / "out.nii.montage.png").array
    head, rows, column = 34, picture[34:], picture.shape[1] // 3
    assert column >= 320 * 40 / 42  # the longest side, 14 slices of 3 mm, is 320 pixels
    assert picture[:head].max() > 150  # names of the volumes
    tall = round(18 * 2 * 320 / 42)
    axial = np.where(rows[:tall, :column] == 255, 1, 0)  # letters are greyer
    assert 0.15 < axial.sum(0) @ np.arange(column) / axial.sum() / column < 0.35  # the patient's right
    letters = rows[tall // 2 - 10 : tall // 2 + 10, :30]
    assert letters.max() > 100


@pytest.mark.parametrize("options", [{"three_d": True}, {"across": "exponential:0.5"}, {"axis": "i"}])
def test_slabs_do_not_show(tmp_path, pair, options, monkeypatch):
    whole = run(pair, tmp_path / "one.nii.gz", **options)
    monkeypatch.setattr(fusing, "SLAB_BYTES", 1)
    parts = run(pair, tmp_path / "two.nii.gz", **options)
    one, two = whole.fused.volume.loaded().astype(int), parts.fused.volume.loaded().astype(int)
    assert np.abs(one - two).max() <= 1  # b's values differ in the last bits, which may round another way


def test_the_same_run_gives_the_same_bytes(tmp_path, pair):
    run(pair, tmp_path / "one.nii.gz")
    run(pair, tmp_path / "two.nii.gz")
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()


def test_the_three_dimensional_pyramid_gives_back_what_is_equal(body, oblique):
    same = body(SHAPE, oblique).astype(np.float32)
    assert np.abs(fuse_block(same, same, halvings_of(SHAPE, (1, 1, 3))) - same).max() < 1e-6


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 1.5)])
def test_slabs_of_the_pyramid_with_their_margins_give_what_the_whole_gives(spacing):
    one, other = np.random.default_rng(0).random((2, 9, 8, 220)).astype(np.float32)
    halvings = halvings_of((9, 8, 220), spacing)
    whole = fuse_block(one, other, halvings)
    for start in (0, 50, 101, 180):
        stop = min(start + 50, 220)
        first, last = fusing.with_margin(start, stop, 220, halvings, 2)
        assert last - first < 220
        part = fuse_block(one[..., first:last], other[..., first:last], halvings)
        assert np.array_equal(part[..., start - first : stop - first], whole[..., start:stop])


def test_thick_slices_are_halved_later():
    assert halvings_of((64, 64, 20), (1.0, 1.0, 5.0)).levels == ((0, 1), (0, 1), (0, 1, 2), (0, 1, 2))
    assert halvings_of((64, 64, 1), (1.0, 1.0, 1.0)).levels == ((0, 1),) * 4


def test_the_record_says_what_was_done(tmp_path, pair):
    run(pair, tmp_path / "out.nii.gz", window="lung")
    record = json.loads((tmp_path / "out.nii.gz.json").read_text())
    assert record["range"]["a"] == {"mode": "lung", "low": -1350.0, "high": 150.0, "dtype": "float32"}
    assert record["sources"]["a"]["unit"] == "HU"
    assert record["volume"]["colour_map"] == "hot-iron"
    assert record["volume"]["slices"] == 14
    assert "flicker" in record["volume"]


def test_an_unchanged_result_is_known_and_a_changed_one_is_not(tmp_path, pair):
    target = tmp_path / "out.nii.gz"
    made_by = run(pair, target).record["settings"]
    sources = dict(zip("ab", pair, strict=True))
    assert made_before(target, sources, made_by)
    assert not made_before(target, sources, {**made_by, "model": "other"})
    pair[1].write_bytes(pair[1].read_bytes() + b"x")
    assert not made_before(target, sources, made_by)


def test_sources_are_never_replaced_and_results_only_if_asked(tmp_path, pair):
    run(pair, tmp_path / "out.nii.gz")
    with pytest.raises(OutputError, match="exists"):
        run(pair, tmp_path / "out.nii.gz")
    with pytest.raises(OutputError, match="a source"):
        run(pair, pair[0], saving=Saving(overwrite=True))


def test_nothing_is_left_of_a_run_that_fails(tmp_path, write_nifti, oblique, pair):
    bad = np.ones((14, 13, 14), np.float32)
    bad[7, 7, 13] = np.nan
    other = write_nifti(tmp_path / "bad.nii", bad, oblique)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="NaN"):
        run((pair[0], other), tmp_path / "new" / "out.nii.gz", range_b="0,1")
    assert sorted(tmp_path.iterdir()) == before


def test_volumes_apart_are_refused_with_numbers(tmp_path, write_nifti, oblique, pair):
    oblique[0, 3] += 1000
    away = write_nifti(tmp_path / "away.nii", np.ones(SHAPE, np.float32), oblique)
    with pytest.raises(InputError, match=r"do not overlap: .* spans .*10\d\d"):
        run((pair[0], away), tmp_path / "out.nii.gz")


def test_an_atlas_is_not_the_scanner(tmp_path, write_nifti, oblique, pair):
    atlas = write_nifti(tmp_path / "atlas.nii", np.ones(SHAPE, np.float32), oblique, codes=(4, 4))
    with pytest.raises(InputError, match="--same-space"):
        run((pair[0], atlas), tmp_path / "out.nii.gz")
    run((pair[0], atlas), tmp_path / "out.nii.gz", same_space=True)


def test_a_preset_needs_hu(tmp_path, pair):
    with pytest.raises(UsageError, match="in HU and neither"):
        run((pair[1], pair[1]), tmp_path / "out.nii.gz", window="bone")


def test_what_b_lacks_shows_a_alone(tmp_path, write_nifti, pair):
    image = load(pair[1])
    part = write_nifti(tmp_path / "part_PT.nii", image.get_fdata(dtype=np.float32)[:, :, :6], image.affine)
    result = run((pair[0], part), tmp_path / "out.nii.gz", range_a="-160,240", colour_map="none")
    a = np.clip((load(pair[0]).get_fdata() + 160) / 400, 0, 1)
    made = result.fused.volume.loaded()
    assert np.abs(made[..., 10:] - a[..., 10:]).max() < 1e-6
    assert any("covers" in note for note in result.notes)


def test_a_window_that_misses_the_volume_is_told(tmp_path, pair):
    for number, (window, told) in enumerate([("100,200", True), ("0,5", False)]):
        notes = run(pair, tmp_path / f"{number}.nii", range_b=window).notes
        assert (
            any(note.startswith(f"b shows nothing in the middle slice under the range {window}") for note in notes)
            == told
        )


def test_palettes_begin_black_and_end_as_dicom_has_them():
    for name in ("hot-iron", "pet", "hot-metal-blue", "pet-20-step"):
        assert tuple(palette(name)[0]) == (0, 0, 0)
    assert [tuple(palette("hot-iron")[index]) for index in (1, 127, 128, 255)] == [
        (2, 0, 0),
        (254, 0, 0),
        (255, 0, 0),
        (255, 255, 255),
    ]


def test_stacked_pictures_of_an_atlas_give_what_the_pictures_give(tmp_path, write_nifti, shared_dir):
    folder = shared_dir / "data" / "mri_pet" / "test"
    names = sorted(path.name for path in (folder / "mri").iterdir())[:3]
    mri, pet = ([read_picture(folder / kind / name).array for name in names] for kind in ("mri", "pet"))
    places = np.diag([-1.0, -1, 3, 1])  # pictures have the patient's right at the left, and anterior at the top
    one = write_nifti(tmp_path / "a_MR.nii", np.stack([picture.T for picture in mri], axis=2), places)
    other = write_nifti(tmp_path / "b_PET.nii", np.stack([np.swapaxes(x, 0, 1) for x in pet], axis=2), places)
    made = run((one, other), tmp_path / "out.nii", range_a="0,255").fused.volume.loaded()
    for k, (a, b) in enumerate(zip(mri, pet, strict=True)):
        assert np.array_equal(np.swapaxes(made[:, :, k], 0, 1), fuse(a, b, model="laplacian").image)
