"""Writing DICOM: one multi-frame secondary capture, with the place of each frame and what it was made of."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from polyfuse._version import __version__
from polyfuse.errors import InputError, OutputError
from polyfuse.io import atomic_path
from polyfuse.transforms import quantise
from polyfuse.volumes.dicom_files import pydicom, quietly
from polyfuse.volumes.dicom_places import RAS
from polyfuse.volumes.spool import spool, write_spooled
from polyfuse.volumes.volume import Origin, Volume, slab

COLOUR_CLASS = "1.2.840.10008.5.1.4.1.1.7.4"
"""Multi-frame True Color Secondary Capture Image Storage."""
GREY_CLASS = "1.2.840.10008.5.1.4.1.1.7.3"
"""Multi-frame Grayscale Word Secondary Capture Image Storage."""
SHEARED = 1e-4
"""Cosine between rows and columns above which DICOM cannot say where slices lie."""
MOST_BYTES = (1 << 32) - 2
"""Of unpacked pixels in one object."""
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID")


@dataclass(frozen=True)
class Derivation:
    """What a DICOM result says of itself."""

    text: str
    """How it was made, at most 1,024 characters."""
    model: str
    """Name of the model, for the series' description."""
    deidentify: bool = False
    """Leave out patient data and all that points to the sources."""


def write_dicom(
    fused: Volume, sources: Sequence[Volume], path: Path, derivation: Derivation, *, overwrite: bool = False
) -> Path:
    """Write a volume as one DICOM object with new UIDs.

    Grey is written as 16 bits, 0 to 65535 for luminance 0 to 1; colour as RGB of 8 bits.

    Args:
        fused: What is written; one slice is in memory at a time, pixels go through a temporary file.
        sources: a, whose patient, study and frame of reference it gets if it is DICOM, and b.
        path: The file.
        derivation: What it says of itself.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path written.

    Raises:
        InputError: If the grid is sheared, which DICOM's slices cannot be.
        OutputError: If the file exists, cannot be written, or has no room for so many pixels.
    """
    package = pydicom()
    num_bytes = int(np.prod(fused.shape)) * (3 if fused.is_colour else 2)
    if num_bytes > MOST_BYTES:
        raise OutputError(
            f"{path} would hold {num_bytes} bytes of pixels, more than one DICOM object can: write .nii.gz."
        )
    with quietly():
        data = _described(package, fused, sources, derivation)
        _place(package, data, fused, sources, derivation)
        pixels = _pixels(fused, num_bytes)
        try:
            pixels.seek(0)
            data.PixelData = pixels
            data["PixelData"].VR = "OB" if fused.is_colour else "OW"
            with atomic_path(path, overwrite) as temporary:
                data.save_as(temporary, enforce_file_format=True)
        finally:
            pixels.close()
    return path


def _described(package: Any, fused: Volume, sources: Sequence[Volume], derivation: Derivation) -> Any:
    """All but places and pixels."""
    data, now = package.Dataset(), datetime.datetime.now()
    data.SOPClassUID = COLOUR_CLASS if fused.is_colour else GREY_CLASS
    data.SOPInstanceUID = new_uid()
    data.file_meta = package.dataset.FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = package.uid.ExplicitVRLittleEndian
    theirs = sources[0].origin.header if sources[0].origin.format == "DICOM" and not derivation.deidentify else None
    data.SpecificCharacterSet = "ISO_IR 192"
    for name in (*_PATIENT, *_STUDY):
        setattr(data, name, "" if theirs is None else theirs.get(name, ""))
    data.StudyInstanceUID = new_uid() if theirs is None else theirs.get("StudyInstanceUID", "") or new_uid()
    data.FrameOfReferenceUID = new_uid() if theirs is None else sources[0].origin.frame_of_reference or new_uid()
    data.PositionReferenceIndicator = ""
    if derivation.deidentify:
        data.PatientIdentityRemoved = "YES"
        data.DeidentificationMethod = "no attribute of the sources is copied but their geometry"
    data.Modality, data.SeriesInstanceUID, data.SeriesNumber = "OT", new_uid(), None
    modalities = " + ".join(source.modality or "?" for source in sources)
    data.SeriesDescription = f"polyfuse {derivation.model}: {modalities}"[:64]
    data.Manufacturer, data.ConversionType = "polyfuse", "WSD"
    data.SoftwareVersions = __version__
    data.InstanceNumber, data.PatientOrientation = 1, ""
    data.ContentDate, data.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    data.ImageType = ["DERIVED", "SECONDARY"]
    data.DerivationDescription = derivation.text[:1024]
    data.BurnedInAnnotation = "NO"
    data.Columns, data.Rows, data.NumberOfFrames = fused.shape
    data.SamplesPerPixel = 3 if fused.is_colour else 1
    data.PhotometricInterpretation = "RGB" if fused.is_colour else "MONOCHROME2"
    bits = 8 if fused.is_colour else 16
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits, bits - 1, 0
    if fused.is_colour:
        data.PlanarConfiguration = 0
    else:
        data.PresentationLUTShape = "IDENTITY"
        data.RescaleIntercept, data.RescaleSlope, data.RescaleType = 0, 1, "US"
    data.FrameIncrementPointer = package.tag.Tag("PageNumberVector")
    data.PageNumberVector = list(range(1, fused.shape[2] + 1))
    return data


def _place(package: Any, data: Any, fused: Volume, sources: Sequence[Volume], derivation: Derivation) -> None:
    """Where each frame lies, and which slice of a it shows."""
    origin, identified = sources[0].origin, not derivation.deidentify
    places = origin.places if len(origin.places) == fused.shape[2] else _places(fused)
    _, directions, spacing = places[0]
    measures, orientation = package.Dataset(), package.Dataset()
    measures.PixelSpacing = list(spacing)
    measures.SpacingBetweenSlices = measures.SliceThickness = _number(fused.spacing[2])
    orientation.ImageOrientationPatient = list(directions)
    shared = package.Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    if not fused.is_colour:
        window = package.Dataset()
        window.WindowCenter, window.WindowWidth = 32768, 65536  # all 16 bits
        shared.FrameVOILUTSequence = [window]
    frames = []
    for k in range(fused.shape[2]):
        frame, position = package.Dataset(), package.Dataset()
        position.ImagePositionPatient = list(places[k][0])
        frame.PlanePositionSequence = [position]
        if identified and len(origin.instances) == fused.shape[2]:
            frame.DerivationImageSequence = [_derived(package, derivation, origin, k)]
        frames.append(frame)
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = frames
    referenced = [_series(package, source.origin) for source in sources if source.origin.series] if identified else []
    if referenced:
        data.ReferencedSeriesSequence = referenced


def _derived(package: Any, derivation: Derivation, origin: Origin, k: int) -> Any:
    """What a frame was made of: its slice of a."""
    from pydicom.sr.codedict import codes

    derived, source = package.Dataset(), package.Dataset()
    derived.DerivationDescription = derivation.text[:1024]
    derived.DerivationCodeSequence = [_code(package, codes.cid7203.SpatialResampling)]
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = origin.instances[k]
    if len(set(origin.instances)) == 1 and len(origin.instances) > 1:
        source.ReferencedFrameNumber = origin.frames[k] + 1
    purpose = codes.cid7202.SourceImageForImageProcessingOperation
    source.PurposeOfReferenceCodeSequence = [_code(package, purpose)]
    derived.SourceImageSequence = [source]
    return derived


def _series(package: Any, origin: Origin) -> Any:
    """A reference to a series with all its objects."""
    series = package.Dataset()
    series.SeriesInstanceUID = origin.series
    series.ReferencedInstanceSequence = []
    for kind, instance in dict.fromkeys(origin.instances):
        reference = package.Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = kind, instance
        series.ReferencedInstanceSequence.append(reference)
    return series


def _code(package: Any, code: Any) -> Any:
    """A coded concept as a data set."""
    item = package.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def _places(fused: Volume) -> list[tuple[tuple[str, ...], ...]]:
    """Position, directions and spacing of each slice of a grid that did not come from DICOM.

    Raises:
        InputError: If its rows and columns are not at right angles.
    """
    matrix: NDArray[np.float64] = RAS @ fused.affine
    right, down = (matrix[:3, axis] / fused.spacing[axis] for axis in (0, 1))
    if abs(float(right @ down)) > SHEARED:
        raise InputError("rows and columns of a are not at right angles, which DICOM cannot say: write .nii.gz.")
    directions = tuple(_number(value) for value in (*right, *down))
    spacing = (_number(fused.spacing[1]), _number(fused.spacing[0]))
    corners = [matrix @ [0, 0, k, 1] for k in range(fused.shape[2])]
    return [(tuple(_number(value) for value in corner[:3]), directions, spacing) for corner in corners]


def _number(value: float) -> str:
    """A number as DICOM's decimal string holds it: 16 characters."""
    from pydicom.valuerep import format_number_as_ds

    return str(format_number_as_ds(float(value)))


def _pixels(fused: Volume, num_bytes: int) -> IO[bytes]:
    """The pixels of all frames, one after the other, in a temporary place."""
    content = spool(num_bytes)
    for k in range(fused.shape[2]):
        plane = np.swapaxes(fused.block(slab(2, k, k + 1))[:, :, 0], 0, 1)
        stored = plane if fused.is_colour else quantise(plane, 16).astype("<u2")
        write_spooled(content, np.ascontiguousarray(stored).tobytes())
    if num_bytes % 2:
        write_spooled(content, b"\0")
    return content


def new_uid() -> str:
    """A UID that nothing else has, made of a random number. Source: DICOM PS3.5 B.2."""
    return f"2.25.{uuid.uuid4().int}"
