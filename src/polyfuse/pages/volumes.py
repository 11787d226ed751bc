"""A page of volumes: three planes with a cross-hair, wiped between two of them; files that open from disk."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse._version import __version__
from polyfuse.errors import UsageError
from polyfuse.io.atomic import temporary_folder
from polyfuse.io.source import shown
from polyfuse.pages.document import SCHEMA
from polyfuse.pages.html import VOLUME_SCRIPTS, VOLUME_STYLES, page_html
from polyfuse.pages.write import Beside, check_page, finish

_LEVEL = 6
"""Of packing."""


@dataclass(frozen=True)
class ShownVolume:
    """A volume of a page."""

    name: str
    """What it is called, unique on the page."""
    slices: Callable[[], Iterator[NDArray[np.uint8]]]
    """Gives its slices from head to feet: (X, Y) grey, or (X, Y, 3) RGB of 8 bits, X to the patient's left, Y to the
    back."""
    is_colour: bool = False
    """Whether they are RGB."""
    unit: str = ""
    """Of the next two; empty where levels mean nothing else."""
    low: float = 0.0
    """Value of level 0."""
    high: float = 255.0
    """Value of level 255."""
    palette: bytes | None = None
    """Colours of the levels of a grey volume, 256 times RGB; None for grey."""


@dataclass(frozen=True)
class VoxelGrid:
    """Where the voxels of a page lie."""

    shape: tuple[int, int, int]
    """Voxels to the patient's left, to the back, and from head to feet."""
    spacing: tuple[float, float, float]
    """Millimetres from one to the next."""
    affine: Sequence[Sequence[float]]
    """Four rows of four: from voxels to RAS+ millimetres."""


def write_volume_page(
    out_dir: Path,
    title: str,
    grid: VoxelGrid,
    volumes: Sequence[ShownVolume],
    *,
    subtitle: str = "",
    notes: Sequence[str] = (),
    command: str = "",
    overwrite: bool = False,
    on_volume: Callable[[str], None] | None = None,
) -> Path:
    """Write a page: `index.html`, and beside it a folder `files-...` with the voxels, packed.

    Args:
        out_dir: Folder, made if missing.
        title: Heading.
        grid: Of all volumes.
        volumes: Two at least; the last two are wiped first.
        subtitle: One line under the heading.
        notes: What to know of them, one line each.
        command: The command line that makes the page again.
        overwrite: Whether an earlier page there may be replaced.
        on_volume: Called with the name of each volume once it is written.

    Returns:
        The path of `index.html`.

    Raises:
        UsageError: If there are fewer than two, or two have one name.
        OutputError: If a file cannot be written; no page is left then, and an earlier one stays as it was.
    """
    names = [volume.name for volume in volumes]
    if len(names) < 2:
        raise UsageError("a page of volumes wipes between two: give two at least.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{shown(twice)} is there twice among the volumes: give each a name of its own.")
    check_page(out_dir, [], overwrite=overwrite)
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "generator": f"polyfuse {__version__}",
        "title": title,
        "subtitle": subtitle,
        "notes": list(notes),
        "command": command,
        "grid": {
            "shape": list(grid.shape),
            "spacing": [float(side) for side in grid.spacing],
            "affine": [[float(cell) for cell in row] for row in grid.affine],
        },
        "volumes": [_facts(volume, f"v{number}") for number, volume in enumerate(volumes)],
    }
    with temporary_folder(out_dir, called=out_dir) as place:
        files = Beside(place)
        for number, volume in enumerate(volumes):
            files.put(f"v{number}.js", f'polyfuse.arrived("v{number}","{_packed(volume)}");\n')
            if on_volume is not None:
                on_volume(volume.name)
        page = partial(page_html, title, scripts=VOLUME_SCRIPTS, styles=VOLUME_STYLES)
        return finish(out_dir, page, facts, files, overwrite)


def _facts(volume: ShownVolume, key: str) -> dict[str, Any]:
    """What the page knows of a volume beside its voxels."""
    return {
        "key": key,
        "name": volume.name,
        "channels": 3 if volume.is_colour else 1,
        "unit": volume.unit,
        "low": float(volume.low),
        "high": float(volume.high),
        "palette": None if volume.palette is None else base64.b64encode(volume.palette).decode("ascii"),
    }


def _packed(volume: ShownVolume) -> str:
    """All voxels, X fastest, packed by zlib, as base64."""
    packer = zlib.compressobj(_LEVEL)
    parts = [packer.compress(np.ascontiguousarray(np.swapaxes(levels, 0, 1)).data) for levels in volume.slices()]
    return base64.b64encode(b"".join([*parts, packer.flush()])).decode("ascii")
