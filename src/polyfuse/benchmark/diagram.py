"""The critical-difference diagram: mean ranks on a line, and bars over methods that no test tells apart."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from polyfuse.benchmark.statistics import Comparison
from polyfuse.drawing.canvas import FAINT, INK
from polyfuse.io.source import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _LEFT, _RIGHT = 9.6, 2.9, 6.7
"""Inches: of the sheet, and where the line of ranks begins and ends."""
_STEP, _BAR = 0.27, 0.12
_LONGEST = 30


def can_be_drawn(comparison: Comparison | None) -> bool:
    """Whether there is a critical difference to draw."""
    return comparison is not None and math.isfinite(comparison.critical)


def alike(comparison: Comparison) -> list[tuple[str, str]]:
    """First and last of each longest run of methods, by rank, within the critical difference.

    >>> from types import SimpleNamespace as Of
    >>> alike(Of(methods=("a", "b", "c"), ranks={"a": 1.0, "b": 1.8, "c": 2.9}, critical=1.2))
    [('a', 'b'), ('b', 'c')]
    """
    order = sorted(comparison.methods, key=lambda method: comparison.ranks[method])
    runs: list[tuple[int, int]] = []
    for first in range(len(order)):
        inside = [
            last
            for last in range(first, len(order))
            if comparison.ranks[order[last]] - comparison.ranks[order[first]] < comparison.critical
        ]
        if inside[-1] > first and not (runs and runs[-1][1] >= inside[-1]):
            runs.append((first, inside[-1]))
    return [(order[first], order[last]) for first, last in runs]


def critical_difference(comparison: Comparison, title: str) -> Figure:
    """Draw the mean ranks of methods, best at the left.

    Args:
        comparison: With a critical difference, see `can_be_drawn`.
        title: Of the sheet.

    Source: Demsar, JMLR 7, 2006, section 3.2.4.
    """
    from matplotlib.figure import Figure

    order = sorted(comparison.methods, key=lambda method: comparison.ranks[method])
    runs, half = alike(comparison), (len(order) + 1) // 2
    caption = textwrap.wrap(_caption(comparison), 118)
    axis_top = 1.25
    names_top = axis_top + 0.3 + _BAR * len(runs)
    height = names_top + _STEP * half + 0.25 + 0.17 * len(caption)
    figure = Figure(figsize=(_WIDTH, height), dpi=130, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, _WIDTH)
    axes.set_ylim(height, 0)
    axes.axis("off")
    most = len(order)

    def at(rank: float) -> float:
        return _LEFT + (rank - 1) / (most - 1) * (_RIGHT - _LEFT)

    axes.text(0.25, 0.15, title.replace("$", r"\$"), fontsize=13, weight="bold", color=INK, va="top")
    axes.plot([_LEFT, _RIGHT], [axis_top, axis_top], color=INK, linewidth=1.2)
    every = 1 if most <= 12 else 2 if most <= 24 else 5
    for rank in range(1, most + 1):
        labelled = rank == 1 or rank % every == 0
        axes.plot([at(rank)] * 2, [axis_top - (0.09 if labelled else 0.05), axis_top], color=INK, linewidth=1.0)
        if labelled:
            axes.text(at(rank), axis_top - 0.13, str(rank), fontsize=9, color=INK, ha="center", va="bottom")
    width = comparison.critical / (most - 1) * (_RIGHT - _LEFT)
    shown = min(width, _RIGHT - _LEFT)
    axes.plot([_LEFT, _LEFT + shown], [0.72, 0.72], color=INK, linewidth=2.2)
    label = f"critical difference {comparison.critical:.2f}"
    axes.text(_LEFT + shown + 0.1, 0.72, label, fontsize=9.5, color=INK, va="center")
    for index, (first, last) in enumerate(runs):
        y = axis_top + 0.16 + _BAR * index
        ends = [at(comparison.ranks[first]) - 0.04, at(comparison.ranks[last]) + 0.04]
        axes.plot(ends, [y, y], color="#0072B2", linewidth=3.2, solid_capstyle="butt")
    for index, method in enumerate(order):
        left = index < half
        row = index if left else len(order) - 1 - index
        y, x = names_top + 0.12 + _STEP * row, at(comparison.ranks[method])
        end = _LEFT - 0.25 if left else _RIGHT + 0.25
        axes.plot([x, x, end], [axis_top, y, y], color=FAINT, linewidth=0.8)
        name = method if len(method) <= _LONGEST else f"{method[: _LONGEST - 3]}..."
        text = f"{name}  {comparison.ranks[method]:.2f}" if left else f"{comparison.ranks[method]:.2f}  {name}"
        side = "right" if left else "left"
        place = end - 0.06 if left else end + 0.06
        axes.text(place, y, text.replace("$", r"\$"), fontsize=9.5, color=INK, ha=side, va="center")
    foot = height - 0.12 - 0.17 * len(caption)
    axes.text(0.25, foot, "\n".join(caption), fontsize=8.5, color=FAINT, va="top", linespacing=1.35)
    return figure


def _caption(comparison: Comparison) -> str:
    """What the drawing says, in words."""
    unit = counted(comparison.num_groups, "independent scene")
    p = "p < 0.001" if comparison.p < 0.001 else f"p = {comparison.p:.3f}"
    alike_text = " It tells no method from another." if comparison.all_alike else ""
    return (
        f"Mean rank over {unit}, 1 is best. Blue bars join methods within Nemenyi's critical difference at 5 %: they "
        f"are not told apart. Friedman's test: {p}.{alike_text}"
    )


def described(comparison: Comparison) -> str:
    """The diagram in words, for those who cannot see it."""
    order: Sequence[str] = sorted(comparison.methods, key=lambda method: comparison.ranks[method])
    ranks = ", ".join(f"{method} {comparison.ranks[method]:.2f}" for method in order)
    return f"Mean ranks: {ranks}. Critical difference {comparison.critical:.2f}."
