"""The published checkpoint of SeAFusion (spec peers 1)."""

from __future__ import annotations

from pathlib import Path

from polyfuse.families.seafusion.network import SeAFusion
from polyfuse.weights.published import COUNTER, Published, read_published, save_published


def _layers() -> dict[str, str]:
    """Published name to our name of every layer."""
    names = {}
    for theirs, ours in (("vis", "visible"), ("inf", "infrared")):
        names[f"{theirs}_conv.conv"] = f"{ours}.0"
        for index in (1, 2):
            block, our_block = f"{theirs}_rgbd{index}", f"{ours}.{index + 1}"
            names[f"{block}.dense.conv1.conv"] = f"{our_block}.grow1"
            names[f"{block}.dense.conv2.conv"] = f"{our_block}.grow2"
            names[f"{block}.convdown.conv"] = f"{our_block}.squeeze"
            names[f"{block}.sobelconv.convx"] = f"{our_block}.edge_x"
            names[f"{block}.sobelconv.convy"] = f"{our_block}.edge_y"
            names[f"{block}.convup.conv"] = f"{our_block}.lift"
    return names | {f"decode{4 - index}.conv": f"decoder.{index}" for index in range(4)}


PUBLISHED = Published(
    name="SeAFusion",
    family="seafusion",
    files=("SeAFusion.pth",),
    sha256=("8d65a7f9a50f36349803368cf9920f40420776995e7e8cc8a56d8d30e499431d",),
    where="https://github.com/Linfeng-Tang/VIF-Benchmark, Checkpoint/SeAFusion",
    licence="MIT, copyright 2023 Linfeng Tang",
    licensed=True,
    paper="Tang, Yuan and Ma, Information Fusion 82, 2022",
    layers=_layers(),
    unused=tuple(
        f"decode{index}.bn.{entry}"
        for index in (4, 3, 2, 1)
        for entry in ("weight", "bias", "running_mean", "running_var", COUNTER)
    ),
    rendering="clip",
)


def import_checkpoint(checkpoint: Path, out: Path, *, overwrite: bool) -> list[Path]:
    """Convert the published checkpoint; see `polyfuse.registry.import_checkpoint`."""
    read = read_published(checkpoint, PUBLISHED.files)
    return save_published(PUBLISHED, SeAFusion(), read, out, overwrite=overwrite)
