"""Which paths are volumes, told without any package: NIfTI by its name, DICOM by the mark in its files."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal

from polyfuse.io.source import SUFFIXES

Kind = Literal["nifti", "dicom"]
MARK = (128, b"DICM")
"""Where a DICOM file says that it is one, and how."""
LOOKED_AT = 32
"""Files of a folder without a picture's suffix that are looked at, to tell DICOM from anything else."""
MOST_NAMES = 4096
"""Names of a folder that are gone through for them, so that large folders of pictures cost no time."""


def kind_of(path: Path) -> Kind | None:
    """Whether a path is a volume: a NIfTI file, a DICOM file, or a folder that holds DICOM; None if it is none."""
    if path.is_dir():
        return "dicom" if holds_dicom(path) else None
    if is_nifti(path):
        return "nifti"
    return "dicom" if path.is_file() and is_dicom(path) else None


def is_nifti(path: Path) -> bool:
    """Whether a file is named like NIfTI's."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def is_dicom(path: Path) -> bool:
    """Whether a file has the mark of DICOM."""
    try:
        with open(path, "rb") as file:
            file.seek(MARK[0])
            return file.read(4) == MARK[1]
    except OSError:
        return False


def holds_dicom(folder: Path) -> bool:
    """Whether a folder, or a folder in it, holds DICOM: a few files that are not named as pictures are looked at."""
    looked = 0
    for path in itertools.islice(folder.rglob("*"), MOST_NAMES):
        if path.suffix.lower() in SUFFIXES or not path.is_file():
            continue
        if is_dicom(path):
            return True
        looked += 1
        if looked == LOOKED_AT:
            break
    return False


def stem_of(path: Path) -> str:
    """A volume's name without the suffix of its file."""
    name = path.name
    for suffix in (".gz", ".nii", ".dcm"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name
