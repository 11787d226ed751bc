"""The sheets of an SMFNet: overview, features, scales, and the order of them all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from polyfuse.drawing.canvas import (
    CAPTION,
    FAINT,
    HEADING,
    Canvas,
    energy_scale,
    factor_scale,
    light_scale,
    signed,
    signed_scale,
)
from polyfuse.drawing.maps import shown_limit, stretched_like
from polyfuse.drawing.panels import MARGIN, Panel, Row, as_picture8, pictures_row, sheet
from polyfuse.drawing.pictures import Pictures
from polyfuse.drawing.reconstructions import reconstruction_sheet
from polyfuse.families.smfnet.explained.charts import attention_chart, correlation_bars, gradient_chart
from polyfuse.families.smfnet.explained.findings import Array, SMFNetFindings
from polyfuse.families.smfnet.explained.gates import exchange_sheet, message_sheet

_INTENDED = {"base": "meant to be high", "detail": "meant to be low", "graph": "what each learned from the other"}
"""What the correlation between a's and b's features of a branch is meant to be."""
_CHART = 2.6
"""Inches at the bottom of the overview."""


def draw(pictures: Pictures, findings: SMFNetFindings) -> Iterator[tuple[str, Canvas]]:
    """Name and sheet of every picture, drawn when it is asked for.

    Overview, features, reconstructions, what the network has of gates, then scales, attention and gradients.
    """
    yield "overview", overview(pictures, findings)
    yield "features", feature_sheet(pictures, findings)
    yield "reconstructions", reconstruction_sheet(pictures, findings.reconstructions)
    if findings.graph and findings.graph["a"].exchange.size:
        yield "exchange", exchange_sheet(pictures, findings)
    if findings.graph and findings.graph["a"].edges.size:
        yield "messages", message_sheet(pictures, findings)
    yield "scales", scale_sheet(pictures, findings)
    yield "attention", attention_chart(findings)
    yield "gradients", gradient_chart(findings)


def overview(pictures: Pictures, findings: SMFNetFindings) -> Canvas:
    """Sources and result, the result without each branch, the differences, and how alike both sources' features are."""
    a, b = pictures.names
    fused = stretched_like(findings.fused_luma, findings.fused_luma)
    without = {name: stretched_like(raw, findings.fused_luma) for name, raw in findings.without.items()}
    differences = {name: fused - picture for name, picture in without.items()}
    scale = light_scale(shown_limit(*differences.values()))
    rows = [
        pictures_row(pictures, "1   The pictures"),
        Row(
            "2   The result without one branch",
            "decoded from the sum of the other branches; same black and white as the result",
            [Panel(f"without {name}", as_picture8(picture)) for name, picture in without.items()],
        ),
        Row(
            "3   What the result owes to each branch",
            "result less the picture above it; the network is not linear, so these do not add up to the result",
            [Panel(f"{name}: {_mean_change(values)}", values, scale) for name, values in differences.items()],
            "blue: the branch takes brightness away, black: it changes nothing, grey to white: it adds brightness",
        ),
    ]
    canvas = sheet(f"How {pictures.record['model']} fused {a} with {b}", "", rows, 4.4, below=_CHART)
    top = canvas.height - _CHART
    canvas.text(MARGIN, top, "4   How alike the features of both sources are", HEADING, weight="bold")
    line = "correlation over all channels and pixels; the paper wants base features to agree and details to differ"
    canvas.text(MARGIN, top + 0.3, line, CAPTION, color=FAINT)
    correlation_bars(canvas, findings, MARGIN, top + 0.75, 6.0, 1.2)
    canvas.text(MARGIN + 7.2, top + 0.75, _regions(pictures, findings), CAPTION)
    return canvas


def _mean_change(values: Array) -> str:
    """How much a branch changes the result, for a caption."""
    return f"{float(np.abs(values).mean()):.3f} on average"


def _regions(pictures: Pictures, findings: SMFNetFindings) -> str:
    """Which source the result follows where a is bright, and which elsewhere, as lines of text."""
    a, b = pictures.names
    titles = {"bright": f"Where {a} is bright", "rest": "Elsewhere"}
    lines = [
        f"{titles[name]} ({100 * region['share']:.0f} % of the pixels), the result correlates\n"
        f"    {signed(region['a'], 2)} with {a}, {signed(region['b'], 2)} with {b}"
        for name, region in findings.regions.items()
    ]
    return "\n".join(lines)


def feature_sheet(pictures: Pictures, findings: SMFNetFindings) -> Canvas:
    """A row for each branch: mean and energy over the channels, of a and of b on one scale."""
    rows = []
    for branch in findings.branches:
        maps = [findings.features[f"{branch}_{source}"] for source in "ab"]
        mean = signed_scale(np.stack([m.mean for m in maps]))
        energy = energy_scale(np.stack([m.energy for m in maps]))
        panels = [Panel(f"{name}: mean", m.mean, mean) for name, m in zip("ab", maps, strict=True)]
        panels += [Panel(f"{name}: energy", m.energy, energy) for name, m in zip("ab", maps, strict=True)]
        line = f"correlation between a and b {signed(findings.correlations[branch])}: {_INTENDED[branch]}"
        rows.append(Row(branch.capitalize(), line, panels))
    a, b = pictures.names
    line = (
        f"a: {a}, b: {b}. Mean over the channels (red positive, blue negative) and energy, the root mean square over "
        "them (bright: much); a and b share their scales."
    )
    return sheet("The features of each source", line, rows, 3.7)


def scale_sheet(pictures: Pictures, findings: SMFNetFindings) -> Canvas:
    """Factors of the encoder's invertible node and of the fusion's couplings."""
    node = [findings.scales[source] for source in "ab"]
    couplings = {name: maps for name, maps in findings.scales.items() if name not in ("a", "b")}
    factors = factor_scale(*(maps.centre for maps in node))
    spread = energy_scale(np.stack([maps.spread for maps in node]))
    first = [Panel(f"{name}: factor", m.centre, factors) for name, m in zip("ab", node, strict=True)]
    first += [Panel(f"{name}: spread over channels", m.spread, spread) for name, m in zip("ab", node, strict=True)]
    shared = factor_scale(*(maps.centre for maps in couplings.values()))
    titles = {name: "coupling {}, {} half".format(*name.split(".")) for name in couplings}
    a, b = pictures.names
    rows = [
        Row(
            "Invertible node of the encoder",
            f"a: {a}, b: {b}; exp(rho), by which half of the detail channels is multiplied",
            first,
            "orange: made larger, violet: made smaller, white: left as it is. Spread: of the logarithm",
        ),
        Row(
            "Couplings of the detail fusion",
            "e(t), by which each half is divided, one coupling after the other",
            [Panel(titles[name], maps.centre, shared) for name, maps in couplings.items()],
            "orange: divided by more than 1, violet: by less, white: left as it is",
        ),
    ]
    line = "Invertible layers scale their channels from place to place; shown is the geometric mean over the channels."
    return sheet("What the invertible layers scale", line, rows, 3.7)
