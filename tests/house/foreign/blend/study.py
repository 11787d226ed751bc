"""The ablation study of Blend: a single row, which lets the network see no neighbours."""

from polyfuse.train.variants import Study, Variant

STUDY = Study(
    family="blend",
    full=Variant("full", "the unchanged model"),
    rows=(Variant("pointwise", "no neighbours", model={"kernel": 1}),),
    recipe="blend-none",
    budget="none",
    paper="Blend",
    metrics=("SD", "SSIM"),
    protocol="canonical",
)
