"""Voxels that stay in a file: read slice by slice, so that memory holds what is asked for and not the volume."""

from __future__ import annotations

import io
import math
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from polyfuse.errors import InputError, OutputError
from polyfuse.io.source import reason
from polyfuse.volumes.volume import Window, bounds_of

IN_MEMORY = 64 << 20
"""Bytes up to which what was unpacked is kept in memory; more goes to a temporary file."""
MAX_VOXELS = 1 << 31
"""Largest volume that is read, voxels: 2048 x 2048 x 512."""


class FileVoxels:
    """Voxels of a file, i fastest and k slowest, as values in the volume's unit.

    Args:
        file: A path, opened for each block; or what is readable and seekable, which is closed with this object.
        offset: Bytes before the first voxel.
        dtype: Type of the voxels in the file.
        shape: Voxels along i, j and k, and 3 for colour.
        scale: Slope and intercept of the slices: value = stored * slope + intercept; one pair for all, or one for each.
        name: What error messages call the volume.
    """

    def __init__(
        self,
        file: Path | IO[bytes],
        offset: int,
        dtype: DTypeLike,
        shape: tuple[int, ...],
        scale: Sequence[tuple[float, float]] = ((1.0, 0.0),),
        name: str = "the volume",
    ) -> None:
        self.shape = shape
        self._file, self._offset, self._name = file, offset, name
        self._stored = np.dtype(dtype)
        self._scale = list(scale) if len(scale) > 1 else list(scale) * shape[2]
        self.dtype = np.dtype(np.uint8 if len(shape) == 4 else np.float32)
        self._slice_bytes = shape[0] * shape[1] * math.prod(shape[3:]) * self._stored.itemsize
        self._lock = threading.Lock()
        if not isinstance(file, Path):
            weakref.finalize(self, file.close)

    def __getitem__(self, window: Window) -> NDArray[Any]:
        """The voxels of a window: float32, or uint8 of 3 channels.

        Raises:
            InputError: If the file ends too early or cannot be read.
        """
        (i0, i1), (j0, j1), (k0, k1) = bounds_of(window, self.shape)
        result = np.empty((i1 - i0, j1 - j0, k1 - k0, *self.shape[3:]), self.dtype)
        # What float32 cannot hold becomes infinite, which a volume refuses.
        with self._lock, self._opened() as file, np.errstate(over="ignore", invalid="ignore"):
            for k in range(k0, k1):
                result[:, :, k - k0] = self._values(self._slice(file, k)[i0:i1, j0:j1], k)
        return result

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        """The file, open."""
        try:
            if isinstance(self._file, Path):
                with open(self._file, "rb") as file:
                    yield file
            else:
                yield self._file
        except OSError as error:
            raise InputError(f"{self._name} cannot be read ({reason(error)}): check the file.") from error

    def _slice(self, file: IO[bytes], k: int) -> NDArray[Any]:
        """Stored values of a slice across k, (I, J) or (I, J, 3)."""
        file.seek(self._offset + k * self._slice_bytes)
        content = file.read(self._slice_bytes)
        if len(content) < self._slice_bytes:
            raise InputError(
                f"{self._name} ends in slice {k + 1} of {self.shape[2]}: the file is cut off, get it again."
            )
        stored = np.frombuffer(content, self._stored)
        if len(self.shape) == 4:
            return stored.reshape(self.shape[1], self.shape[0], 3).transpose(1, 0, 2)
        return stored.reshape(self.shape[1], self.shape[0]).T

    def _values(self, stored: NDArray[Any], k: int) -> NDArray[Any]:
        """The same in the volume's unit."""
        slope, intercept = self._scale[k]
        if len(self.shape) == 4 or (slope, intercept) == (1, 0):
            return stored
        return stored.astype(np.float64) * slope + intercept


def spool(num_bytes: int) -> IO[bytes]:
    """A temporary place for that many bytes: in memory if they are few, else a file without a name."""
    return io.BytesIO() if num_bytes <= IN_MEMORY else tempfile.TemporaryFile()


def write_spooled(file: IO[bytes], content: bytes | memoryview) -> None:
    """Append to a spool.

    Raises:
        OutputError: If the disk of temporary files is full.
    """
    try:
        file.write(content)
    except OSError as error:
        raise OutputError(
            f"temporary files cannot be written ({reason(error)}): volumes are unpacked there, set TMPDIR to a folder "
            "with space."
        ) from error


def check_size(shape: tuple[int, ...], name: str) -> None:
    """Refuse what is too large to be true, before anything is unpacked.

    Raises:
        InputError: If it has no voxel, or more than `MAX_VOXELS`.
    """
    if min(shape) < 1 or math.prod(shape) > MAX_VOXELS:
        raise InputError(f"{name} says it has {'x'.join(map(str, shape))} voxels: 1 to {MAX_VOXELS} are read.")


class VoxelStore(FileVoxels):
    """A volume that is being made, in a spool: written in blocks of whole slices, read as `FileVoxels`.

    Args:
        shape: Voxels along i, j and k, and 3 for colour.
        dtype: uint8 or float32.
        name: What error messages call it.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike, name: str = "the fused volume") -> None:
        self._place = spool(math.prod(shape) * np.dtype(dtype).itemsize)
        super().__init__(self._place, 0, dtype, shape, name=name)
        self._written = False

    def put(self, window: Window, values: NDArray[Any]) -> None:
        """Write the voxels of a window.

        Raises:
            OutputError: If the disk of temporary files is full.
        """
        (i0, i1), (j0, j1), (k0, k1) = bounds_of(window, self.shape)
        whole = (i1 - i0, j1 - j0) == self.shape[:2]
        with self._lock:
            if not self._written:
                self._written = True
                for _ in range(self.shape[2]):
                    write_spooled(self._place, bytes(self._slice_bytes))
            for k in range(k0, k1):
                plane = values[:, :, k - k0]
                if not whole:
                    stored = self._slice(self._place, k).copy()
                    stored[i0:i1, j0:j1] = plane
                    plane = stored
                self._place.seek(k * self._slice_bytes)
                write_spooled(self._place, np.ascontiguousarray(np.swapaxes(plane, 0, 1), self._stored).data.cast("B"))
