"""The charts: what the thresholds of the network are, and what they did to the values of this pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from polyfuse.drawing.canvas import CAPTION, FAINT, HEADING, INK, MINUS, SMALL, TITLE, Canvas
from polyfuse.drawing.panels import MARGIN
from polyfuse.drawing.pictures import Pictures
from polyfuse.families.fnet.explained.findings import PARTS, Part, part_titles
from polyfuse.families.fnet.explained.statistics import HISTOGRAM_LIMIT, NULL_BELOW, EstimateStatistics, bin_edges

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"u": "#D55E00", "v": "#0072B2", "z": "#009E73"}
"""Okabe and Ito's, which readers with any colour vision tell apart."""
_SMALLEST_SHARE = 1e-5
"""Per cent, the lower end of the histograms' logarithmic scale."""


def threshold_chart(pictures: Pictures, parts: dict[str, Part]) -> Canvas:
    """Bars: thresholds and momenta of the three blocks, estimate by estimate."""
    width, height, gap = 6.0, 3.6, 0.9
    canvas = Canvas(2 * (MARGIN + width) + gap + 0.3, height + 3.3)
    canvas.text(MARGIN, 0.3, f"The learned thresholds of {pictures.record['model']}", TITLE, weight="bold")
    canvas.text(
        MARGIN,
        0.78,
        "Each part is found by a first estimate (0) and refinements of it. After each, a threshold pushes values below "
        "it toward zero and keeps the larger ones:\nonly what stands out goes on. These numbers belong to the weights, "
        "not to this pair.",
        CAPTION,
        color=FAINT,
    )
    titles = part_titles(pictures.names)
    blocks = {name: parts[name].estimates for name in PARTS}
    charts = (
        ("Threshold", {name: [e.threshold for e in estimates] for name, estimates in blocks.items()}),
        (
            "Momentum (weight of the last change)",
            {name: [e.momentum for e in estimates] for name, estimates in blocks.items()},
        ),
    )
    for column, (title, series) in enumerate(charts):
        left = MARGIN + 0.35 + column * (width + gap)
        canvas.text(left, 1.72, title, HEADING, va="bottom", weight="bold")
        axes = canvas.axes(left, 1.85, width, height)
        _bars(axes, series, numbers=len(blocks["u"]) <= 6)
    for index, name in enumerate(PARTS):
        left = MARGIN + 0.35 + index * 4.2
        canvas.text(left, height + 2.6, "■", HEADING, color=COLOURS[name])
        canvas.text(left + 0.28, height + 2.62, titles[name], CAPTION)
    return canvas


def _bars(axes: Axes, series: dict[str, list[float]], *, numbers: bool) -> None:
    """Groups of three bars, one group for each estimate."""
    for index, (name, values) in enumerate(series.items()):
        places = np.arange(len(values)) + (index - 1) * 0.28
        bars = axes.bar(places, values, width=0.26, color=COLOURS[name])
        if numbers:
            labels = [f"{value:.3f}".lstrip("0") if value else "0" for value in values]
            axes.bar_label(bars, labels, fontsize=7.5, color=FAINT, padding=1)
    axes.set_xticks(range(len(series["u"])))
    _plain(axes)
    axes.set_xlabel("estimate", fontsize=CAPTION, color=INK)


def histogram_chart(pictures: Pictures, parts: dict[str, Part]) -> Canvas:
    """Values before and after each threshold: a row for each part, a column for each estimate."""
    blocks = [(name, parts[name].estimates) for name in PARTS]
    count = max(len(estimates) for _, estimates in blocks)
    width, height = 2.75, 1.75
    canvas = Canvas(2 * MARGIN + 0.35 + max(count * (width + 0.35), 11.5), 1.75 + 3 * (height + 1.15) + 0.4)
    canvas.text(MARGIN, 0.3, "What the thresholds did to the values of this pair", TITLE, weight="bold")
    canvas.text(
        MARGIN,
        0.78,
        "How many of the values (per cent, each tick 100 times the one below) have which size. Grey: before the "
        "threshold. Coloured line: after it.\nDotted: the threshold on both sides of zero. Values beyond 0.5 are "
        f"counted in the outermost bars. Null means below {NULL_BELOW:g} in size: the threshold\ncomes close to zero "
        "but makes no exact zeros.",
        CAPTION,
        color=FAINT,
    )
    for row, (name, estimates) in enumerate(blocks):
        top = 1.75 + row * (height + 1.15)
        canvas.text(MARGIN, top, part_titles(pictures.names)[name], HEADING, weight="bold", color=COLOURS[name])
        for k, estimate in enumerate(estimates):
            left = MARGIN + 0.35 + k * (width + 0.35)
            shares = f"null {_per_cent(estimate.null_before)} → {_per_cent(estimate.null_after)}"
            canvas.text(left, top + 0.56, f"estimate {k}:  {shares}", SMALL, va="bottom")
            axes = canvas.axes(left, top + 0.6, width, height - 0.1)
            _steps(axes, estimate, COLOURS[name], labelled=k == 0)
    return canvas


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _steps(axes: Axes, estimate: EstimateStatistics, colour: str, *, labelled: bool) -> None:
    """One histogram before and after, in per cent on a logarithmic scale, with the threshold on both sides of zero."""
    total = max(1, int(estimate.histogram_before.sum()))
    before, after = (100 * h / total for h in (estimate.histogram_before, estimate.histogram_after))
    axes.set_yscale("log")
    axes.stairs(before, bin_edges(), baseline=_SMALLEST_SHARE, fill=True, color="#c4c4c4")
    axes.stairs(after, bin_edges(), baseline=_SMALLEST_SHARE, color=colour, linewidth=1.4)
    for side in (-1, 1):
        axes.axvline(side * estimate.threshold, color=INK, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set_xlim(-HISTOGRAM_LIMIT, HISTOGRAM_LIMIT)
    axes.set_ylim(_SMALLEST_SHARE, 100)
    axes.set_yticks([1e-4, 1e-2, 1, 100], ["0.0001", "0.01", "1", "100 %"] if labelled else [""] * 4)
    axes.minorticks_off()
    axes.set_xticks([-0.4, -0.2, 0, 0.2, 0.4], [f"{MINUS}0.4", "", "0", "", "0.4"])
    _plain(axes)


def _plain(axes: Axes) -> None:
    """Take the frame off above and at the right, and make the ticks small and faint."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=SMALL, colors=FAINT)
