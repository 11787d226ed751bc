"""From a path to a volume: NIfTI by its name, DICOM by its content."""

from __future__ import annotations

import os
from pathlib import Path

from polyfuse.errors import InputError
from polyfuse.io.source import check_exists, shown
from polyfuse.volumes.dicom import read_dicom
from polyfuse.volumes.kinds import kind_of
from polyfuse.volumes.nifti import read_nifti
from polyfuse.volumes.volume import Volume


def read_volume(path: str | os.PathLike[str], frame: int | None = None) -> Volume:
    """Read a NIfTI file, a DICOM series or an enhanced DICOM object.

    Args:
        path: File, or folder of one DICOM series.
        frame: Which volume of a 4-D one, from 0.

    Raises:
        InputError: If it is missing or damaged, or makes no volume.
        DependencyError: If a package or a decoder is missing.
    """
    path = Path(path)
    check_exists(path)
    kind = kind_of(path)
    if kind == "nifti":
        return read_nifti(path, frame)
    if kind == "dicom":
        return read_dicom(path, frame)
    what = "holds no DICOM images" if path.is_dir() else "is neither NIfTI nor DICOM"
    raise InputError(f"{shown(path)} {what}: give .nii, .nii.gz, a DICOM file or the folder of a series.")
