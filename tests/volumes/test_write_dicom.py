"""DICOM results: places to the digit, new UIDs, what they refer to, patient data copied or not."""

from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest

from polyfuse import registry
from polyfuse.errors import InputError, UsageError
from polyfuse.volumes.options import VolumeOptions
from polyfuse.volumes.picture_write import slice_names
from polyfuse.volumes.read import read_volume
from polyfuse.volumes.run import Saving, fuse_volumes

SHAPE = (12, 10, 6)


@pytest.fixture
def affine(oblique):
    matrix = oblique @ np.diag([1.0, -1, 1, 1])
    one, two = matrix[:3, 0] / np.linalg.norm(matrix[:3, 0]), matrix[:3, 1]
    matrix[:3, 1] = two - one * (one @ two)
    return matrix


@pytest.fixture
def pair(tmp_path, write_series, affine, body):
    shared = {"study": pydicom.uid.generate_uid(), "reference": pydicom.uid.generate_uid()}
    ct = np.rint(-1000 + 1100 * body(SHAPE, affine)).astype(np.int16)
    pet = np.rint(3000 * body(SHAPE, affine)).astype(np.int16)
    tags = {"RescaleSlope": 1, "RescaleIntercept": 0}
    one = write_series(tmp_path / "ct", ct, affine, tags=tags, **shared)
    return one, write_series(tmp_path / "pet", pet, affine, "PT", tags=tags, **shared)


def run(pair, target, **options):
    how, model = VolumeOptions(**options), registry.load("average")
    return fuse_volumes(pair[0], pair[1], target, model=model, volume_options=how, saving=Saving())


def test_places_are_those_of_the_source_to_the_digit(tmp_path, pair):
    run(pair, tmp_path / "out.dcm")
    before, after = read_volume(pair[0]), read_volume(tmp_path / "out.dcm")
    assert before.origin.places == after.origin.places
    assert np.array_equal(before.affine, after.affine)
    assert after.shape == SHAPE
    assert after.is_colour


def test_the_object_says_what_it_is_and_of_what(tmp_path, pair):
    run(pair, tmp_path / "out.dcm")
    data = pydicom.dcmread(tmp_path / "out.dcm")
    sources = {pydicom.dcmread(path).SOPInstanceUID: pydicom.dcmread(path) for path in pair[0].iterdir()}
    first = next(iter(sources.values()))
    assert data.SOPClassUID == pydicom.uid.MultiFrameTrueColorSecondaryCaptureImageStorage
    assert (data.PatientName, data.PatientID, data.StudyInstanceUID) == ("Doe-Do^Jo", "ID4711", first.StudyInstanceUID)
    assert data.FrameOfReferenceUID == first.FrameOfReferenceUID
    assert data.SeriesInstanceUID != first.SeriesInstanceUID
    assert list(data.ImageType) == ["DERIVED", "SECONDARY"]
    assert "average" in data.DerivationDescription
    for frame in data.PerFrameFunctionalGroupsSequence:
        source = sources[frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID]
        assert source.ImagePositionPatient == frame.PlanePositionSequence[0].ImagePositionPatient
    referenced = {series.SeriesInstanceUID for series in data.ReferencedSeriesSequence}
    assert len(referenced) == 2
    assert data.NumberOfFrames == len(data.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == SHAPE[2]


def test_deidentified_results_hold_nothing_of_the_patient(tmp_path, pair):
    result = run(pair, tmp_path / "out.dcm", deidentify=True)
    content = (tmp_path / "out.dcm").read_bytes()
    record = (tmp_path / "out.dcm.json").read_text()
    first = pydicom.dcmread(next(pair[0].iterdir()))
    secrets = ["Doe-Do", "ID4711", "19700101", "Roe-Ro", str(first.StudyInstanceUID), str(first.SeriesInstanceUID)]
    secrets += [str(first.FrameOfReferenceUID), str(first.SOPInstanceUID)]
    assert not [secret for secret in secrets if secret.encode() in content or secret in record]
    assert str(pair[0]) not in record
    assert not any("--deidentify" in note for note in result.notes)


def test_copied_patient_data_are_said(tmp_path, pair):
    assert any("--deidentify" in note for note in run(pair, tmp_path / "out.dcm").notes)


def test_grey_results_have_sixteen_bits(tmp_path, pair):
    run(pair, tmp_path / "out.dcm", colour_map="none", range_b="0,1000")
    run(pair, tmp_path / "out.nii", colour_map="none", range_b="0,1000")
    data = pydicom.dcmread(tmp_path / "out.dcm")
    assert (data.BitsStored, data.PhotometricInterpretation) == (16, "MONOCHROME2")
    luminance = read_volume(tmp_path / "out.nii").loaded()
    assert np.array_equal(read_volume(tmp_path / "out.dcm").loaded(), np.rint(luminance * 65535.0))


def test_a_dicom_source_gives_nifti_at_the_same_place(tmp_path, pair):
    run(pair, tmp_path / "out.nii.gz")
    after = read_volume(tmp_path / "out.nii.gz")
    assert np.abs(after.affine - read_volume(pair[0]).affine).max() < 1e-5  # NIfTI holds float32


def test_a_nifti_source_gives_dicom_at_the_same_place(tmp_path, write_nifti, affine):
    path = write_nifti(tmp_path / "a_CT.nii", np.arange(720, dtype=np.int16).reshape(SHAPE), affine)
    run((path, path), tmp_path / "out.dcm")
    after = read_volume(tmp_path / "out.dcm")
    before = read_volume(path)
    # Frames are read along their normal, which may be the other way round.
    assert np.abs(np.sort(after.world_bounds) - np.sort(before.world_bounds)).max() < 1e-5


def test_a_sheared_grid_is_refused_for_dicom(tmp_path, write_nifti, affine):
    affine[:3, 1] += affine[:3, 0] * 0.2
    path = write_nifti(tmp_path / "a_CT.nii", np.arange(720, dtype=np.int16).reshape(SHAPE), affine)
    with pytest.raises(InputError, match="right angles"):
        run((path, path), tmp_path / "out.dcm")
    assert not list(tmp_path.glob("out*"))


def test_frames_of_reference_that_differ_are_refused(tmp_path, pair, write_series, affine):
    other = write_series(tmp_path / "mr", np.ones(SHAPE, np.int16), affine, "MR")
    with pytest.raises(InputError, match=r"frames of reference differ .*--same-space"):
        run((pair[0], other), tmp_path / "out.nii.gz")
    run((pair[0], other), tmp_path / "out.nii.gz", same_space=True)


def test_a_folder_gets_slices_and_a_montage(tmp_path, pair):
    run(pair, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {*slice_names(SHAPE[2]), "montage.png", "montage.png.json"}


def test_values_of_a_are_for_nifti(tmp_path, pair):
    with pytest.raises(UsageError, match="--values a"):
        run(pair, tmp_path / "out.dcm", values="a")
    with pytest.raises(UsageError, match="suffix"):
        run(pair, tmp_path / "out.xyz")


def test_a_sheared_stack_has_no_quaternion(tmp_path, pair):
    run(pair, tmp_path / "out.nii.gz")
    header: Any = nibabel.load(tmp_path / "out.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)


def test_simple_itk_reads_the_same_places(tmp_path, write_series):
    itk = pytest.importorskip("SimpleITK")
    cosine, sine = np.cos(0.3), np.sin(0.3)
    turned = np.array([[cosine, sine, 0, 0], [sine, -cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    affine = turned @ np.diag([2, 1.5, 3, 1])
    affine[:3, 3] = -20, 13.5, 7
    values = np.arange(720, dtype=np.int16).reshape(SHAPE)
    source = write_series(tmp_path / "ct", values, affine)
    for name in ("out.nii.gz", "out.dcm"):
        run((source, source), tmp_path / name, colour_map="none")
        image, volume = itk.ReadImage(str(tmp_path / name)), read_volume(tmp_path / name)
        assert image.GetSize() == SHAPE
        for index in ((0, 0, 0), (11, 9, 5), (3, 7, 2)):
            place = np.array([-1, -1, 1]) * image.TransformIndexToPhysicalPoint(index)
            assert np.abs(place - (volume.affine @ [*index, 1])[:3]).max() < 1e-4
