"""The published checkpoint of MMDRFuse's student (spec peers 4)."""

from __future__ import annotations

from pathlib import Path

from polyfuse.families.mmdrfuse.network import MMDRFuse
from polyfuse.weights.published import Published, read_published, save_published

PUBLISHED = Published(
    name="MMDRFuse",
    family="mmdrfuse",
    files=("student.model",),
    sha256=("e5ad5bab796f4480dbbc35a8f6f63e69ba3ccd1842476d2c2453ca1aca6eb17c",),
    where="https://github.com/yanglinDeng/MMDRFuse, pretrained_models",
    licence="none stated",
    licensed=False,
    paper="Deng et al., ACM Multimedia 2024",
    layers={"conv1.1": "first", "conv2.1": "last"},
)


def import_checkpoint(checkpoint: Path, out: Path, *, overwrite: bool) -> list[Path]:
    """Convert the published checkpoint; see `polyfuse.registry.import_checkpoint`."""
    read = read_published(checkpoint, PUBLISHED.files)
    return save_published(PUBLISHED, MMDRFuse(), read, out, overwrite=overwrite)
