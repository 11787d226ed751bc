"""Volumes side by side: two sources, fused volumes and what models make of them, on a page of three planes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyfuse._version import __version__
from polyfuse.comparison.fused import Tell
from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions
from polyfuse.pages import check_page
from polyfuse.pages.volumes import ShownVolume, VoxelGrid, write_volume_page
from polyfuse.registry import VOLUME_DEFAULT
from polyfuse.volumes import VolumeOptions
from polyfuse.volumes.colour_maps import palette
from polyfuse.volumes.fusing import VolumeFusion
from polyfuse.volumes.kinds import stem_of
from polyfuse.volumes.looking import Look, Looking, open_looking
from polyfuse.volumes.run import NOT_FOR_CT
from polyfuse.volumes.sources import files_of
from polyfuse.volumes.viewing import MOST_VOXELS, ViewingGrid, viewing_grid
from polyfuse.volumes.volume import slab


@dataclass(frozen=True)
class VolumeRequest:
    """One comparison of volumes."""

    a: Path
    """First source, whose grid the page has."""
    b: Path
    """Second source."""
    fused: Mapping[str, Path] = field(default_factory=dict)
    """Fused volume by the name of its method."""
    models: Mapping[str, FusionModel] = field(default_factory=dict)
    """Models that fuse the sources slice by slice, by the name that the page shows."""
    name_a: str = ""
    """What the page calls the first source; empty: its modality."""
    name_b: str = ""
    """The same of the second."""
    title: str = ""
    """Heading; empty: the name of a and of the methods."""
    command: str = ""
    """The command line that makes this page again, shown on it."""
    most_voxels: int = MOST_VOXELS
    """Voxels of a volume on the page; where there are more, several become one."""

    def __post_init__(self) -> None:
        """Refuse a method that is there twice.

        Raises:
            UsageError: Naming it.
        """
        twice = sorted({*self.fused} & {*self.models})
        if twice:
            raise UsageError(f"{twice[0]} is a model and a fused volume: give one of them another name.")


@dataclass(frozen=True)
class MadeOfVolumes:
    """A page that was written."""

    index: Path
    """Its `index.html`."""
    names: tuple[str, ...]
    """Volumes that it shows: both sources, then methods."""
    notes: tuple[str, ...]
    """What the user should know."""


def make_volume_page(
    request: VolumeRequest, out_dir: Path, *, overwrite: bool = False, tell: Tell = lambda *_: None
) -> MadeOfVolumes:
    """Make the page of a comparison of volumes.

    Args:
        request: What is compared.
        out_dir: Folder of the page.
        overwrite: Whether an earlier page there may be replaced.
        tell: Is told of each volume, with notes.

    Raises:
        PolyfuseError: What is wrong with the request, or the first volume that cannot be read or shown.
    """
    given = [request.a, request.b, *request.fused.values()]
    check_page(out_dir, [*given, *(path for one in given for path in files_of(one))], overwrite=overwrite)
    looking = open_looking(request.a, request.b, request.fused, (request.name_a, request.name_b))
    told: list[str] = []
    for name, model in request.models.items():
        made = VolumeFusion(looking.seen, model, FuseOptions(), VolumeOptions()).run()
        looking = looking.with_fused(name, made.volume, made.volume.unit)
        told += [f"{name}: {note}" for note in made.notes]
        if model.provenance.name == VOLUME_DEFAULT and "CT" in [look.source.modality for look in looking.looks[:2]]:
            told.append(NOT_FOR_CT.format(name))
    grid = viewing_grid(looking.seen.together.a, request.most_voxels)
    notes = [*looking.notes, *told, *_fewer(grid, looking)]
    tell("volumes", notes, None)
    names = [look.name for look in looking.looks]
    if names[0] == names[1]:
        names[:2] = [f"a ({names[0]})", f"b ({names[1]})"]
    index = write_volume_page(
        out_dir,
        request.title or f"{stem_of(request.a)}: {', '.join(names[2:])}",
        VoxelGrid(grid.shape, grid.spacing, grid.affine.tolist()),
        [_shown(look, name, grid) for look, name in zip(looking.looks, names, strict=True)],
        subtitle=f"polyfuse {__version__}, {'x'.join(map(str, grid.shape))} voxels of "
        f"{' x '.join(f'{side:.3g}' for side in grid.spacing)} mm",
        notes=notes,
        command=request.command,
        overwrite=overwrite,
        on_volume=lambda name: tell(name, [], None),
    )
    return MadeOfVolumes(index, tuple(names), tuple(notes))


def _fewer(grid: ViewingGrid, looking: Looking) -> list[str]:
    """A note where the page has fewer voxels than a."""
    if math.prod(grid.steps) == 1:
        return []
    a = looking.seen.together.a
    steps = " x ".join(map(str, grid.steps))
    return [f"a has {'x'.join(map(str, a.shape))} voxels, too many for a page: {steps} of them are shown as one"]


def _shown(look: Look, name: str, grid: ViewingGrid) -> ShownVolume:
    """A volume as the page takes it."""
    low, high, unit = look.black_and_white
    colours = None if look.colour_map is None else palette(look.colour_map).tobytes()
    return ShownVolume(name, partial(_slices, look, grid), look.source.is_colour, unit, low, high, colours)


def _slices(look: Look, grid: ViewingGrid) -> Iterator[NDArray[np.uint8]]:
    """Slices from head to feet."""
    volume = look.on(grid.affine, grid.shape)
    return (look.levels(volume, slab(2, z, z + 1))[:, :, 0] for z in range(grid.shape[2]))
