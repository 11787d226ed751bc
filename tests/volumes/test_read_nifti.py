"""NIfTI files: values and places are those that nibabel gives; what cannot be a volume is one line."""

import gzip
from typing import Any

import nibabel
import numpy as np
import pytest

from polyfuse.errors import InputError
from polyfuse.volumes import spool
from polyfuse.volumes.read import read_volume
from polyfuse.volumes.volume import slab


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("version", [1, 2])
def test_values_and_affine_are_those_of_nibabel(tmp_path, write_nifti, oblique, suffix, version):
    values = np.random.default_rng(0).integers(-1024, 3000, (7, 6, 5)).astype(np.int16)
    path = write_nifti(tmp_path / f"x_CT{suffix}", values, oblique, version=version)
    volume = read_volume(path)
    image: Any = nibabel.load(path)
    assert np.array_equal(volume.affine, image.affine)
    assert np.array_equal(volume.loaded(), image.get_fdata(dtype=np.float32))
    assert (volume.unit, volume.origin.format) == ("HU", f"NIfTI-{version}")
    assert np.array_equal(volume.block(slab(0, 2, 4)), values[2:4])


def test_slope_and_intercept_are_applied(tmp_path, oblique):
    header = nibabel.Nifti1Header()
    header.set_data_shape((4, 3, 2))
    header.set_data_dtype(np.uint16)
    header.set_sform(oblique, 1)
    header["scl_slope"], header["scl_inter"] = 0.5, -1000
    stored = np.arange(24, dtype=np.uint16).reshape(4, 3, 2)
    with open(tmp_path / "head_ct.nii", "wb") as file:
        header["vox_offset"] = 352
        file.write(header.binaryblock + bytes(4) + stored.tobytes(order="F"))
    volume = read_volume(tmp_path / "head_ct.nii")
    assert np.array_equal(volume.loaded(), stored * np.float32(0.5) - 1000)
    assert volume.unit == "HU"


def test_colour_is_read_as_colour(tmp_path, write_nifti, oblique):
    colour = np.random.default_rng(0).integers(0, 256, (4, 3, 2, 3)).astype(np.uint8)
    volume = read_volume(write_nifti(tmp_path / "pet.nii.gz", colour, oblique))
    assert volume.is_colour
    assert np.array_equal(volume.loaded(), colour)


def test_large_volumes_are_unpacked_to_a_file(tmp_path, write_nifti, oblique, monkeypatch):
    monkeypatch.setattr(spool, "IN_MEMORY", 10)
    values = np.arange(60, dtype=np.float32).reshape(5, 4, 3)
    assert np.array_equal(read_volume(write_nifti(tmp_path / "x.nii.gz", values, oblique)).loaded(), values)


def test_four_dimensions_need_a_frame(tmp_path, write_nifti, oblique):
    values = np.arange(48, dtype=np.float32).reshape(4, 3, 2, 2)
    path = write_nifti(tmp_path / "bold.nii.gz", values, oblique)
    with pytest.raises(InputError, match=r"2 volumes .* --volume 0 to 1"):
        read_volume(path)
    with pytest.raises(InputError, match="none of 0 to 1"):
        read_volume(path, 2)
    assert np.array_equal(read_volume(path, 1).loaded(), values[..., 1])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_truncated_files_are_named(tmp_path, write_nifti, oblique, suffix, share):
    values = np.random.default_rng(0).normal(size=(9, 8, 7)).astype(np.float32)
    path = write_nifti(tmp_path / f"x{suffix}", values, oblique)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"x\.nii"):
        read_volume(path)


def test_what_only_has_the_name_is_refused(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"hello" * 100)
    with gzip.open(tmp_path / "b.nii.gz", "wb") as file:
        file.write(b"hello" * 100)
    for name in ("a.nii", "b.nii.gz"):
        with pytest.raises(InputError, match="no NIfTI file"):
            read_volume(tmp_path / name)
    (tmp_path / "c.txt").write_bytes(b"hello")
    with pytest.raises(InputError, match="neither NIfTI nor DICOM"):
        read_volume(tmp_path / "c.txt")


def test_a_header_that_lies_about_its_size_is_refused(tmp_path, oblique):
    header = nibabel.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    header.set_sform(oblique, 1)
    (tmp_path / "x.nii").write_bytes(header.binaryblock + bytes(100))
    with pytest.raises(InputError, match="30000x30000x30000"):
        read_volume(tmp_path / "x.nii")


def test_a_singular_affine_is_refused(tmp_path, oblique):
    header = nibabel.Nifti1Header()
    header.set_data_shape((2, 2, 2))
    header["sform_code"], header["vox_offset"] = 1, 352
    header["srow_x"] = header["srow_y"] = header["srow_z"] = [1, 2, 3, 0]
    (tmp_path / "x.nii").write_bytes(header.binaryblock + bytes(4 + 32))
    with pytest.raises(InputError, match="singular"):
        read_volume(tmp_path / "x.nii")


def test_a_header_without_position_gets_a_note(tmp_path, write_nifti, oblique):
    path = write_nifti(tmp_path / "x.nii", np.ones((2, 2, 2), np.float32), oblique)
    content = bytearray(path.read_bytes())
    content[252:256] = bytes(4)  # both codes, which nibabel does not let go
    path.write_bytes(content)
    assert any("no position" in note for note in read_volume(path).notes)
