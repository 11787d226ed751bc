"""What a shell offers after Tab: names of models, families, recipes and metrics, without importing torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from importlib import resources

import click
from click.shell_completion import CompletionItem

from polyfuse.registry.catalogue import FAMILIES, Feature, names_with

METRICS = (
    "EN", "SD", "SF", "AG", "EI", "MI", "NMI", "CE", "TE", "NCIE", "SCD", "CC", "MSE", "RMSE", "PSNR", "VIF",
    "VIFF", "Qabf", "Nabf", "Labf", "Qabf_petrovic", "Nabf_petrovic", "QG", "QSF", "SSIM", "MS_SSIM",
    "MEF_MS_SSIM", "QY", "QS", "QW", "QC", "Qcb", "Qcv", "VIS", "LOST", "LOSTmax", "FlatSD", "CD", "Rank",
    "FMI_none", "FMI_gradient", "FMI_edge", "FMI_dct", "FMI_wavelet",
)  # fmt: skip
"""Names of the metrics, as in `polyfuse.metrics.METRICS`, which needs torch."""

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with polyfuse: the same as `polyfuse.train` says; none with `polyfuse-runtime`."""
    folder = resources.files("polyfuse").joinpath("train", "recipes")
    if not folder.is_dir():
        return []
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def bundled_weights() -> list[str]:
    """Names of the weights that come with polyfuse."""
    text = resources.files("polyfuse").joinpath("weights", "manifest.json").read_text(encoding="utf-8")
    return sorted(json.loads(text)["weights"])


def complete_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Models, as `polyfuse models list` has them."""
    return _fitting(list(dict.fromkeys([*bundled_weights(), *FAMILIES])), incomplete)


def complete_cards(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Weights that have a card."""
    return _fitting(bundled_weights(), incomplete)


def complete_families(feature: Feature) -> Complete:
    """Families that have a feature."""
    return lambda ctx, param, incomplete: _fitting(names_with(feature), incomplete)


def complete_recipes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Recipes that come with polyfuse; files where none fits."""
    return _fitting(bundled_recipes(), incomplete) or [CompletionItem(incomplete, type="file")]


def complete_metrics(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Metrics, also the last one of a list with commas."""
    before, comma, last = incomplete.rpartition(",")
    return [CompletionItem(before + comma + item.value) for item in _fitting(METRICS, last)]


def _fitting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The names that go on from what is typed; case does not matter."""
    return [CompletionItem(name) for name in names if name.lower().startswith(incomplete.lower())]
