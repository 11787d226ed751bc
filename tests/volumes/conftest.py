"""Volumes made on the spot: NIfTI by nibabel, DICOM by pydicom, both of one small body."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from polyfuse import cli

nibabel = pytest.importorskip("nibabel", reason="the extra medical is not installed")
pydicom = pytest.importorskip("pydicom", reason="the extra medical is not installed")

OBLIQUE = np.array([[-1.9, 0.3, 0.2, 40.0], [0.35, 1.9, -0.4, -38.5], [-0.2, 0.45, 2.95, 7.25], [0, 0, 0, 1]])


@pytest.fixture
def oblique():
    return OBLIQUE.copy()


def body_of(shape, affine):
    """A ball with a bright core by its place in space, so that it looks the same on every grid: [0, 1]."""
    indices = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    where = indices @ affine[:3, :3].T + affine[:3, 3]
    middle = (np.array(shape) - 1) / 2 @ affine[:3, :3].T + affine[:3, 3]
    reach = min(np.array(shape) * np.linalg.norm(affine[:3, :3], axis=0)) / 2
    distance = np.linalg.norm(where - middle, axis=-1) / reach
    return np.clip(1.1 - distance, 0, 1) * (distance < 0.9)


@pytest.fixture
def body():
    return body_of


@pytest.fixture
def write_nifti():
    def write(path: Path, values, affine, *, version=1, codes=(1, 1)):
        made = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
        if values.dtype == np.uint8 and values.ndim == 4 and values.shape[3] == 3:
            values = np.ascontiguousarray(values).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
        image = made(values, affine)
        image.header.set_sform(affine, codes[0])
        image.header.set_qform(affine, codes[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        image.to_filename(path)
        return path

    return write


def uid():
    return pydicom.uid.generate_uid()


def base_set(modality, study=None, series=None, reference=None):
    """What every image here has."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    kinds = {
        "CT": pydicom.uid.CTImageStorage,
        "MR": pydicom.uid.MRImageStorage,
        "PT": pydicom.uid.PositronEmissionTomographyImageStorage,
    }
    data.SOPClassUID = kinds.get(modality, pydicom.uid.SecondaryCaptureImageStorage)
    data.SOPInstanceUID = uid()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "Doe-Do^Jo", "ID4711", "19700101", "O"
    data.StudyDate, data.StudyTime, data.AccessionNumber, data.StudyID = "20240102", "101500", "A1", "1"
    data.ReferringPhysicianName = "Roe-Ro^Ray"
    data.Modality, data.SeriesNumber = modality, 1
    data.StudyInstanceUID, data.SeriesInstanceUID = study or uid(), series or uid()
    data.FrameOfReferenceUID = reference or uid()
    return data


def put_pixels(data, pixels, bits=None):
    data.Rows, data.Columns = pixels.shape[-2:] if pixels.dtype != np.uint8 or pixels.ndim < 3 else pixels.shape[-3:-1]
    data.SamplesPerPixel = 3 if pixels.ndim > 2 and pixels.shape[-1] == 3 and pixels.dtype == np.uint8 else 1
    data.PhotometricInterpretation = "RGB" if data.SamplesPerPixel == 3 else "MONOCHROME2"
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = pixels.dtype.itemsize * 8
    data.BitsStored = bits or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = np.ascontiguousarray(pixels).tobytes()
    data["PixelData"].VR = "OB" if pixels.dtype == np.uint8 else "OW"


def geometry_of(affine):
    """Row and column directions, spacing and the step from slice to slice, in DICOM's millimetres."""
    lps = np.diag([-1.0, -1, 1, 1]) @ affine
    sides = np.linalg.norm(lps[:3, :3], axis=0)
    return lps, sides


@pytest.fixture
def write_series():
    """Writes stored values (I, J, K) as one file a slice, in an order that names do not tell."""

    def write(folder: Path, stored, affine, modality="CT", *, tags=None, each=None, syntax=None, bits=None, **uids):
        folder.mkdir(parents=True, exist_ok=True)
        lps, sides = geometry_of(affine)
        first = base_set(modality, **uids)
        order = np.random.default_rng(0).permutation(stored.shape[2])
        for k in range(stored.shape[2]):
            data = base_set(modality, first.StudyInstanceUID, first.SeriesInstanceUID, first.FrameOfReferenceUID)
            data.InstanceNumber = int(order[k]) + 1
            data.ImagePositionPatient = [float(f"{value:.9g}") for value in (lps @ [0, 0, k, 1])[:3]]
            cosines = np.concatenate([lps[:3, 0] / sides[0], lps[:3, 1] / sides[1]])
            data.ImageOrientationPatient = [float(f"{value:.10f}") for value in cosines]
            data.PixelSpacing = [float(f"{sides[1]:.10g}"), float(f"{sides[0]:.10g}")]
            data.SliceThickness = float(f"{sides[2]:.6g}")
            for name, value in (tags or {}).items():
                setattr(data, name, value)
            if each is not None:
                each(data, k)
            put_pixels(data, np.swapaxes(stored[:, :, k], 0, 1), bits)
            for name in ("PhotometricInterpretation",):
                if tags and name in tags:
                    setattr(data, name, tags[name])
            if syntax is not None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    data.compress(syntax, generate_instance_uid=False)
            data.save_as(folder / f"im{order[k]:03d}.dcm", enforce_file_format=True)
        return folder

    return write


@pytest.fixture
def write_enhanced():
    """Writes stored values (I, J, K) as one enhanced multi-frame object, frames in another order than their places."""

    def write(path: Path, stored, affine, *, slope=1.0, intercept=0.0, modality="CT"):
        path.parent.mkdir(parents=True, exist_ok=True)
        lps, sides = geometry_of(affine)
        data = base_set(modality)
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedCTImageStorage
        shared, frames = pydicom.Dataset(), []
        orientation, measures, transform = (pydicom.Dataset() for _ in range(3))
        orientation.ImageOrientationPatient = [
            float(f"{value:.10f}") for value in np.concatenate([lps[:3, 0] / sides[0], lps[:3, 1] / sides[1]])
        ]
        measures.PixelSpacing = [float(f"{sides[1]:.10g}"), float(f"{sides[0]:.10g}")]
        measures.SliceThickness = float(f"{sides[2]:.6g}")
        transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = slope, intercept, "HU"
        shared.PlaneOrientationSequence = [orientation]
        shared.PixelMeasuresSequence = [measures]
        shared.PixelValueTransformationSequence = [transform]
        order = list(np.random.default_rng(1).permutation(stored.shape[2]))
        for k in order:
            frame, place = pydicom.Dataset(), pydicom.Dataset()
            place.ImagePositionPatient = [float(f"{value:.9g}") for value in (lps @ [0, 0, k, 1])[:3]]
            frame.PlanePositionSequence = [place]
            frames.append(frame)
        data.SharedFunctionalGroupsSequence = [shared]
        data.PerFrameFunctionalGroupsSequence = frames
        put_pixels(data, np.stack([np.swapaxes(stored[:, :, k], 0, 1) for k in order]))
        data.NumberOfFrames = stored.shape[2]
        data.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def polyfuse(tmp_path, capsys, monkeypatch):
    """Run `polyfuse ARGUMENTS` in this process, in the test's folder: exit code, lines of stdout, lines of stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return run


@pytest.fixture
def ball(write_nifti, body):
    """Writes a CT and a PET of one ball, as small as they can be."""

    def write(ct: Path, pet: Path, shape=(10, 9, 5)):
        affine = np.diag([2.0, 2, 3, 1])
        write_nifti(ct, np.rint(-1000 + 1100 * body(shape, affine)).astype(np.int16), affine)
        write_nifti(pet, (9 * body(shape, affine)).astype(np.float32), affine)

    return write
