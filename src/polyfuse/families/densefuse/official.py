"""The published checkpoint of DenseFuse, grey (spec peers 3)."""

from __future__ import annotations

from pathlib import Path

from polyfuse.families.densefuse.network import DenseFuse
from polyfuse.weights.published import Published, read_published, save_published

PUBLISHED = Published(
    name="DenseFuse",
    family="densefuse",
    files=("densefuse_gray.model",),
    sha256=("b34cf3650f04161b31ac2467decfeedf7eba39165b7618f846e0f298ecd2ac65",),
    where="https://github.com/hli1221/densefuse-pytorch, models",
    licence="none stated",
    licensed=False,
    paper="Li and Wu, IEEE TIP 28, 2019",
    layers={
        "conv1.conv2d": "encoder.0",
        **{f"DB1.denseblock.{index}.dense_conv.conv2d": f"encoder.{index + 1}" for index in range(3)},
        **{f"conv{index + 2}.conv2d": f"decoder.{index}" for index in range(4)},
    },
)


def import_checkpoint(checkpoint: Path, out: Path, *, overwrite: bool) -> list[Path]:
    """Convert the published checkpoint; see `polyfuse.registry.import_checkpoint`."""
    read = read_published(checkpoint, PUBLISHED.files)
    return save_published(PUBLISHED, DenseFuse(), read, out, overwrite=overwrite)
