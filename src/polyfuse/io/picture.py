"""A picture as it lies in a file: the pixels in their own depth, and what reading did to get them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from numpy.typing import NDArray

from polyfuse.errors import InputError

PIXEL_TYPES = ("uint8", "uint16", "float32")


class Stamp(NamedTuple):
    """What tells, without reading it again, that a file is most likely unchanged."""

    num_bytes: int
    """Its size."""
    mtime_ns: int
    """When it was last written to, in nanoseconds."""

    @classmethod
    def of(cls, file: int | str | os.PathLike[str]) -> "Stamp":
        """The stamp of a path or of an open file, by its descriptor."""
        facts = os.stat(file)
        return cls(facts.st_size, facts.st_mtime_ns)


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """Pixels in the file's own depth with their origin.

    Raises:
        InputError: If the array is neither (H, W) nor (H, W, 3), empty, or of a type no picture has here.
    """

    array: NDArray[Any]
    """(H, W) grey or (H, W, 3) RGB, C-contiguous; uint8, uint16 or float32."""
    path: Path | None = None
    """Where it was read from."""
    sha256: str | None = None
    """Hex digest of the file's bytes."""
    format: str | None = None
    """"PNG", "JPEG", "TIFF", "BMP" or "WEBP", by content and not by suffix."""
    notes: tuple[str, ...] = ()
    """What reading did, for example "alpha channel ignored" or "EXIF orientation 6 applied"."""
    stamp: Stamp | None = None
    """Size and time of the file when it was read."""
    coverage: NDArray[Any] | None = None
    """How much each pixel counts, (H, W) float32 in [0, 1], where a warp left parts without; None: all in full."""

    def __post_init__(self) -> None:
        """Refuse arrays that are no picture, so that no caller has to check again."""
        check_pixels(self.array)

    def __repr__(self) -> str:
        """Size, channels, type and path, not the pixels."""
        channels = "grey" if self.is_grey else "RGB"
        origin = "" if self.path is None else f", {str(self.path)!r}"
        return f"Picture({self.width}x{self.height} {channels} {self.array.dtype}{origin})"

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.array.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.array.shape[1])

    @property
    def is_grey(self) -> bool:
        """Whether the picture has one channel."""
        return self.array.ndim == 2

    @property
    def depth(self) -> int:
        """Bits per channel: 8, 16 or 32 (float)."""
        return int(self.array.dtype.itemsize) * 8


if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    class HasPixels(Protocol):
        """What NumPy can ask for an array, as a `Result` of `fuse`."""

        def __array__(self) -> NDArray[Any]: ...

    Source = str | os.PathLike[str] | bytes | BinaryIO | Picture | Image | NDArray[Any] | Tensor | HasPixels
else:
    Source = object  # reading files needs no torch, so it is not loaded for a type alone
"""What a caller may give as a picture: a path, a file's content or a file object opened in binary mode, a picture of
Pillow's, a `Picture`, an array or a tensor of pixels, or what NumPy makes an array of, as the `Result` of `fuse`."""


def check_pixels(array: NDArray[Any], name: str = "the picture") -> None:
    """Refuse an array that is no picture.

    Args:
        array: Anything; (H, W) or (H, W, 3) of uint8, uint16 or float32 passes.
        name: What the error message calls it.

    Raises:
        InputError: With its shape or type, and those accepted.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise InputError(f"{name} has shape {array.shape}: give (height, width) grey or (height, width, 3) RGB")
    if array.size == 0:
        raise InputError(f"{name} has shape {array.shape} and no pixels: give at least 1x1")
    if array.dtype.name not in PIXEL_TYPES or not array.dtype.isnative:
        raise InputError(f"{name} holds {array.dtype} values: convert to uint8, uint16 or float32")
