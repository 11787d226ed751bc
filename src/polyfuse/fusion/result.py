"""The result of `fuse`: a picture, and the record that is written beside it."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from polyfuse.errors import UsageError
from polyfuse.fusion.sidecar import remove_sidecar, sidecar_path, write_sidecar
from polyfuse.io import write_picture
from polyfuse.io.atomic import check_free
from polyfuse.transforms import RangeRecord, quantise, to_unit

SHOWN_SIDE = 1024
"""Longest side, in pixels, of a result as a notebook shows it; the result itself keeps its size."""


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A fused picture and the record of how it was made.

    A notebook shows the picture; `numpy.asarray(result)` and `result.to_pil()` give its pixels.
    """

    image: NDArray[Any]
    """(H, W) grey or (H, W, 3) RGB; uint8, uint16 or float32."""
    record: dict[str, Any]
    """What made it: sources and hashes, model, conventions, versions; the content of the sidecar."""
    notes: tuple[str, ...] = ()
    """What the user should know, one line each."""
    exif: bytes | None = None
    """EXIF block that goes into files of the formats that hold one, as `io.write_picture` takes it."""

    def __repr__(self) -> str:
        """Size, channels, type and model: `Result(640x480 RGB uint8, pyrfuse.road)`, and how many notes there are."""
        height, width = self.image.shape[:2]
        facts = [f"{width}x{height} {'grey' if self.image.ndim == 2 else 'RGB'} {self.image.dtype}"]
        if model := self.record.get("settings", {}).get("model"):
            facts.append(str(model))
        if self.notes:
            facts.append(f"{len(self.notes)} note{'s' * (len(self.notes) > 1)}")
        return f"Result({', '.join(facts)})"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """The pixels of `image` for NumPy, not copied unless that is asked for or a change of type needs it."""
        if copy is False and dtype is not None and np.dtype(dtype) != self.image.dtype:
            raise ValueError(f"the result is {self.image.dtype}: as {np.dtype(dtype)} it has to be copied.")
        array = self.image if dtype is None else self.image.astype(dtype, copy=False)
        return array.copy() if copy and array is self.image else array

    def to_pil(self) -> Image.Image:
        """The picture for Pillow, nothing converted: mode L or RGB for 8 bits, I;16 or F for deeper grey.

        Raises:
            UsageError: If it is colour of more than 8 bits, which Pillow cannot hold.
        """
        if self.image.ndim == 3 and self.image.dtype != np.uint8:
            raise UsageError(f"Pillow holds no {self.image.dtype} colour: fuse with bit_depth='8', or take .image.")
        return Image.fromarray(self.image)

    def _repr_png_(self) -> bytes:
        """A PNG of 8 bits and at most `SHOWN_SIDE` pixels a side, for showing alone; IPython calls it."""
        picture, content = Image.fromarray(self._levels()), io.BytesIO()
        picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        picture.save(content, format="PNG", compress_level=1)
        return content.getvalue()

    def _levels(self) -> NDArray[np.uint8]:
        """The picture in 8 bits, black and white where they are in `image`: a window of 16 bits fills the range."""
        if self.image.dtype == np.uint8:
            return self.image
        kind = self.image.dtype.name
        window = self.record.get("range", {}).get(self.record.get("output", {}).get("unit_of"))
        if window is None or window["dtype"] != kind or not window["low"] < window["high"]:
            white = 1.0 if self.image.dtype.kind == "f" else float(np.iinfo(kind).max)
            window = {"mode": "full", "low": 0.0, "high": white, "dtype": kind}
        levels: NDArray[np.uint8] = quantise(to_unit(self.image, RangeRecord.from_json(window)), 8)
        return levels

    def save(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, sidecar: bool = True, quality: int = 95
    ) -> Path:
        """Write the picture and, beside it, `<file name>.json` with the record.

        Args:
            path: The suffix chooses the format: .png, .jpg, .tif, .bmp or .webp.
            overwrite: Whether existing files may be replaced.
            sidecar: Whether to write the record too.
            quality: For JPEG and WebP, 1 to 100.

        Returns:
            The picture's path.

        Raises:
            UsageError: If the format cannot hold the picture.
            OutputError: If a file exists or cannot be written; nothing half-written remains.
        """
        check_free(path, overwrite=overwrite)
        if sidecar:
            check_free(sidecar_path(Path(path)), overwrite=overwrite)
        written = write_picture(path, self.image, overwrite=overwrite, quality=quality, exif=self.exif)
        if sidecar:
            write_sidecar(written, self.record, overwrite=overwrite)
        elif overwrite:
            remove_sidecar(written)  # it describes the picture just replaced
        return written
