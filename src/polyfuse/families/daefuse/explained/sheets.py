"""The sheets of a DAE-Fuse: overview, decodings, attention, and the order of them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from polyfuse.drawing.canvas import (
    CAPTION,
    FAINT,
    HEADING,
    Canvas,
    energy_scale,
    factor_scale,
    grey_scale,
    share_scale,
    side_scale,
    signed,
    signed_scale,
)
from polyfuse.drawing.panels import MARGIN, Panel, Row, pictures_row, sheet
from polyfuse.drawing.pictures import Pictures
from polyfuse.drawing.reconstructions import reconstruction_sheet
from polyfuse.families.daefuse.explained.findings import DAEFuseFindings

_TABLE = 1.9
"""Inches below the decodings."""
_FLOOR = 1e-3
"""Attention received that counts as none on a logarithmic scale."""


def draw(pictures: Pictures, findings: DAEFuseFindings) -> Iterator[tuple[str, Canvas]]:
    """Name and sheet of every picture, drawn when it is asked for.

    Overview with blocks and shifts, reconstructions, and what the network has of decodings and attention.
    """
    yield "overview", overview(pictures, findings)
    yield "reconstructions", reconstruction_sheet(pictures, findings.reconstructions)
    if findings.decodings:
        yield "decodings", decoding_sheet(pictures, findings)
    if findings.attention:
        yield "attention", attention_sheet(pictures, findings)


def overview(pictures: Pictures, findings: DAEFuseFindings) -> Canvas:
    """Sources and result, which source each place depends on, and who moved the embedding."""
    a, b = pictures.names
    weights = [findings.blocks[name] for name in ("weight_a", "weight_b")]
    scale = energy_scale(np.stack(weights))
    blocks = [
        Panel(f"on {a}", weights[0], scale),
        Panel(f"on {b}", weights[1], scale),
        Panel("share of a in both", findings.blocks["share_a"], side_scale()),
    ]
    shifts = [findings.shifts[name] for name in ("cross", "merge")]
    both = energy_scale(np.stack(shifts))
    total = np.maximum(sum(shifts), 1e-12)
    moved = [
        Panel(f"by cross attention: mean {shifts[0].mean():.2f}", shifts[0], both),
        Panel(f"by the merge gate: mean {shifts[1].mean():.2f}", shifts[1], both),
        Panel("share of cross attention", shifts[0] / total, share_scale(shifts[0] / total)),
    ]
    rows = [
        pictures_row(pictures, "1   The pictures"),
        Row(
            "2   Which source each place depends on",
            "how much the result changes around a block of 16x16 pixels where that source loses the block's structure",
            blocks,
            "left and middle: bright means much; right: orange means a, violet b, white both or neither",
        ),
        Row(
            "3   How far the fused embedding is from the mean of both",
            "length of the shift at each pixel; without any, the result would be decoded from the plain mean",
            moved,
            "bright: much, dark: little; left and middle on one scale",
        ),
    ]
    return sheet(f"How {pictures.record['model']} fused {a} with {b}", "", rows, 4.4)


def decoding_sheet(pictures: Pictures, findings: DAEFuseFindings) -> Canvas:
    """A row for each source: detail, base and what their sum lacks; below, a table of bands."""
    rows = [_decodings(findings, source, name) for source, name in zip("ab", pictures.names, strict=True)]
    rows[-1] = replace(
        rows[-1], legend="detail, base: as pictures, black the lowest value; remainder: red more, blue less"
    )
    line = (
        "The embedding has channels of the high-frequency encoder and of the low-frequency one. Shown is what the "
        "decoder makes of either alone,\nless what it makes of nothing. It is not linear, so there is a remainder. "
        "Each picture is on its own scale."
    )
    canvas = sheet("What either encoder carries", line, rows, 4.4, below=_TABLE)
    _band_table(canvas, pictures, findings)
    return canvas


def _decodings(findings: DAEFuseFindings, source: str, name: str) -> Row:
    """The row of source "a" or "b", called `name` in captions."""
    maps = {key: findings.decodings[f"{key}_{source}"] for key in ("detail", "base", "remainder")}
    panels = [
        Panel(
            f"{key}: mean {signed(float(values.mean()))}",
            values,
            signed_scale(values) if key == "remainder" else grey_scale(values),
        )
        for key, values in maps.items()
    ]
    return Row(f"{source}: {name}", "high frequencies alone, low frequencies alone, what their sum lacks", panels)


def _band_table(canvas: Canvas, pictures: Pictures, findings: DAEFuseFindings) -> None:
    """Write the shares of energy, a row for each encoder and a column for each source, at the end of the sheet."""
    top = canvas.height - _TABLE
    canvas.text(MARGIN, top, "Share of the energy above 1/16 cycle per pixel", HEADING, weight="bold")
    line = "in the channels of either encoder; the low-frequency one can carry hardly any"
    canvas.text(MARGIN, top + 0.3, line, CAPTION, color=FAINT)
    for row, (title, key) in enumerate((("high-frequency encoder", "high"), ("low-frequency encoder", "low"))):
        y = top + 0.98 + row * 0.3
        canvas.text(MARGIN, y, title, CAPTION)
        for column, (source, name) in enumerate(zip("ab", pictures.names, strict=True)):
            x = MARGIN + 3.2 + column * 3.4
            if row == 0:
                canvas.text(x, y - 0.3, f"{source}: {name}", CAPTION, weight="bold")
            canvas.text(x, y, f"{100 * findings.bands[f'band_{key}_{source}']:.2f} %", CAPTION)


def attention_sheet(pictures: Pictures, findings: DAEFuseFindings) -> Canvas:
    """A row for each source that asks: the other one, where it looks there, and how undecided it is."""
    a, b = pictures.names
    rows = []
    sides = (("a", a, b, pictures.source_b), ("b", b, a, pictures.source_a))
    received = [np.maximum(findings.attention[f"received_{source}"], _FLOOR) for source in "ab"]
    scale = factor_scale(*received)
    entropies = share_scale(np.stack([findings.attention[f"entropy_{source}"] for source in "ab"]))
    for (source, name, other, pixels), looks in zip(sides, received, strict=True):
        entropy = findings.attention[f"entropy_{source}"]
        panels = [
            Panel(f"{other}, where {source} may look", pixels),
            Panel("how much it looks there", looks, scale),
            Panel(f"how undecided it is: mean {entropy.mean():.3f}", entropy, entropies),
        ]
        share = findings.shares[f"contribution_{source}"]
        line = f"{name} asks {other}; what it gets has {share:.3f} of the length of its own embedding"
        rows.append(Row(f"{source}: {name}", line, panels))
    legend = (
        "middle: 1 (white) is what each place would get if the source did not choose, orange more, violet less; "
        "right: at each pixel that asks, 1 is uniform, 0 one place only"
    )
    rows[-1] = replace(rows[-1], legend=legend)
    line = "Every pixel of one source asks the other, which answers from a coarse grid. Means over heads and pixels."
    return sheet("Where the sources look in each other", line, rows, 4.4)
