"""Every family, one row each. A new family is a folder, called its wing, and a row here; deleting one is the reverse.

A wing is imported on first use. What it has beside its model is listed in its row, `has`, and lies under names that are
the same in every wing:

| in `has` | module of the wing | what is looked for there |
|---|---|---|
| training | `training` | `TRAINING`, a `polyfuse.train.stage.Training` |
| study | `study` | `STUDY`, a `polyfuse.train.variants.Study` |
| explained | `explained` | `find` and `draw`, also `measure` and `CLAIMS`; see `polyfuse.registry.explained` |
| import | `official` | `import_checkpoint(checkpoint, out, *, overwrite)`, returns the files written |
| export | `official` | `export_checkpoint(model, weights, out, *, overwrite)`, returns the files written |

A network of other people also has `PUBLISHED` in `official`, a `polyfuse.weights.published.Published`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.families.spec import FusionModel

Feature = Literal["training", "study", "explained", "import", "export"]


@dataclass(frozen=True)
class Family:
    """One row: a family of models and where its wing lies."""

    name: str
    """What `--model`, recipes and weights files call it."""
    wing: str
    """Module that holds `model`; the wing's other modules lie below it."""
    model: str
    """Name of the model's class, a `FusionModel`, in that module."""
    summary: str
    """What it does, in one line."""
    source: str
    """Publication of a classic method; for learned ones the weights say who trained them."""
    learned: bool = True
    """Whether it needs weights."""
    has: tuple[Feature, ...] = ()
    """What its wing can do beside fusing."""

    def build(self, config: dict[str, Any]) -> FusionModel:
        """A fresh model.

        Args:
            config: What `FusionModel.configuration` returns; fields left out keep their default.
        """
        made: FusionModel = getattr(import_module(self.wing), self.model).from_configuration(config)
        return made

    def module(self, name: str) -> ModuleType:
        """A module of the wing, e.g. "training"."""
        return import_module(f"{self.wing}.{name}")


_WINGS = "polyfuse.families"


def _classic(name: str, model: str, summary: str, source: str) -> Family:
    """The row of a method that learns nothing, or whose few weights come with polyfuse under its own name."""
    return Family(name, f"{_WINGS}.classic", model, summary, source, learned=False)


_CLASSIC = (
    _classic("average", "Average", "mean of both pictures", "pixel mean"),
    _classic("maximum", "Maximum", "larger of both pictures, pixel by pixel", "pixel maximum"),
    _classic("laplacian", "Laplacian", "Laplacian pyramid, larger detail wins", "Burt and Adelson 1983"),
    _classic("mgff", "MGFF", "multi-scale guided filter, details of both", "Bavirisetti et al. 2019"),
    _classic("hybrid-msd", "HybridMSD", "Gaussian and bilateral scales, infrared edges first", "Zhou et al. 2016"),
    _classic("hmsd-gf", "HMSDGF", "hybrid-msd with a guided filter", "Zhou et al. 2016, Applied Optics"),
    _classic("lp-sr", "LPSR", "Laplacian pyramid, base by sparse codes", "Liu, Liu and Wang 2015"),
    _classic("gff", "GFF", "two scales, weights by guided filter", "Li, Kang and Hu 2013"),
    _classic("tsifvs", "TSIFVS", "two scales, details by visual saliency", "Bavirisetti and Dhuli 2016, saliency"),
    _classic("gtf", "GTF", "infrared intensities, visible gradients", "Ma, Chen, Li and Huang 2016"),
    _classic("adf", "ADF", "anisotropic diffusion, principal axis", "Bavirisetti and Dhuli 2016, diffusion"),
    _classic("dwt", "DWT", "discrete wavelets, more active detail wins", "Li, Manjunath and Mitra 1995"),
    _classic("dtcwt", "DTCWT", "dual-tree complex wavelets, larger detail wins", "Kingsbury; Lewis et al. 2007"),
    _classic("mdlatlrr", "MDLatLRR", "details by low-rank projection, mean base", "Li, Wu and Kittler 2020"),
    _classic("ratio", "Ratio", "ratio of low-pass pyramid, brighter base", "Toet 1989"),
    _classic("contrast", "Contrast", "contrast pyramid, mean base", "Toet, van Ruyven and Valeton 1989"),
)
FAMILIES: dict[str, Family] = {
    row.name: row
    for row in (
        *_CLASSIC,
        Family(
            "fnet",
            f"{_WINGS}.fnet",
            "FNet",
            "interpretable l0 sparse coding",
            "arXiv 2411.04519",
            has=("training", "study", "explained", "import"),
        ),
        Family(
            "fnet-t",
            f"{_WINGS}.fnet_t",
            "FNetT",
            "real time on a CPU, a student of fnet",
            "a student of FNet",
            has=("training",),
        ),
        Family(
            "smfnet",
            f"{_WINGS}.smfnet",
            "SMFNet",
            "base, detail and graph features",
            "the SMFNet paper",
            has=("training", "study", "explained", "import", "export"),
        ),
        Family(
            "daefuse",
            f"{_WINGS}.daefuse",
            "DAEFuse",
            "adversarial autoencoder, also for clips",
            "arXiv 2409.10080",
            has=("training", "study", "explained"),
        ),
        Family(
            "pyrfuse",
            f"{_WINGS}.pyrfuse",
            "PyrFuse",
            "chooses inside a Laplacian pyramid",
            "ours",
            has=("training", "explained"),
        ),
        Family(
            "pyrfuse-t",
            f"{_WINGS}.pyrfuse",
            "PyrFuseT",
            "pyrfuse in real time on a CPU",
            "ours",
            has=("training", "explained"),
        ),
        Family(
            "seafusion",
            f"{_WINGS}.seafusion",
            "SeAFusion",
            "published by Tang et al., gradient residual dense blocks",
            "Information Fusion 82, 2022",
            has=("import",),
        ),
        Family(
            "ifcnn",
            f"{_WINGS}.ifcnn",
            "IFCNN",
            "published by Zhang et al., larger of both sources' features",
            "Information Fusion 54, 2020",
            has=("import",),
        ),
        Family(
            "densefuse",
            f"{_WINGS}.densefuse",
            "DenseFuse",
            "published by Li and Wu, mean of dense features",
            "IEEE TIP 28, 2019",
            has=("import",),
        ),
        Family(
            "mmdrfuse",
            f"{_WINGS}.mmdrfuse",
            "MMDRFuse",
            "published by Deng et al., a student of 113 weights",
            "ACM Multimedia 2024",
            has=("import",),
        ),
        Family(
            "auif",
            f"{_WINGS}.auif",
            "AUIF",
            "published by Zhao et al., unrolled base and detail",
            "IEEE TCSVT 2021",
            has=("import",),
        ),
        Family(
            "tardal",
            f"{_WINGS}.tardal",
            "TarDAL",
            "published by Liu et al., also TarDAL+ and TarDAL++",
            "CVPR 2022",
            has=("import",),
        ),
    )
}
"""All families by name; lists keep this order."""


def register(family: Family) -> None:
    """Add a row, for a family that does not come with polyfuse.

    Raises:
        UsageError: If there is a family of that name.
    """
    if family.name in FAMILIES:
        raise UsageError(f"there is a family {family.name!r} already: choose another name.")
    FAMILIES[family.name] = family


def names_with(feature: Feature) -> list[str]:
    """Names of the families that have a feature."""
    return [family.name for family in FAMILIES.values() if feature in family.has]
