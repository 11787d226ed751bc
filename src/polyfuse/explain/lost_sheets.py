"""Sheets of what is lost: the fused picture in grey, with the missing structure of either source in its colour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.drawing.canvas import Canvas
from polyfuse.drawing.panels import Panel, Row, pictures_row, sheet
from polyfuse.drawing.pictures import Pictures
from polyfuse.explain.lost import LostFindings, LostScale
from polyfuse.transforms import luma

ORANGE, VIOLET = (255, 150, 40), (175, 110, 255)
"""Colours of what is missing of a and of b."""
LEGEND = "orange: structure of a that is gone; violet: of b; grey: the fused picture, darkened"
_BEHIND = 0.6
"""Brightness of the fused picture under the colours."""
_LEAST, _MOST = 0.45, 0.9
"""Opacity where structure is lost at one scale alone, and where it is at all of them."""
_DEFINITION = (
    "Lost: the source with more local contrast (standard deviation in 11x11 pixels) has more than 0.06 of white there, "
    "and less than 0.4 of it is kept,\ncounted as correlation times remaining contrast. Scale 1 is the mean of 2x2 "
    "pixels, scale 2 of 4x4, scale 3 of 8x8. The shares are those of\npolyfuse evaluate: LOST is the share lost of the "
    "pixels with that much contrast, averaged over the scales."
)


def draw_lost(pictures: Pictures, findings: LostFindings) -> Iterator[tuple[str, Canvas]]:
    """The overview, and the map over all scales by itself, large."""
    together = _together(pictures, findings)
    columns = pictures_row(pictures, "The pair")
    pair = Row(columns.title, columns.line, [*columns.panels, Panel("what is missing", together)], LEGEND)
    line = "each scale by itself; coarse scales show that large parts are gone, fine ones that outlines are"
    panels = [
        Panel(_scale_title(level, scale), _flat(pictures, scale, level)) for level, scale in enumerate(findings.scales)
    ]
    title = f"What {_maker(pictures)} lost"
    line_of_all = "    ".join(f"{name} {_text(value)}" for name, value in findings.shares.items())
    yield "overview", sheet(title, line_of_all, [pair, Row("Scale by scale", line, panels)], 4.4, _DEFINITION)
    hint = "at lost places the missing source itself, in its colour; the denser, the more scales are lost"
    large = Row("What is missing", hint, [Panel(_sides(findings), together)], LEGEND)
    yield "lost", sheet(title, line_of_all, [large], 11.0)


def _maker(pictures: Pictures) -> str:
    """What the fused picture is called in titles."""
    name = pictures.record["model"]
    return "the fused picture" if name is None else str(name)


def _text(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _sides(findings: LostFindings) -> str:
    one, other = findings.shares["LOST_a"], findings.shares["LOST_b"]
    return f"lost of a: {_text(one)}, of b: {_text(other)}"


def _scale_title(level: int, scale: LostScale) -> str:
    return f"scale {level}: lost of a {_text(scale.shares['LOST_a'])}, of b {_text(scale.shares['LOST_b'])}"


def _flat(pictures: Pictures, scale: LostScale, level: int) -> NDArray[np.uint8]:
    """The fused picture with what is lost at one scale, in plain colours; (H, W, 3)."""
    size = pictures.fused.shape[:2]
    picture = _behind(pictures)
    for lost, colour in ((scale.lost_a, ORANGE), (scale.lost_b, VIOLET)):
        _blend(picture, np.asarray(colour, np.float32), 0.75 * _enlarged(lost, level, size))
    return picture.astype(np.uint8)


def _together(pictures: Pictures, findings: LostFindings) -> NDArray[np.uint8]:
    """The fused picture with the sources where they are lost, tinted; (H, W, 3)."""
    size = pictures.fused.shape[:2]
    picture = _behind(pictures)
    count = len(findings.scales)
    for source, colour, name in ((pictures.source_a, ORANGE, "lost_a"), (pictures.source_b, VIOLET, "lost_b")):
        share = sum(_enlarged(getattr(s, name), level, size) for level, s in enumerate(findings.scales)) / count
        opacity = np.where(share > 0, _LEAST + (_MOST - _LEAST) * share, 0)
        tinted = np.asarray(colour, np.float32) * (0.25 + 0.75 * _grey(source)[..., None])
        _blend(picture, tinted, opacity)
    return picture.astype(np.uint8)


def _behind(pictures: Pictures) -> NDArray[np.float32]:
    """The fused picture in grey, darkened, so that colour means nothing but loss; (H, W, 3), 0 to 255."""
    grey = 255 * _BEHIND * _grey(pictures.fused)
    return np.repeat(grey[..., None], 3, axis=2)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    unit = pixels.astype(np.float32) / np.float32(255)
    return unit if unit.ndim == 2 else luma(unit)


def _blend(picture: NDArray[np.float32], over: NDArray[np.float32], opacity: NDArray[Any]) -> None:
    """Lay `over` on a picture, in place."""
    weight = opacity[..., None].astype(np.float32)
    picture *= 1 - weight
    picture += weight * over


def _enlarged(lost: NDArray[np.bool_], level: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """The map of a scale at the size of the picture; rows and columns that a scale has dropped are not lost."""
    side = 2**level
    large = np.zeros(size, np.float32)
    rows, columns = lost.shape[0] * side, lost.shape[1] * side
    large[:rows, :columns] = lost.repeat(side, axis=0).repeat(side, axis=1)
    return large
