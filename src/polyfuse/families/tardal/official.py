"""The published checkpoints of TarDAL, version 0: three trainings of one layout (spec peers 6)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from polyfuse.families.tardal.network import TarDAL, TarDALConfig
from polyfuse.weights.published import Checkpoint, Published, read_published, save_published


def _layers() -> dict[str, str]:
    """Published name to our name of every layer."""
    steps = {"encoder": "encoder", **{f"dense.{index}": f"dense.{index}" for index in range(3)}}
    steps |= {"fuse.1": "narrow.0", "fuse.2": "narrow.1"}
    names = {"fuse.0.0": "mix", "fuse.3.0": "read"}
    for theirs, ours in steps.items():
        names |= {f"{theirs}.0": f"{ours}.conv", f"{theirs}.1": f"{ours}.norm"}
    return names


PUBLISHED = Published(
    name="TarDAL",
    family="tardal",
    files=("tardal.pt",),
    sha256=("e0fa61e25cffa9fb14ff17b47ea7ba237a6e8c6f37e1b9b115d63354ff0f13e1",),
    where="https://github.com/JinyuanLiu-CV/TarDAL, weights of version 0 (also tardal+.pt and tardal++.pt)",
    licence="none in the commits with the weights, GPL-3.0 stated by the repository since version 1",
    licensed=False,
    paper="Liu et al., CVPR 2022",
    layers=_layers(),
    rendering="clip",
)
PLUS_PLUS = replace(
    PUBLISHED,
    name="TarDAL++",
    files=("tardal++.pt",),
    sha256=("7009d125e36db043d6918d9358e10c6dca7fdf2dd08ada09c5ecd294f45f98c5",),
)
"""The joint training, which the published command runs with stored statistics."""


def import_checkpoint(checkpoint: Path, out: Path, *, overwrite: bool) -> list[Path]:
    """Convert one of the published checkpoints; see `polyfuse.registry.import_checkpoint`.

    Which of them it is, and with it the statistics that the weights declare, is told by its hash; of another file of
    this layout by a "+" at the end of its name.
    """
    read = read_published(checkpoint, PUBLISHED.files)
    published = _training(read)
    model = TarDAL(TarDALConfig(statistics="picture" if published is PUBLISHED else "stored"))
    return save_published(published, model, read, out, overwrite=overwrite)


def _training(read: Checkpoint) -> Published:
    """Which of the trainings a checkpoint is."""
    for published in (PUBLISHED, PLUS_PLUS):
        if read.sha256 == published.sha256:
            return published
    stem = read.paths[0].stem
    pluses = min(2, len(stem) - len(stem.rstrip("+")))
    return replace(PLUS_PLUS, name="TarDAL" + pluses * "+") if pluses else PUBLISHED
