"""The public names are the documented ones, and each explains itself."""

import re
from importlib import import_module
from inspect import isclass, isroutine
from pathlib import Path

import pytest

import polyfuse

PUBLIC = [
    "ClipOptions",
    "ClipResult",
    "ComparePage",
    "Evaluation",
    "FuseOptions",
    "Result",
    "__version__",
    "compare",
    "evaluate",
    "fuse",
    "fuse_clip",
    "list_models",
    "load",
    "load_exported",
]
MODULES = {
    "alignment": ["Warp", "find_warp", "read_warp", "seems_off", "warp_of_points", "write_warp"],
    "comparison": ["ComparePage", "DEFAULT_METRICS", "Made", "Request", "compare", "find_pictures", "make_page"],
    "pages": [
        "Better",
        "Chart",
        "Collection",
        "Command",
        "MetricColumn",
        "Pair",
        "Prose",
        "Section",
        "Table",
        "check_page",
        "write_page",
    ],
    "engines": ["ExportedModel", "load_exported"],
    "exporting": ["Exported", "export_onnx"],
    "data": ["Pack", "PackItem", "PairSet", "find_set", "write_pack"],
    "evaluation": [
        "BASELINES",
        "Collected",
        "Evaluation",
        "Item",
        "Method",
        "Report",
        "Scored",
        "Task",
        "check_inputs_stay",
        "check_ready",
        "choose_metrics",
        "evaluate",
        "find_items",
        "make_report",
        "pair_list_hash",
        "save",
        "score_items",
    ],
    "explain": [
        "Claim",
        "ClaimsReport",
        "Estimate",
        "Explanation",
        "Findings",
        "LostFindings",
        "LostScale",
        "check_claims_ready",
        "check_ready",
        "claims_text",
        "explain",
        "explain_lost",
        "measure_claims",
        "save",
        "save_claims",
    ],
    "fusion": ["FuseOptions", "Outcome", "Result", "Source", "Writing", "fuse", "fuse_pairs", "fuse_tensors"],
    "radiometric": ["Calibration", "ThermalFile", "read_thermal"],
    "registry": [
        "CLIP_DEFAULT",
        "DEFAULT",
        "FAMILIES",
        "Family",
        "ModelEntry",
        "VOLUME_DEFAULT",
        "export_checkpoint",
        "import_checkpoint",
        "list_models",
        "load",
        "published",
        "read_card",
        "register",
    ],
    "scenes": ["Box", "LABELS", "Scene", "SceneConfig", "apply_gain", "render_scene", "render_sequence"],
    "train": ["LAST", "Progress", "Recipe", "bundled_recipes", "check_recipe", "load_recipe", "run_progress", "train"],
    "video": ["ClipOptions", "ClipResult", "fuse_clip", "fuse_frames"],
    "volumes": [
        "Origin",
        "Saving",
        "Study",
        "Together",
        "Volume",
        "VolumeOptions",
        "VolumeResult",
        "brought_together",
        "find_studies",
        "fuse_studies",
        "fuse_volumes",
        "read_volume",
        "resampled",
    ],
}
"""Public names of the packages behind `polyfuse`; those of `metrics` are its metrics and what scores with them."""
METRIC_TOOLS = {
    "ARROWS",
    "METRICS",
    "Metric",
    "PROTOCOLS",
    "Protocol",
    "Scores",
    "UndefinedMetricWarning",
    "computable_metrics",
    "find_metric",
    "find_protocol",
    "metrics_of",
    "score",
}
REPOSITORY = Path(__file__).resolve().parents[2]
API_PAGES = REPOSITORY / "docs" / "reference"


def test_all_lists_the_documented_names() -> None:
    assert sorted(polyfuse.__all__) == PUBLIC


def test_version_comes_from_one_place() -> None:
    from polyfuse._version import __version__

    assert polyfuse.__version__ == __version__


def released() -> tuple[str, str]:
    """The version and date of the newest release in the changelog."""
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## \[(\d[\w.]*)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)[0]


def test_citation_names_the_last_release() -> None:
    text = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.findall(r"^(?:version|date-released): (.+)$", text, re.MULTILINE)
    assert tuple(cited) == released()


def test_version_is_the_last_release_or_develops_a_later_one() -> None:
    version, _ = released()
    numbers, _, development = polyfuse.__version__.partition(".dev")
    if development:
        assert [int(part) for part in numbers.split(".")] > [int(part) for part in version.split(".")]
    else:
        assert numbers == version


def test_dir_shows_the_public_names() -> None:
    assert set(PUBLIC) <= set(dir(polyfuse))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        polyfuse.no_such_name  # noqa: B018


@pytest.mark.parametrize("name", [name for name in PUBLIC if not name.startswith("__")])
def test_public_name_has_a_docstring(name: str) -> None:
    assert (getattr(polyfuse, name).__doc__ or "").strip()


def test_reference_pages_show_every_public_name() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in API_PAGES.glob("*.md"))
    shown = set(re.findall(r"^::: polyfuse\.(?:\w+\.)*(\w+)$", text, re.MULTILINE))
    assert {name for name in PUBLIC if not name.startswith("__")} <= shown


@pytest.mark.parametrize("name", MODULES)
def test_package_lists_its_public_names(name: str) -> None:
    module = import_module(f"polyfuse.{name}")
    assert sorted(module.__all__) == MODULES[name]
    assert all(hasattr(module, public) for public in module.__all__)


def test_every_metric_is_public_by_its_own_name() -> None:
    metrics = import_module("polyfuse.metrics")
    assert {name.lower() for name in metrics.METRICS} | METRIC_TOOLS | {"mef_ssim"} == set(metrics.__all__)
    assert all(getattr(metrics, name.lower()) is metric for name, metric in metrics.METRICS.items())


@pytest.mark.parametrize("name", [*MODULES, "metrics"])
def test_public_function_or_class_of_a_package_explains_itself(name: str) -> None:
    module = import_module(f"polyfuse.{name}")
    named = {public: getattr(module, public) for public in module.__all__}
    silent = [
        public
        for public, value in named.items()
        if (isroutine(value) or isclass(value)) and not (value.__doc__ or "").strip()
    ]
    assert not silent


@pytest.mark.parametrize("name", [*MODULES, "metrics", "errors"])
def test_reference_has_a_place_for_every_public_package(name: str) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in API_PAGES.glob("*.md"))
    assert re.search(rf"^::: polyfuse\.{name}(\.|$)", text, re.MULTILINE)
