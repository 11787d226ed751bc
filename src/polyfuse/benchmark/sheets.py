"""The contact sheet of a set, laid out as papers do: sources and methods in a grid, with magnified regions."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from polyfuse.benchmark.judged import Judged
from polyfuse.errors import InputError, UsageError
from polyfuse.io import Pair, read_picture
from polyfuse.io.source import shown
from polyfuse.transforms import luma, measure_range, parse_range, quantise, to_unit

TILE, GAP, MARGIN = 300, 10, 24
"""Pixels: width of a picture, space between pictures and around the sheet."""
COLUMNS = 6
COLOURS = ((230, 40, 40), (30, 190, 60))
"""Of the frames of the first and the second region."""
INSET = 0.42
"""Widest and highest that a magnified region is, as a share of the picture."""
AUTO, NO_INSET = "auto", "none"
_INK, _FAINT, _PAPER = (34, 34, 34), (102, 102, 102), (255, 255, 255)
_LABEL, _HEADING, _TITLE = 15, 17, 24
Pixels8 = NDArray[np.uint8]
Region = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""


def parse_insets(texts: Sequence[str]) -> tuple[Region | None, ...]:
    """The regions that "x,y,w,h", "auto" (as None) or "none" say.

    Raises:
        UsageError: If a text says none, or there are more than two.
    """
    regions: list[Region | None] = []
    for text in texts:
        match = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*", text)
        if text.strip().lower() == AUTO:
            regions.append(None)
        elif match is not None and int(match[3]) and int(match[4]):
            x, y, width, height = (int(part) for part in match.groups())
            regions.append((x, y, width, height))
        elif text.strip().lower() != NO_INSET:
            raise UsageError(f"inset {shown(text)} is no region: write x,y,w,h in pixels, auto, or none.")
    if len(regions) > len(COLOURS):
        raise UsageError(f"{len(regions)} insets are given: a picture has room for {len(COLOURS)}.")
    return tuple(regions)


@dataclass(frozen=True)
class Block:
    """One pair of a sheet."""

    pair: Pair
    """The sources."""
    fused: Mapping[str, Path]
    """Pictures of the methods, in order."""


def choose_pairs(judged: Judged, number: int) -> list[str]:
    """The pairs on which methods differ most in LOSTmax, or in the first metric that has a better side.

    Each scene gives one pair.
    """
    found, groups = judged.work.set, set()
    chosen: list[str] = []
    for name in most_different(judged):
        if found.group_of(name) not in groups and len(chosen) < number:
            groups.add(found.group_of(name))
            chosen.append(name)
    return chosen


def most_different(judged: Judged) -> list[str]:
    """All pairs, those first on which methods differ most in LOSTmax, or in the first metric with a better side."""
    keys = [name for name in ("LOSTmax", *judged.report.ranked) if name in judged.comparisons]
    found = judged.work.set
    names = [pair.name for pair in found.pairs]
    if keys:
        values: dict[str, list[float]] = {}
        for pair, method, evaluation in judged.report.pictures:
            value = evaluation.values[keys[0]]
            if method.kind == "method" and math.isfinite(value):
                values.setdefault(pair, []).append(value)
        names.sort(key=lambda name: -float(np.std(values.get(name, [0.0]))))
    return names


def read8(path: Path, *, is_a: bool = False) -> Pixels8:
    """A picture as RGB of 8 bits, (H, W, 3); of deep thermal pictures the part of the range that they use."""
    pixels = read_picture(path).array
    if pixels.dtype != np.uint8:
        spec = parse_range("percentile" if is_a and pixels.ndim == 2 else "full")
        pixels = quantise(to_unit(pixels, measure_range([pixels], spec, name=shown(path))), 8)
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2))


def contact_sheet(
    title: str, line: str, names: tuple[str, str], blocks: Sequence[Block], insets: Sequence[str]
) -> bytes:
    """Draw a sheet.

    Args:
        title: Heading.
        line: Under it.
        names: What the two sources are.
        blocks: Pairs, from top to bottom.
        insets: As `parse_insets` takes them.

    Returns:
        The bytes of a PNG; the same pictures give the same bytes.

    Raises:
        InputError: If a picture cannot be read, or a region lies outside of it.
        UsageError: If a region is none.
    """
    regions = parse_insets(insets)
    drawn = [_block(block, names, regions) for block in blocks]
    width = max([800, *(image.width for image in drawn)])
    top = MARGIN + _TITLE + 40
    sheet = Image.new("RGB", (width, top + sum(image.height for image in drawn) + MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, fill=_INK, font=_font(_TITLE, bold=True))
    draw.text((MARGIN, MARGIN + _TITLE + 10), line, fill=_FAINT, font=_font(_LABEL))
    for image in drawn:
        sheet.paste(image, (0, top))
        top += image.height
    content = io.BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()


def _block(block: Block, names: tuple[str, str], wanted: Sequence[Region | None]) -> Image.Image:
    """One pair: sources and methods in rows of `COLUMNS`, each with its letter and name."""
    sources = {names[0]: read8(block.pair.a, is_a=True), names[1]: read8(block.pair.b)}
    fused = {name: read8(path) for name, path in block.fused.items()}
    height, width = next(iter(sources.values())).shape[:2]
    regions = [
        auto_region(list(fused.values()) or list(sources.values())) if region is None else region for region in wanted
    ]
    for x, y, wide, high in regions:
        if x + wide > width or y + high > height:
            raise InputError(
                f"the inset {x},{y},{wide},{high} lies outside of {shown(block.pair.name)}, which is {width}x{height}: "
                "give one inside all pictures of the sheet, or auto"
            )
    tiles = [(name, _tile(pixels, regions)) for name, pixels in (*sources.items(), *fused.items())]
    tall = tiles[0][1].height
    rows = -(-len(tiles) // COLUMNS)
    step = tall + _LABEL + 20
    across = min(COLUMNS, len(tiles))
    image = Image.new("RGB", (2 * MARGIN + across * TILE + (across - 1) * GAP, 40 + rows * step + 10), _PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, 8), shown(block.pair.name, most=80), fill=_INK, font=_font(_HEADING, bold=True))
    for index, (name, tile) in enumerate(tiles):
        left, top = MARGIN + index % COLUMNS * (TILE + GAP), 40 + index // COLUMNS * step
        image.paste(tile, (left, top))
        label = _fitting(f"({_letter(index)}) {shown(name)}")
        draw.text((left + TILE // 2, top + tall + 5), label, fill=_INK, font=_font(_LABEL), anchor="ma")
    return image


def _tile(pixels: Pixels8, regions: Sequence[Region]) -> Image.Image:
    """One picture at the width of a tile, its regions framed and magnified in corners that they leave free."""
    height, width = pixels.shape[:2]
    scale = TILE / width
    whole = Image.fromarray(pixels)
    tall = max(1, round(height * scale))
    tile = whole.resize((TILE, tall), Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(tile)
    taken: list[tuple[bool, bool]] = []
    for colour, (x, y, wide, high) in zip(COLOURS, regions, strict=False):
        factor = min(INSET * TILE / wide, INSET * tall / high)
        size = max(1, round(wide * factor)), max(1, round(high * factor))
        part = whole.crop((x, y, x + wide, y + high)).resize(size, Image.Resampling.BICUBIC)
        right, low = x + wide / 2 < width / 2, y + high / 2 < height / 2  # the corner across
        corner = next(c for c in ((right, low), (right, not low), (not right, low), (not right, not low))
                      if c not in taken)  # fmt: skip
        taken.append(corner)
        left = TILE - size[0] if corner[0] else 0
        top = tall - size[1] if corner[1] else 0
        tile.paste(part, (left, top))
        draw.rectangle((left, top, left + size[0] - 1, top + size[1] - 1), outline=colour, width=2)
        box = [round(edge * scale) for edge in (x, y, x + wide, y + high)]
        draw.rectangle(
            (box[0], box[1], max(box[0] + 2, box[2] - 1), max(box[1] + 2, box[3] - 1)), outline=colour, width=2
        )
    return tile


def auto_region(pictures: Sequence[Pixels8]) -> Region:
    """Where the edges of pictures of one size differ most: a window of a fifth of their width and height."""
    edges = []
    for pixels in pictures:
        plane = np.pad(luma(pixels.astype(np.float32) / 255), 1, mode="edge")
        edges.append(np.hypot(plane[1:-1, 2:] - plane[1:-1, :-2], plane[2:, 1:-1] - plane[:-2, 1:-1]))
    spread = np.var(np.stack(edges), axis=0)
    height, width = spread.shape
    rim = min(height, width) // 20  # dark rims and the padding of filters differ most there, and show nothing
    inside = np.zeros(spread.shape, bool)
    inside[rim : height - rim, rim : width - rim] = True
    spread = np.where(inside, spread, 0)
    high, wide = max(1, height // 5), max(1, width // 5)
    sums = np.pad(spread.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    windows = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    top, left = np.unravel_index(int(windows.argmax()), windows.shape)
    return int(left), int(top), wide, high


def _letter(index: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    return (_letter(index // 26 - 1) if index >= 26 else "") + chr(ord("a") + index % 26)


def _fitting(text: str) -> str:
    """The text, cut to the width of a tile."""
    font = _font(_LABEL)
    while len(text) > 4 and font.getlength(text) > TILE:
        text = text[:-4] + "..."
    return text


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Matplotlib's own font, which knows more letters than Pillow's; the charts are written in it too."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
