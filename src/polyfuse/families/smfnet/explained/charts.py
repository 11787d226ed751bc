"""The charts of an SMFNet: correlations, attention matrices, learned gradient kernels."""

from __future__ import annotations

import numpy as np

from polyfuse.drawing.canvas import CAPTION, FAINT, HEADING, INK, SMALL, TITLE, Canvas, signed
from polyfuse.drawing.panels import MARGIN
from polyfuse.families.smfnet.explained.findings import Array, SMFNetFindings, relative_change, sobel

COLOURS = {"base": "#0072B2", "detail": "#D55E00", "graph": "#009E73"}
"""Okabe and Ito's, which readers with any colour vision tell apart."""
_MATRIX = 0.78
"""Inches, side of an attention matrix."""
_LABEL = 4.3
"""Inches, width of the labels to the left of the matrices."""
_CALLS = {2: ("a", "b"), 4: ("a, first half", "a, second half", "b, first half", "b, second half")}
"""Titles of the calls of one attention, by their number."""
_NUM_KERNELS = 6
"""Kernels shown of each operator, those that changed most."""


def correlation_bars(
    canvas: Canvas, findings: SMFNetFindings, left: float, top: float, width: float, high: float
) -> None:
    """One bar for each branch, from -1 to 1."""
    axes = canvas.axes(left + 0.7, top, width, high)
    names = list(findings.branches)
    values = [findings.correlations[name] for name in names]
    bars = axes.barh(range(len(names)), values, color=[COLOURS[name] for name in names], height=0.6)
    axes.bar_label(bars, [signed(value) for value in values], fontsize=SMALL, color=INK, padding=4)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(-1.15, 1.15)
    axes.axvline(0, color=INK, linewidth=0.8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=SMALL, colors=FAINT)


def attention_chart(findings: SMFNetFindings) -> Canvas:
    """A row for each attention and call, a column for each head."""
    rows = [(place, call) for place, matrices in findings.attention.items() for call in range(len(matrices))]
    heads = max(matrices.shape[1] for matrices in findings.attention.values())
    step = _MATRIX + 0.12
    top = 2.25
    bottom = top + len(rows) * step + len(findings.attention) * 0.3
    canvas = Canvas(max(2 * MARGIN + _LABEL + heads * step, 10.5), bottom + 0.3)
    canvas.text(MARGIN, 0.3, "Which channels mix with which", TITLE, weight="bold")
    line = (
        "Attention is over channels: in row i, how much of each channel of the head goes into channel i.\n"
        "Above each column the learned temperature of its head: the larger, the more a head chooses."
    )
    canvas.text(MARGIN, 0.78, line, CAPTION, color=FAINT)
    limit = max(float(matrices.max()) for matrices in findings.attention.values())
    top, shown = 2.25, None
    for place, matrices in findings.attention.items():
        canvas.text(MARGIN, top + 0.28, place, SMALL, weight="bold")
        for head, temperature in enumerate(findings.temperatures[place]):
            centre = MARGIN + _LABEL + head * step + _MATRIX / 2
            canvas.text(centre, top + 0.02, f"{temperature:.2f}", SMALL, ha="center", color=FAINT)
        for call, of_heads in enumerate(matrices):
            y = top + 0.25 + call * step
            canvas.text(MARGIN + 0.2, y + 0.3, _call_title(call, len(matrices)), SMALL, color=FAINT)
            for head, matrix in enumerate(of_heads):
                left = MARGIN + _LABEL + head * step
                shown = canvas.picture(left, y, _MATRIX, _MATRIX, matrix, cmap="viridis", vmin=0, vmax=limit)
        top += len(matrices) * step + 0.3
    canvas.colour_bar(shown, MARGIN + _LABEL, 1.6, 3.0)
    return canvas


def _call_title(call: int, calls: int) -> str:
    """Which of several calls of one attention this is; nothing where there is only one."""
    return "" if calls == 1 else _CALLS[calls][call]


def gradient_chart(findings: SMFNetFindings) -> Canvas:
    """A row for each operator: Sobel's kernel, the mean of the learned ones, those that changed most, all changes."""
    rows = [(place, axis) for place in findings.gradients for axis in range(2)]
    cell, step, high = 1.25, 1.4, 2.1
    left_bars = MARGIN + (_NUM_KERNELS + 2) * step + 0.75
    canvas = Canvas(left_bars + 3.2 + MARGIN, 1.75 + len(rows) * high + 0.2)
    canvas.text(MARGIN, 0.3, "What became of the gradient operators", TITLE, weight="bold")
    line = (
        "One 3x3 kernel for each channel begins as Sobel's and learns on, unless it was fixed. Red positive, blue "
        "negative.\nChange: length of the difference from Sobel's kernel over the length of that. These belong to the "
        "weights, not to this pair."
    )
    canvas.text(MARGIN, 0.78, line, CAPTION, color=FAINT)
    limit = max(2.0, *(float(np.abs(kernels).max()) for kernels in findings.gradients.values()))
    for index, (place, axis) in enumerate(rows):
        top = 1.75 + index * high
        kernels, change = findings.gradients[place][axis], relative_change(findings.gradients[place])[axis]
        canvas.text(MARGIN, top, f"{place}, along {'xy'[axis]}", HEADING, weight="bold")
        order = np.argsort(-change, kind="stable")[:_NUM_KERNELS]
        shown = [("Sobel", sobel()[axis]), ("mean", kernels.mean(axis=0))]
        shown += [(f"{k}: {change[k]:.2f}", kernels[k]) for k in order]
        for column, (title, kernel) in enumerate(shown):
            left = MARGIN + column * step + (0.15 if column > 1 else 0)
            canvas.text(left, top + 0.5, title, SMALL, va="baseline", color=FAINT)
            _kernel(canvas, left, top + 0.55, cell, kernel, limit)
        axes = canvas.axes(left_bars, top + 0.45, 3.1, high - 0.85)
        axes.bar(range(len(change)), np.sort(change)[::-1], color=COLOURS["detail"], width=0.9)
        axes.set_title("change of every channel, largest first", fontsize=SMALL, color=FAINT, loc="left")
        axes.set_xticks([])
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.tick_params(labelsize=SMALL, colors=FAINT)
    return canvas


def _kernel(canvas: Canvas, left: float, top: float, side: float, kernel: Array, limit: float) -> None:
    """Draw one kernel: nine cells with their values."""
    shown = canvas.picture(left, top, side, side, kernel, cmap="RdBu_r", vmin=-limit, vmax=limit)
    for (row, column), value in np.ndenumerate(kernel):
        ink = "white" if abs(value) > 0.6 * limit else INK
        shown.axes.text(
            column, row, signed(float(value), 2).removeprefix("+"), ha="center", va="center", fontsize=8, color=ink
        )
