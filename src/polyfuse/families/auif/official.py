"""The published checkpoint of AUIF, in three files (spec peers 5)."""

from __future__ import annotations

from pathlib import Path

from polyfuse.families.auif.network import AUIF, ITERATIONS
from polyfuse.weights.published import Published, read_published, save_published


def _layers() -> dict[str, str]:
    """Published name to our name of every layer; the keys of the three files differ."""
    names = {}
    for theirs, ours in (("conv1", "base"), ("conv2", "detail")):
        for index in range(ITERATIONS):
            names[f"{theirs}.{index}"] = f"{ours}.{index}"
            names[f"{theirs}.{index}.rest.0"] = f"{ours}.{index}.norm"
            names[f"{theirs}.{index}.rest.1"] = f"{ours}.{index}.shrink"
    return names | {"decoder.1": "read", "decoder.2": "read_norm"}


PUBLISHED = Published(
    name="AUIF",
    family="auif",
    files=("TCSVT_Encoder_Base.model", "TCSVT_Encoder_Detail.model", "TCSVT_Decoder.model"),
    sha256=(
        "c4fe51b85637e3befc89b27e3cbb7a765aea37871eb4da4f58b471680ce7eb72",
        "92e1ad6a4b7e5a2acc442a3a57c3b0e48a2af262f487942e42d81334de204726",
        "7966d490bb4003821c8f20ce1197c22d020ab986850571c5dfa02b0defad8ad3",
    ),
    where="https://github.com/Zhaozixiang1228/IVIF-AUIF-Net, Models",
    licence="none stated",
    licensed=False,
    paper="Zhao et al., IEEE TCSVT 2021",
    layers=_layers(),
)


def import_checkpoint(checkpoint: Path, out: Path, *, overwrite: bool) -> list[Path]:
    """Convert the published checkpoint, a folder of three files; see `polyfuse.registry.import_checkpoint`."""
    read = read_published(checkpoint, PUBLISHED.files)
    return save_published(PUBLISHED, AUIF(), read, out, overwrite=overwrite)
