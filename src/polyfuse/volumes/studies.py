"""The studies of a folder that hold a volume of either kind: BIDS-like or flat NIfTI, or DICOM by its UIDs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from polyfuse.errors import InputError, PolyfuseError, UsageError
from polyfuse.io import Pair, natural_key
from polyfuse.io.source import check_exists, shown
from polyfuse.volumes.dicom_files import Series, Slice, read_header, series_of
from polyfuse.volumes.kinds import is_dicom, is_nifti, stem_of

ALIKE = {"PET": "PT", "SPECT": "NM", "MRI": "MR"}
"""Marks that mean what DICOM calls otherwise."""
DATA_FOLDERS = ("anat", "ct", "func", "mr", "nm", "pet", "pt")
"""Folders of BIDS that say what lies in them, not whose it is."""


@dataclass(frozen=True)
class Study:
    """Two volumes of one study, or why there are not two."""

    name: str
    """Where its result goes, without suffix: a relative path with slashes."""
    pair: Pair
    """The volumes; the same path twice where one is missing."""
    is_dicom: bool = False
    """Whether a is DICOM."""
    error: PolyfuseError | None = None
    """Why it cannot be fused."""


@dataclass
class _Gathered:
    """What was found of a study so far."""

    volumes: tuple[list[Path], list[Path]] = field(default_factory=lambda: ([], []))
    """Candidates for a, and for b."""
    is_dicom: bool = False
    damaged: PolyfuseError | None = None


def parse_marks(text: str) -> tuple[str, str]:
    """Read the value of `--pair`: two modalities, or two marks of file names.

    Raises:
        UsageError: If there are not two different ones.
    """
    marks = [part.strip() for part in text.split(",")]
    if len(marks) != 2 or not all(marks) or _plain(marks[0]) == _plain(marks[1]):
        raise UsageError(f"--pair {text} names no two kinds of volumes: write for example CT,PT or T1w,pet.")
    return marks[0], marks[1]


def find_studies(root: Path, marks: tuple[str, str]) -> list[Study]:
    """Find the studies in a folder and in those below it.

    NIfTI files belong together if their paths are the same without the mark: sub-01_CT.nii.gz and sub-01_PT.nii.gz,
    sub-01/anat/sub-01_T1w.nii.gz and sub-01/pet/sub-01_pet.nii.gz, 7/CT.nii.gz and 7/PT.nii.gz, or 7/CT/x.nii.gz and
    7/PT/x.nii.gz. DICOM series belong together if they share their Study Instance UID; marks are modalities then.

    Args:
        root: The folder.
        marks: Of a and of b.

    Returns:
        In natural order of their names; studies that lack a volume, or have one twice, hold an error.

    Raises:
        InputError: If there is nothing of either kind.
    """
    check_exists(root)
    if not root.is_dir():
        raise UsageError(f"{shown(root)} is no folder: --pair looks for studies in one.")
    files = sorted((path for path in root.rglob("*") if path.is_file()), key=lambda path: natural_key(str(path)))
    gathered: dict[str, _Gathered] = {}
    _gather_nifti(root, [path for path in files if is_nifti(path)], marks, gathered)
    _gather_dicom(root, [path for path in files if not is_nifti(path) and is_dicom(path)], marks, gathered)
    if not gathered:
        raise InputError(
            f"{shown(root)} holds no volumes marked {marks[0]} or {marks[1]}: check --pair and the folder."
        )
    return [_study(name, gathered[name], marks) for name in sorted(gathered, key=natural_key)]


def _study(name: str, found: _Gathered, marks: tuple[str, str]) -> Study:
    """What was found of a study, as a pair or as an error."""
    counts = [len(volumes) for volumes in found.volumes]
    error = found.damaged
    if error is None and counts != [1, 1]:
        what = " and ".join(f"{count or 'no'} {mark}" for count, mark in zip(counts, marks, strict=True))
        error = InputError(f"{name} holds {what}: a study needs one of each.")
    every = [*found.volumes[0], *found.volumes[1]] or [Path(name)]
    first, second = (found.volumes[side][0] if found.volumes[side] else every[0] for side in (0, 1))
    return Study(name, Pair(name, first, second), found.is_dicom, error)


def _gather_nifti(root: Path, files: Iterable[Path], marks: tuple[str, str], gathered: dict[str, _Gathered]) -> None:
    """Put files whose names, or whose folders, hold a mark to their studies."""
    for path in files:
        inside = path.relative_to(root)
        parts = stem_of(path).split("_")
        side = _side(reversed(parts), marks)
        folder = inside.parent
        if side is not None:
            parts.remove(next(part for part in reversed(parts) if _side([part], marks) == side))
        else:
            side = _side([folder.name], marks)
            if side is None:
                continue
            folder = folder.parent
        if folder.name.lower() in DATA_FOLDERS:
            folder = folder.parent
        gathered.setdefault(_name(folder, "_".join(parts)), _Gathered()).volumes[side].append(path)


def _name(folder: PurePath, rest: str) -> str:
    """A study's name from its folder, and from what its files are called without their marks."""
    if not rest or rest in folder.parts:
        return folder.as_posix() if folder.parts else rest or "fused"
    return (folder / rest).as_posix()


def _side(parts: Iterable[str], marks: tuple[str, str]) -> int | None:
    """0 or 1 by the first part that is a mark; None if none is."""
    plain = [_plain(mark) for mark in marks]
    return next((plain.index(_plain(part)) for part in parts if _plain(part) in plain), None)


def _plain(mark: str) -> str:
    """A mark in capitals, as DICOM calls it."""
    return ALIKE.get(mark.upper(), mark.upper())


def _gather_dicom(root: Path, files: Iterable[Path], marks: tuple[str, str], gathered: dict[str, _Gathered]) -> None:
    """Put series whose modality is a mark to their studies."""
    slices: list[Slice] = []
    damaged: dict[Path, PolyfuseError] = {}
    for path in files:
        try:
            slices.append(Slice(path, read_header(path)))
        except InputError as error:
            damaged.setdefault(path.parent, error)
    studies: dict[str, list[Series]] = {}
    for series in series_of(slices):
        if _side([series.modality], marks) is not None:
            studies.setdefault(series.study, []).append(series)
    for uid, every in studies.items():
        found = gathered.setdefault(_dicom_name(root, every, uid, gathered), _Gathered(is_dicom=True))
        for series in every:
            side = _side([series.modality], marks)
            if side is not None:
                found.volumes[side].append(series.slices[0].path)
            found.damaged = found.damaged or damaged.pop(series.folder, None)
    for folder, problem in damaged.items():
        name = folder.relative_to(root).as_posix()
        gathered.setdefault(root.name if name == "." else name, _Gathered(is_dicom=True)).damaged = problem


def _dicom_name(root: Path, every: list[Series], uid: str, taken: dict[str, _Gathered]) -> str:
    """The folder that holds all series of a study, if no other study lies there too; else the end of its UID."""
    folders = [series.folder.relative_to(root).parts for series in every]
    common = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    name = "/".join(common)
    return name if name and name not in taken else f"study-{uid[-12:]}"
