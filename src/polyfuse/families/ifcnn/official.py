"""The published checkpoint of IFCNN with the maximum (spec peers 2)."""

from __future__ import annotations

from pathlib import Path

from polyfuse.families.ifcnn.network import IFCNN
from polyfuse.weights.published import Published, read_published, save_published

PUBLISHED = Published(
    name="IFCNN",
    family="ifcnn",
    files=("IFCNN-MAX.pth",),
    sha256=("6022b44c88a2f0367ba9b08fcdf0d663745d9a966fca0ee1f41867797b6ff53f",),
    where="https://github.com/uzeful/IFCNN, Code/snapshots",
    licence="none stated",
    licensed=False,
    paper="Zhang et al., Information Fusion 54, 2020",
    layers={
        "conv2.conv": "refine.conv",
        "conv2.bn": "refine.norm",
        "conv3.conv": "rebuild.conv",
        "conv3.bn": "rebuild.norm",
        "conv4": "read",
        "conv1": "extract",
    },
)


def import_checkpoint(checkpoint: Path, out: Path, *, overwrite: bool) -> list[Path]:
    """Convert the published checkpoint; see `polyfuse.registry.import_checkpoint`."""
    read = read_published(checkpoint, PUBLISHED.files)
    return save_published(PUBLISHED, IFCNN(), read, out, overwrite=overwrite)
