"""Charts of an evaluation: a radar of the means and box plots of the pictures, as PNG and SVG."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from polyfuse.drawing.canvas import FAINT, INK
from polyfuse.errors import DependencyError
from polyfuse.evaluation.baselines import COPY_A, COPY_B
from polyfuse.evaluation.report import Column, Report, Row
from polyfuse.io.source import counted
from polyfuse.metrics import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID = "#d0d0d0"
TITLE, LABEL, SMALL = 13, 10.5, 9.5
DPI = 130
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, which readers with any colour vision tell apart, without yellow: too faint for lines."""
STYLES, MARKERS = ("-", "--", "-.", ":"), "os^Dv<>"
BASELINE_GREYS = ("#8a8a8a", "#8a8a8a", "#555555", "#555555")
BASELINE_STYLES = (":", "--", ":", "--")
MIN_AXES, MIN_ROWS = 3, 2
"""A radar needs at least so many metrics with a better side (its axes), and so many rows to compare."""


def require_matplotlib() -> None:
    """Fail early where charts cannot be drawn.

    Raises:
        DependencyError: If matplotlib is missing.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise DependencyError('charts need matplotlib: pip install "polyfuse[plots]", or pass --no-charts.') from error


def radar_axes(report: Report) -> list[Metric]:
    """The metrics a radar can show: with a better side, no guard, and a positive finite mean for every row."""
    return [
        metric
        for metric in report.metrics
        if metric.direction in ("up", "down")
        and not metric.guard
        and all(0 < row.summaries[metric.name].mean < math.inf for row in _radar_rows(report))
    ]


def _radar_rows(report: Report) -> list[Row]:
    """Rows with numbers; copies are left to the tables: SCD is undefined for them, and they would set every scale."""
    return [row for row in report.rows if row.num_pictures and row.method not in (COPY_A, COPY_B)]


def has_radar(report: Report) -> bool:
    """Whether there are enough metrics and rows for a radar."""
    return len(radar_axes(report)) >= MIN_AXES and len(_radar_rows(report)) >= MIN_ROWS


def radar_chart(report: Report) -> Figure:
    """The means of all methods, each metric relative to the best mean shown."""
    from matplotlib.figure import Figure

    metrics, rows = radar_axes(report), _radar_rows(report)
    figure = Figure(figsize=(9.2, 7.6), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0.1, 0.19, 0.545, 0.66), projection="polar")
    axes.set_theta_offset(math.pi / 2)  # type: ignore[attr-defined]
    axes.set_theta_direction(-1)  # type: ignore[attr-defined]
    angles = [2 * math.pi * index / len(metrics) for index in range(len(metrics))]
    for index, row in enumerate(rows):
        shares = [relative(metric, row, rows) for metric in metrics]
        line = _line_style(rows, index)
        axes.plot([*angles, angles[0]], [*shares, shares[0]], label=row.method.name, markersize=4.5, **line)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0.25, 0.5, 0.75, 1.0], [""] * 4)
    for share in (0.5, 1.0):
        halo = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
        half_way = math.pi / len(metrics)
        axes.text(half_way, share, f"{share:g}", fontsize=SMALL, color=FAINT, ha="center", va="center", bbox=halo)
    axes.set_xticks(angles, [""] * len(angles))
    for metric, angle in zip(metrics, angles, strict=True):
        _axis_label(axes, f"{metric.name} {'↓' if metric.direction == 'down' else '↑'}", angle)
    axes.grid(color=GRID, linewidth=0.8)
    axes.spines["polar"].set_color(GRID)
    figure.text(0.03, 0.965, "Means relative to the best", fontsize=TITLE, weight="bold", color=INK, va="top")
    handles, labels = axes.get_legend_handles_labels()
    names = [_label(label, 22) for label in labels]
    figure.legend(handles, names, loc="upper left", bbox_to_anchor=(0.705, 0.86), frameon=False, fontsize=LABEL)
    caption = (
        f"Protocol {report.task.protocol}, {counted(report.num_pairs, 'pair')}. 1 on an axis is the best mean shown: "
        "mean over best where larger is better (↑), best over mean where smaller is better (↓). Metrics without a "
        "better side are left out."
    )
    if any(row.method.kind == "baseline" for row in report.rows):
        caption += " Grey: average and maximum of the sources."
    _caption(figure, caption)
    return figure


def relative(metric: Metric, row: Row, rows: Sequence[Row]) -> float:
    """The row's mean over the best mean of `rows`, or the best over it where smaller is better: in (0, 1]."""
    mean = row.summaries[metric.name].mean
    means = [other.summaries[metric.name].mean for other in rows]
    return mean / max(means) if metric.direction == "up" else min(means) / mean


def _line_style(rows: Sequence[Row], index: int) -> dict[str, Any]:
    """Colour, dashes and marker of a row; baselines are grey and have no marker."""
    if rows[index].method.kind == "baseline":
        place = sum(row.method.kind == "baseline" for row in rows[:index]) % len(BASELINE_GREYS)
        return {"color": BASELINE_GREYS[-1], "linestyle": BASELINE_STYLES[place], "linewidth": 1.3}
    turn, place = divmod(index, len(COLOURS))
    return {
        "color": COLOURS[place],
        "linestyle": STYLES[turn % len(STYLES)],
        "marker": MARKERS[place],
        "linewidth": 1.8,
    }


def _axis_label(axes: Axes, text: str, angle: float) -> None:
    """Write the name of an axis outside the circle, aligned so that it does not reach into it."""
    across, up = math.sin(angle), math.cos(angle)
    side = "center" if abs(across) < 0.15 else ("left" if across > 0 else "right")
    height = "center" if abs(up) < 0.85 else ("bottom" if up > 0 else "top")
    axes.text(angle, 1.08, text, ha=side, va=height, fontsize=LABEL, color=INK)


def box_chart(report: Report, column: Column) -> Figure:
    """Box plot of one metric: a box for the pictures of each method."""
    from matplotlib.figure import Figure

    protocol = report.task.protocol
    rows = [row for row in report.rows if row.summaries[column.key].n]
    values = [_finite(report, row, column) for row in rows]
    names = [_label(row.method.name, 28) for row in rows]
    height = 1.75 + 0.42 * len(rows)
    figure = Figure(figsize=(8.2, height), dpi=DPI, facecolor="white")
    left = min(0.42, 0.075 + 0.0105 * max((len(f"{name}  n={len(v)}") for name, v in zip(names, values, strict=True)),
                                          default=0))  # fmt: skip
    axes = figure.add_axes((left, 0.95 / height, 0.96 - left, 0.42 * len(rows) / height))
    if rows:
        _boxes(axes, rows, values)
    labels = [f"{name}  n={len(numbers)}" for name, numbers in zip(names, values, strict=True)]
    axes.set_yticks(range(len(rows)), labels, fontsize=LABEL, color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="x", labelsize=SMALL, colors=FAINT)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    title = f"{column.heading(protocol)}   {column.metric.title}"
    figure.text(0.03, 1 - 0.2 / height, title, fontsize=TITLE, weight="bold", color=INK, va="top")
    left_out = sum(row.summaries[column.key].left_out for row in report.rows)
    caption = "Box: quartiles and median; whiskers: to 1.5 times the box; dots: beyond; diamond: mean."
    _caption(figure, caption + (f" {left_out} values are not finite and left out." if left_out else ""))
    return figure


def _boxes(axes: Axes, rows: Sequence[Row], values: Sequence[Sequence[float]]) -> None:
    """Draw a box for each row, top to bottom."""
    drawn = axes.boxplot(
        values,
        positions=range(len(rows)),
        orientation="horizontal",
        widths=0.6,
        patch_artist=True,
        showmeans=True,
        medianprops={"color": INK, "linewidth": 1.6},
        meanprops={"marker": "D", "markersize": 4.5, "markerfacecolor": "white", "markeredgecolor": INK},
        flierprops={"marker": "o", "markersize": 3, "markerfacecolor": FAINT, "markeredgecolor": "none"},
        whiskerprops={"color": FAINT},
        capprops={"color": FAINT},
        manage_ticks=False,
    )
    for index, (box, row) in enumerate(zip(drawn["boxes"], rows, strict=True)):
        colour = GRID if row.method.kind == "baseline" else COLOURS[index % len(COLOURS)]
        box.set(facecolor=colour, alpha=0.55, edgecolor=INK, linewidth=0.8)


def _finite(report: Report, row: Row, column: Column) -> list[float]:
    values = [column.of(evaluation) for _, method, evaluation in report.pictures if method == row.method]
    return [value for value in values if math.isfinite(value)]


def _label(name: str, length: int) -> str:
    """The name cut to `length` characters; dollars are escaped, as matplotlib would read a formula between two."""
    short = name if len(name) <= length else name[: length - 3] + "..."
    return short.replace("$", r"\$")


def _caption(figure: Figure, text: str) -> None:
    """Write `text` at the foot of the sheet, broken into lines."""
    lines = "\n".join(textwrap.wrap(text, 112))
    figure.text(
        0.03, 0.12 / figure.get_size_inches()[1], lines, fontsize=SMALL, color=FAINT, va="bottom", linespacing=1.4
    )


def rendered(figure: Figure, kind: str) -> bytes:
    """The bytes of a PNG or SVG file; the same figure gives the same bytes.

    Args:
        figure: A radar or box chart.
        kind: "png" or "svg".
    """
    import matplotlib

    content = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    # Text stays text in the SVG, and its identifiers do not change from run to run.
    with matplotlib.rc_context({"svg.hashsalt": "polyfuse", "svg.fonttype": "none"}), warnings.catch_warnings():
        # A letter of a name that the font lacks becomes a box, which needs no word on stderr.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(content, format=kind, metadata=metadata)
    return content.getvalue()
