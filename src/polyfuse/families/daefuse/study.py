"""The study of DAE-Fuse: discriminators, cross attention, encoders and phases left out one by one.

The paper has no such table: the rows are ours.
"""

from __future__ import annotations

from polyfuse.train.variants import Study, Variant

_RECONSTRUCTION, _FUSION = "reconstruction", "fusion"

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
)
