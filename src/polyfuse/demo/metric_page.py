"""A page of Markdown about a metric: definition, direction, traps, toolboxes, and a worked example."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from polyfuse.families.classic import Laplacian
from polyfuse.metrics import ARROWS, Metric, UndefinedMetricWarning
from polyfuse.metrics.metric import Variant
from polyfuse.scenes import SceneConfig, render_scene
from polyfuse.transforms import luma

EXAMPLE_SIZE = (240, 180)
NOISE = 12.0
"""Standard deviation of the noise of one candidate, grey levels."""
DIRECTIONS = {
    "up": "larger is better",
    "down": "smaller is better",
    "zero": "best at zero",
    "none": "describes the fused picture; larger is usually reported as better, but noise raises it",
}
COSTS = {"a": "under 10 ms", "b": "10 to 100 ms", "c": "0.1 to 1 s", "d": "more than 1 s"}


def metric_page(metric: Metric) -> str:
    """Explain one metric.

    Args:
        metric: Any of the catalogue.

    Returns:
        Markdown, ending in a line feed.
    """
    low, high = metric.bounds
    needs = "the fused picture and both sources" if metric.needs_sources else "the fused picture alone"
    facts = [
        f"# {metric.name}: {metric.title}",
        f"> {metric.formula}",
        f"- **Direction**: {ARROWS[metric.direction]} {DIRECTIONS[metric.direction]}",
        f"- **Range**: {_bound(low)} to {_bound(high)}",
        f"- **Looks at**: {needs}",
        f"- **Cost**: {COSTS[metric.cost]} for a 640x480 pair, one thread",
        f"- **Source**: {metric.source}",
    ]
    head = "\n\n".join(facts[:2]) + "\n\n" + "\n".join(facts[2:])
    prose = [
        f"**What it rewards.** {metric.rewards}",
        f"**How it is fooled.** {metric.fooled}",
        f"**Where toolboxes differ.** {metric.quirks}",
    ]
    return "\n\n".join([head, *prose, _protocols(metric), _example(metric)]) + "\n"


def metric_index(metrics: Iterable[Metric]) -> str:
    """List metrics, each with a link to its page.

    Args:
        metrics: In the order of the list.

    Returns:
        Markdown table, ending in a line feed.
    """
    rows = ["| metric | what | better | protocols |", "|---|---|---|---|"]
    for metric in metrics:
        link = f"[{metric.name}]({metric.name.lower()}.md)"
        protocols = ", ".join(f"`{name}`" for name in metric.variants)
        rows.append(f"| {link} | {metric.title} | {ARROWS[metric.direction]} | {protocols} |")
    return "\n".join(rows) + "\n"


def _bound(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "no limit"


def _by_rule(metric: Metric) -> dict[Variant, list[str]]:
    """The different variants of a metric, each with the names of the protocols that use it."""
    rules: dict[Variant, list[str]] = {}
    for name, variant in metric.variants.items():
        rules.setdefault(variant, []).append(name)
    return rules


def _protocols(metric: Metric) -> str:
    """Table of the variants."""
    rows = ["| protocols | rule | swapping sources | smallest side |", "|---|---|---|---|"]
    for variant, names in _by_rule(metric).items():
        swap = "same" if variant.symmetric else "changes it"
        swap = swap if metric.needs_sources else "no sources"
        quoted = ", ".join(f"`{name}`" for name in names)
        rows.append(f"| {quoted} | {variant.note} | {swap} | {variant.min_size} |")
    return "## Protocols\n\n" + "\n".join(rows)


def _example(metric: Metric) -> str:
    """Table of trivial candidates on a drawn scene, with a column for each variant."""
    a, b, candidates = example_pictures()
    columns = _by_rule(metric)
    first = "canonical" if "canonical" in metric.variants else next(iter(metric.variants))
    heads = [f"{metric.name}[{', '.join(names)}]" for names in columns.values()]
    if metric.needs_sources:
        heads += [f"term of a [{first}]", f"term of b [{first}]"]
    rows = ["| fused picture | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)  # shown as "no value"
        for label, fused in candidates.items():
            values = [metric(fused, a, b, protocol=names[0]) for names in columns.values()]
            if metric.needs_sources:
                values += metric.terms(fused, a, b, protocol=first)
            rows.append(f"| {label} | " + " | ".join(_shown(float(value)) for value in values) + " |")
    width, height = EXAMPLE_SIZE
    text = (
        f"A drawn street at dusk, {width}x{height}: a is the thermal picture, b the luma of the visible one. None of "
        "these candidates is a method worth using, except perhaps the pyramid; a metric that prefers a copy or noise "
        "must not stand alone."
    )
    return f"## A worked example\n\n{text}\n\n" + "\n".join(rows)


def _shown(value: float) -> str:
    """The value in four digits, or in words where it is not finite."""
    if math.isnan(value) or value == -math.inf:
        return "no value"
    return "infinite" if math.isinf(value) else f"{value:.4g}"


@cache
def example_pictures() -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Sources and candidates of the worked example, (1, 1, H, W) uint8."""
    scene = render_scene(SceneConfig(width=EXAMPLE_SIZE[0], height=EXAMPLE_SIZE[1]))
    a = torch.from_numpy(scene.thermal)[None, None].double()
    b = torch.from_numpy(np.round(luma(scene.visible / 255.0) * 255))[None, None]
    average = (a + b) / 2
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(tuple(a.shape)))
    candidates = {
        "copy of a": a,
        "copy of b": b,
        "average": average,
        f"average with noise of {NOISE:g} levels": average + NOISE * noise,
        "maximum": torch.maximum(a, b),
        "Laplacian pyramid": Laplacian()(a / 255, b / 255) * 255,
    }
    return _levels(a), _levels(b), {label: _levels(picture) for label, picture in candidates.items()}


def _levels(x: Tensor) -> Tensor:
    return x.round().clamp(0, 255).to(torch.uint8)
