"""DICOM series: sorted by place, in the unit of their tags, and one line for what makes no volume."""

import shutil

import numpy as np
import pydicom
import pytest

from polyfuse.errors import DependencyError, InputError
from polyfuse.volumes.kinds import kind_of
from polyfuse.volumes.read import read_volume


def stored_of(shape=(7, 6, 5), low=-1000, high=1000, dtype=np.int16):
    return np.random.default_rng(0).integers(low, high, shape).astype(dtype)


def sheared(affine):
    """Slices in DICOM are at right angles within, and k grows along their normal; the stack may be oblique to it."""
    matrix = affine @ np.diag([1.0, -1, 1, 1])
    one, two = matrix[:3, 0] / np.linalg.norm(matrix[:3, 0]), matrix[:3, 1]
    matrix[:3, 1] = (two - one * (one @ two)) * 0.9
    return matrix


def test_a_series_is_sorted_by_place_and_rescaled_to_hu(tmp_path, write_series, oblique):
    affine, stored = sheared(oblique), stored_of(low=0, high=4000)
    write_series(tmp_path, stored, affine, tags={"RescaleSlope": 1, "RescaleIntercept": -1024})
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.loaded(), stored.astype(np.float32) - 1024)
    assert (volume.unit, volume.modality) == ("HU", "CT")
    assert np.abs(volume.affine - affine).max() < 1e-7  # ten digits in the tags


def test_a_stack_that_runs_the_other_way_has_the_same_places(tmp_path, write_series, oblique):
    affine, stored = sheared(oblique), stored_of()
    backwards = affine.copy()
    backwards[:3, 2] *= -1
    backwards[:3, 3] += 4 * affine[:3, 2]
    write_series(tmp_path / "a", stored, affine)
    write_series(tmp_path / "b", stored[:, :, ::-1], backwards)
    one, other = read_volume(tmp_path / "a"), read_volume(tmp_path / "b")
    assert np.array_equal(one.loaded(), other.loaded())
    assert np.abs(one.affine - other.affine).max() < 1e-6


def test_signed_twelve_bits_keep_their_sign(tmp_path, write_series, oblique):
    stored = stored_of(low=-2048, high=2048)

    def clean(data, k):
        data.RescaleIntercept = 0

    write_series(tmp_path, stored, sheared(oblique), each=clean, bits=12)
    assert np.array_equal(read_volume(tmp_path).loaded(), stored)


def test_monochrome1_of_no_measure_is_turned_round(tmp_path, write_series, oblique):
    stored = stored_of(low=0, high=4096, dtype=np.uint16)
    tags = {"PhotometricInterpretation": "MONOCHROME1"}
    write_series(tmp_path, stored, sheared(oblique), "MR", tags=tags, bits=12)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.loaded(), 4095.0 - stored)
    assert any("MONOCHROME1" in note for note in volume.notes)


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless", "JPEGLSLossless"])
def test_packed_pixels_are_the_same(tmp_path, write_series, oblique, syntax):
    if syntax == "RLELossless":
        pytest.importorskip("rle")
    elif syntax == "JPEG2000Lossless":
        pytest.importorskip("openjpeg")
    else:
        pytest.importorskip("jpeg_ls")
    stored = stored_of((64, 64, 2), low=0, high=4000, dtype=np.uint16)
    write_series(tmp_path, stored, sheared(oblique), syntax=getattr(pydicom.uid, syntax))
    assert np.array_equal(read_volume(tmp_path).loaded(), stored)


def test_an_enhanced_object_is_a_volume(tmp_path, write_enhanced, oblique):
    affine, stored = sheared(oblique), stored_of()
    volume = read_volume(write_enhanced(tmp_path / "x.dcm", stored, affine, slope=2, intercept=-10))
    assert np.array_equal(volume.loaded(), stored * 2.0 - 10)
    assert np.abs(volume.affine - affine).max() < 1e-7
    assert volume.unit == "HU"


PET = {
    "Units": "BQML",
    "CorrectedImage": ["ATTN", "DECY", "SCAT"],
    "DecayCorrection": "START",
    "PatientWeight": 70,
    "SeriesDate": "20240102",
    "SeriesTime": "101500",
    "AcquisitionDate": "20240102",
    "AcquisitionTime": "101500",
}


def with_agent(data, k):
    agent = pydicom.Dataset()
    agent.RadiopharmaceuticalStartTime = "091500.5"
    agent.RadionuclideTotalDose, agent.RadionuclideHalfLife = 370e6, 6586.2
    data.RadiopharmaceuticalInformationSequence = [agent]
    data.RescaleSlope, data.RescaleIntercept = 0.5 + k, 0


def test_pet_is_in_suv_by_body_weight(tmp_path, write_series, oblique):
    stored = stored_of(low=0, high=30000)
    write_series(tmp_path, stored, sheared(oblique), "PT", tags=PET, each=with_agent)
    volume = read_volume(tmp_path)
    activity = stored * (0.5 + np.arange(5))
    expected = activity * 70000 / (370e6 * 2 ** (-3600 / 6586.2))
    assert volume.unit == "SUVbw"
    assert np.allclose(volume.loaded(), expected, rtol=1e-6)  # float32


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"Units": "CNTS"}, "CNTS"),
        ({"PatientWeight": None}, "PatientWeight"),
        ({"DecayCorrection": "NONE"}, "DecayCorrection"),
        ({"CorrectedImage": ["DECY"]}, "attenuation"),
    ],
)
def test_pet_without_its_tags_stays_as_it_is_with_a_note(tmp_path, write_series, oblique, changed, note):
    write_series(tmp_path, stored_of(low=0), sheared(oblique), "PT", tags={**PET, **changed}, each=with_agent)
    volume = read_volume(tmp_path)
    assert volume.unit != "SUVbw"
    assert any(note in told for told in volume.notes)


def test_a_missing_slice_is_named(tmp_path, write_series, oblique):
    write_series(tmp_path, stored_of(), sheared(oblique))
    by_place = sorted(tmp_path.iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
    by_place[2].unlink()
    with pytest.raises(InputError, match=r"gap of .* behind slice 2"):
        read_volume(tmp_path)


def test_two_series_in_a_folder_are_named_and_one_file_chooses(tmp_path, write_series, oblique):
    write_series(tmp_path / "1", stored_of(), sheared(oblique))
    write_series(tmp_path / "2", stored_of((7, 6, 3), low=0), sheared(oblique), "MR")
    for path in (tmp_path / "2").iterdir():
        shutil.copy(path, tmp_path / "1" / f"mr_{path.name}")
    with pytest.raises(InputError, match="2 series"):
        read_volume(tmp_path / "1")
    assert read_volume(tmp_path / "1" / "mr_im000.dcm").shape == (7, 6, 3)


def test_mixed_sizes_and_orientations_are_refused(tmp_path, write_series, oblique):
    uids = {"series": pydicom.uid.generate_uid(), "study": pydicom.uid.generate_uid()}
    write_series(tmp_path / "size", stored_of(), sheared(oblique), **uids)
    write_series(tmp_path / "size" / "more", stored_of((9, 9, 1)), sheared(oblique), **uids)
    with pytest.raises(InputError, match="mixes slices of 7x6 and 9x9"):
        read_volume(tmp_path / "size")
    write_series(tmp_path / "way", stored_of(), sheared(oblique), **uids)
    write_series(tmp_path / "way" / "more", stored_of((7, 6, 1)), np.eye(4), **uids)
    with pytest.raises(InputError, match="mixes orientations"):
        read_volume(tmp_path / "way")


def test_a_series_over_time_needs_a_frame(tmp_path, write_series, oblique):
    series = pydicom.uid.generate_uid()
    for time in (1, 2):
        write_series(
            tmp_path / str(time),
            stored_of() + time,
            sheared(oblique),
            tags={"TemporalPositionIdentifier": time},
            series=series,
        )
    with pytest.raises(InputError, match=r"2 volumes .*--volume 0 to 1"):
        read_volume(tmp_path)
    assert np.array_equal(read_volume(tmp_path, 1).loaded(), stored_of() + 2)


def test_a_file_that_is_cut_off_is_named(tmp_path, write_series, oblique):
    write_series(tmp_path, stored_of(), sheared(oblique))
    path = tmp_path / "im002.dcm"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="im002"):
        read_volume(tmp_path)


def test_without_pixel_data_there_is_no_volume(tmp_path, write_series, oblique):
    write_series(tmp_path, stored_of((7, 6, 2)), sheared(oblique))
    for path in tmp_path.iterdir():
        data = pydicom.dcmread(path)
        del data.PixelData
        data.save_as(path)
    with pytest.raises(InputError, match="no pixel data"):
        read_volume(tmp_path)


def test_a_syntax_without_decoder_names_the_package(tmp_path, write_series, oblique):
    write_series(tmp_path, stored_of((7, 6, 1)), sheared(oblique))
    (path,) = tmp_path.iterdir()
    data = pydicom.dcmread(path)
    data.PixelData = pydicom.encaps.encapsulate([data.PixelData])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
    data.save_as(path)
    with pytest.raises(DependencyError, match="pylibjpeg-libjpeg"):
        read_volume(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID("1.2.3.4.5")
    pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=True)
    with pytest.raises(InputError, match="private transfer syntax"):
        read_volume(path)


def test_folders_of_pictures_are_no_volumes(tmp_path, write_series, oblique):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"x")
    (tmp_path / "pictures" / "notes.txt").write_bytes(b"x" * 200)
    write_series(tmp_path / "ct", stored_of(), sheared(oblique))
    assert kind_of(tmp_path / "pictures") is None
    assert kind_of(tmp_path / "ct") == "dicom"
    assert kind_of(tmp_path / "ct" / "im000.dcm") == "dicom"
