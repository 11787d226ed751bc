"""The result of `fuse`: a picture, and the record that is written beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from polyfuse.fusion.sidecar import remove_sidecar, sidecar_path, write_sidecar
from polyfuse.io import write_picture
from polyfuse.io.atomic import check_free


@dataclass(frozen=True, eq=False)
class Result:
    """A fused picture and the record of how it was made."""

    image: NDArray[Any]
    """(H, W) grey or (H, W, 3) RGB; uint8, uint16 or float32."""
    record: dict[str, Any]
    """What made it: sources and hashes, model, conventions, versions; the content of the sidecar."""
    notes: tuple[str, ...] = ()
    """What the user should know, one line each."""

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
        written = write_picture(path, self.image, overwrite=overwrite, quality=quality)
        if sidecar:
            write_sidecar(written, self.record, overwrite=overwrite)
        elif overwrite:
            remove_sidecar(written)  # it describes the picture just replaced
        return written
