"""Which files of a folder are DICOM, and which series they make."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyfuse.errors import DependencyError, InputError
from polyfuse.io import natural_key
from polyfuse.io.source import check_exists, counted, open_source, reason, shown
from polyfuse.volumes.kinds import is_dicom


def pydicom() -> Any:
    """The package pydicom.

    Raises:
        DependencyError: If it is missing.
    """
    try:
        import pydicom as package
    except ImportError as error:
        raise DependencyError('DICOM needs pydicom: pip install "polyfuse[medical]"') from error
    return package


@contextmanager
def quietly() -> Iterator[None]:
    """Let pydicom say nothing: what it warns of is either checked here or of no account for pixels."""
    from pydicom import config

    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class Slice:
    """A file with its data set, pixels left out."""

    path: Path
    """Where it lies."""
    data: Any
    """A pydicom `Dataset`."""


@dataclass(frozen=True)
class Series:
    """The files that share a Series Instance UID."""

    uid: str
    """Series Instance UID."""
    slices: tuple[Slice, ...]
    """In the order of their names."""

    @property
    def modality(self) -> str:
        """As DICOM names it, such as "CT" or "PT"; empty if the files do not say."""
        return str(self.slices[0].data.get("Modality", "") or "")

    @property
    def study(self) -> str:
        """Study Instance UID."""
        return str(self.slices[0].data.get("StudyInstanceUID", "") or "")

    @property
    def folder(self) -> Path:
        """Where the first file lies."""
        return self.slices[0].path.parent

    def __str__(self) -> str:
        """As messages list it."""
        what = str(self.slices[0].data.get("SeriesDescription", "") or "")
        return f"{self.modality or '?'} {shown(what, most=40)!r} of {counted(len(self.slices), 'file')}"


def read_header(path: Path) -> Any:
    """The data set of a file without its pixels.

    Raises:
        InputError: If it is no DICOM file, or damaged.
    """
    package = pydicom()
    with open_source(path, what="DICOM file"):
        pass
    try:
        with quietly():
            data = package.dcmread(path, stop_before_pixels=True)
            data.get("Modality"), data.get("Rows")  # read lazily, and damage is seen then
    except Exception as error:  # damaged files make pydicom raise nearly anything
        raise InputError(f"{shown(path)} cannot be read as DICOM ({reason(error)}): get it again.") from error
    return data


def find_series(paths: Iterable[Path]) -> list[Series]:
    """The image series among some files, the largest first.

    Raises:
        InputError: If a file is damaged.
    """
    ordered = sorted(paths, key=lambda path: natural_key(str(path)))
    return series_of(Slice(path, read_header(path)) for path in ordered if is_dicom(path))


def series_of(slices: Iterable[Slice]) -> list[Series]:
    """The same of files that were read; what is no image, as reports and plans, is passed over."""
    sets: dict[str, list[Slice]] = {}
    for part in slices:
        if "Rows" in part.data:
            sets.setdefault(str(part.data.get("SeriesInstanceUID", "")), []).append(part)
    found = [Series(uid, tuple(parts)) for uid, parts in sets.items()]
    return sorted(found, key=lambda series: -len(series.slices))


def series_at(path: Path) -> Series:
    """The one series of a folder, or that of a file: all files beside it that share its UID.

    Raises:
        InputError: If there is none, or a folder holds several.
    """
    check_exists(path)
    if path.is_file():
        data = read_header(path)
        if "Rows" not in data:
            raise InputError(f"{shown(path)} has no pixel data: give an image series.")
        if int(data.get("NumberOfFrames", 1) or 1) > 1:
            return Series(str(data.get("SeriesInstanceUID", "")), (Slice(path, data),))
        uid = str(data.get("SeriesInstanceUID", ""))
        return next(series for series in find_series(_files(path.parent)) if series.uid == uid)
    every = find_series(_files(path, deep=True))
    if not every:
        raise InputError(f"{shown(path)} holds no DICOM images: give the folder of a series.")
    if len(every) > 1:
        listed = "; ".join(f"{series}, such as {series.slices[0].path.name}" for series in every[:4])
        raise InputError(
            f"{shown(path)} holds {len(every)} series ({listed}): give one file of the series you mean, or its own "
            "folder."
        )
    return every[0]


def _files(folder: Path, *, deep: bool = False) -> list[Path]:
    """The files of a folder."""
    return [path for path in (folder.rglob("*") if deep else folder.iterdir()) if path.is_file()]
