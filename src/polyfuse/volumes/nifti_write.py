"""Writing NIfTI: the grid of the source to the bit, luminance as float32 or colour as RGB24."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from polyfuse.io import atomic_path
from polyfuse.volumes.nifti import nibabel
from polyfuse.volumes.volume import Volume, slab

RGB24 = [("R", "u1"), ("G", "u1"), ("B", "u1")]
LARGEST_SIDE = 32767
"""Voxels along an axis that NIfTI-1 can count."""
SHEARED = 1e-3
"""Entries of an affine, millimetres, that a quaternion may miss."""
PACKED_LEVEL = 4
"""Of gzip: smaller files than 1, and a quarter of the time of 9."""


def write_nifti(fused: Volume, like: Volume, path: Path, *, overwrite: bool = False) -> Path:
    """Write a volume on the grid of another.

    Of a NIfTI source the version of the format, sform, qform, their codes and the spacing are its own, byte for byte;
    names and texts of its header, and its extensions, are left out. Of a DICOM source both forms are in scanner space,
    or sform alone where slices are sheared.

    Args:
        fused: What is written, one slice in memory at a time.
        like: Whose grid it has.
        path: .nii, or .nii.gz for a packed file.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path written.

    Raises:
        OutputError: If it exists or cannot be written; nothing half-written remains.
    """
    header = _header(fused, like)
    with atomic_path(path, overwrite) as temporary, ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(open(temporary, "wb"))
        if path.name.lower().endswith(".gz"):
            # No name and no time inside, so that the same volume gives the same bytes.
            packed = gzip.GzipFile("", "wb", PACKED_LEVEL, file, mtime=0)
            file = cast("IO[bytes]", stack.enter_context(packed))
        file.write(header.binaryblock + bytes(4))
        for content in _slices(fused):
            file.write(content)
    return path


def _header(fused: Volume, like: Volume) -> Any:
    """The header of the source, for other voxels."""
    package = nibabel()
    theirs = like.origin.header if like.origin.format.startswith("NIfTI") else None
    if theirs is None:
        made = package.Nifti2Header if max(fused.shape) > LARGEST_SIDE else package.Nifti1Header
        header = made()
        header.set_data_shape(fused.shape)
        header.set_sform(like.affine, 1)
        header.set_qform(like.affine, 1)
        if np.abs(header.get_qform() - like.affine).max() > SHEARED:
            header["qform_code"] = 0  # a quaternion knows no shear, as of slices that a tilted gantry made
        header.set_xyzt_units("mm", "sec")
    else:
        header = theirs.as_byteswapped("<")
        header.set_data_shape(fused.shape)
    header.set_data_dtype(np.dtype(RGB24) if fused.is_colour else np.float32)
    header["descrip"] = b"fused by polyfuse"
    for text in ("aux_file", "intent_name"):
        header[text] = b""
    for number in ("cal_min", "cal_max", "intent_code", "slice_code", "slice_start", "slice_end", "slice_duration"):
        header[number] = 0
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = header.single_magic
    return header


def _slices(fused: Volume) -> Iterator[bytes]:
    """The voxels as the file holds them, i fastest, slice by slice."""
    for k in range(fused.shape[2]):
        plane = fused.block(slab(2, k, k + 1))[:, :, 0]
        yield np.ascontiguousarray(np.swapaxes(plane, 0, 1), plane.dtype.newbyteorder("<")).tobytes()
