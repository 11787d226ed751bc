"""The study of DAE-Fuse: discriminators, cross attention, encoders and phases left out one by one.

The paper has no such table: the rows are ours.
"""

from __future__ import annotations

from typing import Literal

from polyfuse.families.daefuse.bands import BANDS
from polyfuse.families.daefuse.measured import feature_bands, fused_bands, reconstruction
from polyfuse.train.variants import Measures, Study, Variant

_RECONSTRUCTION, _FUSION = "reconstruction", "fusion"
_NONE: dict[str, Literal["up", "down", "none"]] = dict.fromkeys(BANDS.names, "none")
MEASURES = (
    Measures(
        "reconstruction at the end of phase 1",
        {"PSNR": "up", "SSIM": "up", **_NONE},
        reconstruction,
        stage=_RECONSTRUCTION,
    ),
    Measures(
        "energy of the features by band",
        {f"{branch} {band}": "none" for branch in ("high", "low") for band in BANDS.names},
        feature_bands,
    ),
    Measures("energy of the fused picture over the sources' by band", _NONE, fused_bands),
)
"""What the discriminators of phase 1, and one encoder in place of two, are said to change."""

STUDY = Study(
    family="daefuse",
    full=Variant("full", "the unchanged model"),
    rows=(
        Variant("no-disc-1", "no discriminators in phase 1", options={_RECONSTRUCTION: {"adversarial": False}}),
        Variant("no-disc-2", "no discriminators in phase 2", options={_FUSION: {"adversarial": False}}),
        Variant("no-cross", "no cross attention", model={"cross_attention": False}),
        Variant("cnn-only", "no low-frequency encoder", model={"branches": "cnn"}),
        Variant("vit-only", "no high-frequency encoder", model={"branches": "vit"}),
        Variant(
            "one-phase", "no phase 1, its steps in phase 2", without=_RECONSTRUCTION, keeps_steps=True, keeps_start=True
        ),
    ),
    recipe="daefuse-paper",
    budget="80 epochs of phase 1, 140 of phase 2 on MSRS; it prints no numbers of these rows",
    paper="DAE-Fuse",
    metrics=("EN", "SD", "SF", "MI", "SCD", "VIF", "Qabf", "SSIM"),
    protocol="cddfuse",
    balances=("Qabf", "SSIM"),
    measures=MEASURES,
)
