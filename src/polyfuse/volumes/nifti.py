"""Reading NIfTI-1 and NIfTI-2: one file, packed or not; what is packed is unpacked once."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError, InputError
from polyfuse.io.source import file_sha256, open_source, reason, shown
from polyfuse.volumes.kinds import stem_of
from polyfuse.volumes.spool import FileVoxels, check_size, spool, write_spooled
from polyfuse.volumes.volume import Origin, Volume

GZIP = b"\x1f\x8b"
_CHUNK, _HEAD = 1 << 20, 544
_SIZES = {348: "NIfTI-1", 540: "NIfTI-2"}
_MAGIC = {b"n+1\0": "NIfTI-1", b"n+2\0": "NIfTI-2"}
NAMES = ("T1W", "T2W", "FLAIR", "PD", "MR", "MRI", "T1", "T2", "CT", "PET", "PT", "SPECT", "NM")
"""Parts of file names that say a modality; NIfTI headers hold none."""
_MODALITY = {"CT": "CT", "PET": "PT", "PT": "PT", "SPECT": "NM", "NM": "NM"}


def nibabel() -> Any:
    """The package nibabel.

    Raises:
        DependencyError: If it is missing.
    """
    try:
        import nibabel as package
    except ImportError as error:
        raise DependencyError('NIfTI needs nibabel: pip install "polyfuse[medical]"') from error
    return package


def read_nifti(path: Path, frame: int | None = None) -> Volume:
    """Read the header of a NIfTI file; voxels are read when a block of them is asked for.

    Args:
        path: A single file, .nii or .nii.gz.
        frame: Which volume of a 4-D file, from 0.

    Raises:
        InputError: If it is none, damaged, 4-D without `frame`, or holds complex numbers.
        DependencyError: If nibabel is missing.
    """
    name = shown(path)
    with open_source(path, what="NIfTI file") as file:
        head = file.read(_HEAD)
        num_bytes_there = file.seek(0, 2)
    digest = file_sha256(path)
    content: IO[bytes] | Path = path
    if head.startswith(GZIP):
        content = _unpacked(path, name)
        num_bytes_there = content.seek(0, 2)
        content.seek(0)
        head = content.read(_HEAD)
    header, kind = _header(head, name)
    shape, frames = _sides(header, name)
    check_size((*shape, frames), name)
    notes: list[str] = []
    frame = _checked_frame(frame, frames, name)
    stored = header.get_data_dtype()
    colour = stored.names is not None
    if (colour and stored.names != ("R", "G", "B")) or stored.kind == "c":
        raise InputError(f"{name} holds {stored} voxels: convert them to numbers, or to RGB24.")
    num_bytes = math.prod(shape) * stored.itemsize
    offset = int(header.get_data_offset()) + frame * num_bytes
    if num_bytes_there < offset + num_bytes:
        raise InputError(f"{name} holds {num_bytes_there} bytes of {offset + num_bytes}: it is cut off, get it again.")
    scale = _scale(header)
    dtype = np.dtype(np.uint8) if colour else stored
    voxels = FileVoxels(content, offset, dtype, (*shape, 3) if colour else shape, [scale], name)
    if not (int(header["sform_code"]) or int(header["qform_code"])):
        notes.append("its header says no position (sform and qform codes 0): where it lies is a guess")
    modality = _modality_of(path)
    unit = {"MR": "signal"}.get(modality, "raw")
    if modality == "CT" and (scale[1] < 0 or stored.kind in "if"):
        unit = "HU"
        notes.append("taken as CT in HU, as its name says")
    return Volume(
        voxels,
        header.get_best_affine(),
        modality,
        "colour" if colour else unit,
        name,
        Origin((path,), kind, digest, header=header),
        tuple(notes),
    )


def space_of(header: Any) -> int:
    """The code of the space of a header's millimetres: 0 unknown, 1 scanner, 2 another scan's, from 3 an atlas'."""
    return int(header["sform_code"]) or int(header["qform_code"])


def _unpacked(path: Path, name: str) -> IO[bytes]:
    """The content of a packed file in a temporary place; its header says how much there should be."""
    try:
        with gzip.open(path, "rb") as packed:
            head = packed.read(_CHUNK)
            header, _ = _header(head, name)
            shape, frames = _sides(header, name)
            check_size((*shape, frames), name)
            expected = int(header.get_data_offset()) + math.prod((*shape, frames)) * header.get_data_dtype().itemsize
            content = spool(expected)
            size = 0
            while head and size < expected:  # what stands behind the voxels is not looked at
                write_spooled(content, head)
                size += len(head)
                head = packed.read(_CHUNK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{name} cannot be unpacked ({reason(error)}): it is cut off or damaged, get it again."
        ) from error
    except OSError as error:
        raise InputError(f"{name} cannot be read ({reason(error)}): check the file.") from error
    return content


def _header(head: bytes, name: str) -> tuple[Any, str]:
    """The header in the first bytes of a file, and which NIfTI it is."""
    package = nibabel()
    sizes = {int.from_bytes(head[:4], order) for order in ("little", "big")}
    kind = next((_SIZES[size] for size in sizes if size in _SIZES), None)
    if kind is None or _MAGIC.get(head[344:348] if kind == "NIfTI-1" else head[4:8]) != kind:
        raise InputError(f"{name} is no NIfTI file: give .nii or .nii.gz in one file.")
    made = package.Nifti1Header if kind == "NIfTI-1" else package.Nifti2Header
    length = 348 if kind == "NIfTI-1" else 540
    try:
        header = made(head[:length], check=False)
        header.get_data_dtype(), header.get_best_affine(), header.get_data_shape(), header.get_data_offset()
        if header.get_data_offset() == 0:
            header["vox_offset"] = header.single_vox_offset  # as good as not said
        if header.get_data_offset() < length:
            raise ValueError(f"voxels from byte {header.get_data_offset()} on")
    except Exception as error:  # a hostile header makes nibabel raise nearly anything
        raise InputError(f"{name} has a damaged header ({reason(error)}): get it again.") from error
    return header, kind


def _sides(header: Any, name: str) -> tuple[tuple[int, int, int], int]:
    """Voxels along i, j and k, and how many volumes there are."""
    sides = [int(side) for side in header.get_data_shape()]
    if len(sides) < 2 or len(sides) > 7 or min(sides) < 1:
        raise InputError(f"{name} has the sides {tuple(sides)}: give a volume.")
    sides += [1] * (3 - len(sides))
    return (sides[0], sides[1], sides[2]), math.prod(sides[3:])


def _checked_frame(frame: int | None, frames: int, name: str) -> int:
    """Which volume of a file is read.

    Raises:
        InputError: If there are several and none is named, or there is none of this number.
    """
    if frame is None and frames > 1:
        raise InputError(f"{name} holds {frames} volumes (4-D): name one with --volume 0 to {frames - 1}.")
    if frame is not None and frames > 1 and frame >= frames:
        raise InputError(f"{name} holds {frames} volumes: --volume {frame} is none of 0 to {frames - 1}.")
    return frame if frame is not None and frames > 1 else 0


def _scale(header: Any) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 where the header says none."""
    slope, intercept = (float(header[field]) for field in ("scl_slope", "scl_inter"))
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    return slope, intercept if math.isfinite(intercept) else 0.0


def tokens_of(path: Path) -> list[str]:
    """Parts of a file's name between marks, without its suffixes, in capitals."""
    return [part for part in re.split("[-_. ]", stem_of(path).upper()) if part]


def _modality_of(path: Path) -> str:
    """The modality that a file's name says, last part first; empty if it says none."""
    for token in reversed(tokens_of(path)):
        if token in NAMES:
            return _MODALITY.get(token, "MR")
    return ""


def stored_of(values: NDArray[Any]) -> NDArray[Any]:
    """RGB of 8 bits as NIfTI stores it: (..., 3) to (...) of records R, G, B."""
    return np.ascontiguousarray(values).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
