"""What is decided about a pair before any pixel is computed, and how pixels are prepared and finished by it.

Decided are the ranges of values, the source of the colour, the kind of luma, and the depth of the result. After that
each pixel depends on itself alone, so any window of the pictures can be prepared and finished by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import UsageError
from polyfuse.families.facts import Provenance
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.plausible import SWAPPED, doubts
from polyfuse.io import Picture
from polyfuse.ops import native_colour
from polyfuse.transforms import (
    STUDIO_BLACK,
    STUDIO_WHITE,
    Gamut,
    LumaConvention,
    RangeRecord,
    from_unit,
    luma,
    measure_range,
    merge,
    merge_official8,
    parse_range,
    quantise,
    split,
    split_official8,
    to_unit,
)
from polyfuse.transforms.ranges import DEFAULT_PERCENTILES

Pixels = NDArray[Any]
NARROW_SHARE = 1 / 8
"""A 16-bit picture that uses less than this share of its type's range gets a note that advises another range."""
OUTSIDE_SHARE = 0.99
"""Share of a picture beyond one end of its window from which it shows next to nothing."""
BOTH_COLOURED = "both sources have colour: it comes from b, --colour-from a takes the other"
STRIP_PIXELS = 1 << 16
"""Pixels converted from or to colour at a time, so few that intermediate values stay in the processor's cache."""


@dataclass(frozen=True)
class Conventions:
    """What was decided for one pair, or for all frames of a clip; enough to undo every conversion."""

    range_a: RangeRecord
    """How values of a's file become [0, 1]."""
    range_b: RangeRecord
    """How values of b's file become [0, 1]."""
    carrier: Literal["a", "b"] | None
    """Source whose chroma the result gets; None for a grey result."""
    luma_a: LumaConvention
    """Range of the luma that the model sees of a."""
    luma_b: LumaConvention
    """Range of the luma that the model sees of b."""
    rendering: Literal["safe", "clip", "official"]
    """How fused luma and chroma become RGB, see `FuseOptions.gamut`."""
    dtype: str
    """Type of the result's pixels: "uint8", "uint16" or "float32"."""
    reference: Literal["a", "b"]
    """Source whose black and white levels the result has if it is of the same type."""
    rounded_a: bool
    """Whether the luma of a colour picture a is rounded to whole levels of 8 bits."""
    polarity: Literal["white-hot", "black-hot"] = "white-hot"
    """Whether warm is bright or dark in a; the model sees it bright."""

    def carrier_of(self, a: Pixels, b: Pixels) -> Pixels | None:
        """The one of two arrays, of the sources a and b, that gives the colour; None for a grey result."""
        if self.carrier is None:
            return None
        return a if self.carrier == "a" else b

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for the sidecar."""
        return {
            "range": {"a": self.range_a.to_json(), "b": self.range_b.to_json()},
            "polarity": self.polarity,
            "colour": {
                "from": self.carrier,
                "luma_a": self.luma_a,
                "luma_b": self.luma_b,
                "gamut": self.rendering,
                "rounded_a": self.rounded_a,
            },
            "output": {"dtype": self.dtype, "unit_of": self.reference},
        }


def decide(
    a: Picture,
    b: Picture,
    options: FuseOptions,
    provenance: Provenance,
    ranges: tuple[RangeRecord, RangeRecord] | None = None,
) -> tuple[Conventions, tuple[str, ...]]:
    """Decide everything for one pair, or for a clip from its first frames and the `ranges` measured over all of it.

    Returns:
        The conventions, and what the user should be told.

    Raises:
        UsageError: If colour is asked from a grey source.
        InputError: If a range does not fit its picture.
    """
    range_a, range_b = ranges or (
        measure_range(_counting(a), parse_range(options.range), name=str(a.path or "a")),
        measure_range(_counting(b), parse_range(options.range_b), name=str(b.path or "b")),
    )
    notes = [
        *_range_notes("a", a, range_a, options.range, "--range"),
        *_range_notes("b", b, range_b, options.range_b, "--range-b"),
    ]
    if ranges is None:  # in a clip, one frame that shows nothing is no fault
        notes += [*_blank_notes("a", a), *_blank_notes("b", b)]
        notes += [*_outside_notes("a", a, range_a, "--range"), *_outside_notes("b", b, range_b, "--range-b")]
    notes += doubts(a.array, b.array, (range_a, range_b), provenance.name)
    carrier, colour_notes = _carrier(a, b, options)
    if SWAPPED in notes:  # b has some chroma then, but as good as none
        colour_notes = [note for note in colour_notes if note != BOTH_COLOURED]
    rendering = provenance.rendering if options.gamut == "auto" else options.gamut
    range_colour = range_a if carrier == "a" else range_b
    if rendering == "official" and (range_colour.mode, range_colour.dtype) != ("full", "uint8"):
        rendering = "safe"  # the published program knows 8-bit pictures over their full range alone
    chosen = provenance.luma if options.luma == "auto" and carrier == "b" else options.luma
    luma_b: LumaConvention = "studio" if chosen == "studio" else "full"
    dtype, reference, depth_notes = _depth(a, b, carrier, options)
    if rendering == "official" and carrier is not None and dtype != "uint8":
        rendering = "safe"
    rounded_a = provenance.rounded_a and not a.is_grey and (range_a.mode, range_a.dtype) == ("full", "uint8")
    conventions = Conventions(
        range_a, range_b, carrier, "full", luma_b, rendering, dtype, reference, rounded_a, options.polarity
    )
    return conventions, (*notes, *colour_notes, *depth_notes)


def _counting(picture: Picture) -> Pixels:
    """The pixels that a range is measured on: all, or those that a warped picture really has."""
    return picture.array if picture.coverage is None else picture.array[picture.coverage > 0][None]


def _blank_notes(name: str, picture: Picture) -> list[str]:
    """A note if all values of a source are the same."""
    lowest = picture.array.min()
    if lowest < picture.array.max():
        return []
    return [f"{name} shows nothing, all its values are {lowest:g}: check the file or its sensor"]


def _outside_notes(name: str, picture: Picture, record: RangeRecord, option: str) -> list[str]:
    """A note if next to nothing of a source lies in the window that was named for it."""
    if parse_range(record.mode).mode != "window":
        return []
    pixels = _counting(picture)
    beyond = {"below": pixels <= record.low, "above": pixels >= record.high}
    shares = {where: float(outside.mean()) for where, outside in beyond.items()}
    return [
        f"{math.floor(100 * share)} % of {name} lies {where} {option} and shows nothing: name a range that it has"
        for where, share in shares.items()
        if share >= OUTSIDE_SHARE
    ]


def _range_notes(name: str, picture: Picture, record: RangeRecord, wanted: str, option: str) -> list[str]:
    """What window a deep picture got unasked, or advice where it uses little of its type's full range."""
    if wanted == "auto" and record.mode != "full" and record.low < record.high:
        percentiles = " and ".join(f"{percent:g}" for percent in DEFAULT_PERCENTILES)
        return [
            f"{name} has 16 bits, {record.low:g} and {record.high:g} (percentiles {percentiles}) are black and white: "
            f"{option} LO,HI takes others"
        ]
    if record.mode != "full" or picture.array.dtype != np.uint16:
        return []
    low, high = int(picture.array.min()), int(picture.array.max())
    if not 0 < high - low < NARROW_SHARE * np.iinfo(np.uint16).max:
        return []
    return [f"{name} uses only {low} to {high} of its 16 bits: {option} percentile would show more"]


def _carrier(a: Picture, b: Picture, options: FuseOptions) -> tuple[Literal["a", "b"] | None, list[str]]:
    """Source that gives the colour, and a note if it is not simply the only one that has any, b."""
    if options.grey or (a.is_grey and b.is_grey):
        if options.colour_from != "auto" and not options.grey:
            raise UsageError(f"{options.colour_from} is grey: drop --colour-from.")
        return None, []
    if options.colour_from != "auto":
        if (a if options.colour_from == "a" else b).is_grey:
            raise UsageError(f"{options.colour_from} is grey and has no colour to give: name the other source.")
        return options.colour_from, []
    if b.is_grey:
        return "a", ["colour comes from a, b is grey"]
    return "b", [] if a.is_grey else [BOTH_COLOURED]


def _depth(
    a: Picture, b: Picture, carrier: Literal["a", "b"] | None, options: FuseOptions
) -> tuple[str, Literal["a", "b"], list[str]]:
    """Type of the result, source whose levels it has, and a note if the deeper source loses some of its depth."""
    deeper: Literal["a", "b"] = "a" if a.depth >= b.depth else "b"
    deepest = max(a.depth, b.depth)
    reference = carrier or deeper
    if options.bit_depth in ("8", "16"):
        depth = int(options.bit_depth)
    elif options.bit_depth == "auto" and carrier is not None:
        depth = (a if carrier == "a" else b).depth
    else:
        depth = deepest
    notes = []
    if depth < deepest and options.bit_depth == "auto":
        notes.append(f"{deeper} has {deepest} bits and the colour result {depth}: --bit-depth same keeps {deepest}")
    return {8: "uint8", 16: "uint16", 32: "float32"}[depth], reference, notes


def model_input(pixels: Pixels, conventions: Conventions, source: Literal["a", "b"]) -> NDArray[np.float32]:
    """Luma of a window of `source` as the model sees it, (h, w) float32 in [0, 1]; colour is converted in strips."""
    if pixels.ndim == 2:
        seen = _seen(pixels, conventions, source)
    else:
        seen = np.empty(pixels.shape[:2], np.float32)
        for strip in _strips(pixels):
            seen[strip] = _seen(pixels[strip], conventions, source)
    if source == "a" and conventions.polarity == "black-hot":
        np.subtract(np.float32(1), seen, out=seen)
    return seen


def _seen(pixels: Pixels, conventions: Conventions, source: Literal["a", "b"]) -> NDArray[np.float32]:
    """The same, converted in one piece."""
    record = conventions.range_a if source == "a" else conventions.range_b
    convention = conventions.luma_a if source == "a" else conventions.luma_b
    official = conventions.rendering == "official" or (source == "a" and conventions.rounded_a)
    if pixels.ndim == 3 and official and pixels.dtype == np.uint8:
        if source == conventions.carrier and convention == "studio":
            return split_official8(pixels)[0].astype(np.float32) / np.float32(255)  # official: rounded to 8 bits
        levels: NDArray[np.float32] = np.rint(luma(to_unit(pixels, record), convention) * 255).astype(np.float32)
        return levels / np.float32(255)
    if _is_plain(record) and native_colour.takes(pixels):
        return native_colour.luma(pixels, studio=convention == "studio")
    unit = to_unit(pixels, record, name=source)
    if unit.ndim == 3:
        return luma(unit, convention).astype(np.float32, copy=False)
    if convention == "studio":
        unit = np.float32(STUDIO_BLACK) + unit * np.float32(STUDIO_WHITE - STUDIO_BLACK)
    return unit


def alone(pixels: Pixels, conventions: Conventions, source: Literal["a", "b"]) -> NDArray[np.float32]:
    """Fused luma of a window where there is nothing but `source`, (h, w): such that the result shows it as it is."""
    seen = model_input(pixels, conventions, source)
    given, wanted = conventions.luma_a if source == "a" else conventions.luma_b, conventions.luma_b
    if conventions.carrier == "a":
        wanted = conventions.luma_a
    black, white = np.float32(STUDIO_BLACK), np.float32(STUDIO_WHITE)
    if given != wanted:
        seen = black + seen * (white - black) if wanted == "studio" else (seen - black) / (white - black)
    return seen


def finished(fused: NDArray[np.float32], carrier: Pixels | None, conventions: Conventions) -> Pixels:
    """Pixels of the result for a window.

    Args:
        fused: (h, w) fused luma, clipped or not.
        carrier: The window of the source that gives the colour; None for a grey result.
        conventions: From `decide`.

    Returns:
        (h, w) or (h, w, 3) of `conventions.dtype`.
    """
    if carrier is None or conventions.carrier is None:
        if conventions.luma_b == "studio":
            fused = (fused - np.float32(STUDIO_BLACK)) / np.float32(STUDIO_WHITE - STUDIO_BLACK)
        return _in_file_unit(np.clip(fused, 0, 1), conventions)
    image = np.empty(carrier.shape, conventions.dtype)
    for strip in _strips(carrier):
        image[strip] = _coloured(fused[strip], carrier[strip], conventions)
    return image


def _strips(pixels: Pixels) -> Iterator[slice]:
    """Rows of `STRIP_PIXELS` pixels, from top to bottom."""
    rows = max(1, STRIP_PIXELS // pixels.shape[1])
    return (slice(top, top + rows) for top in range(0, len(pixels), rows))


def _coloured(fused: NDArray[np.float32], carrier: Pixels, conventions: Conventions) -> Pixels:
    """Pixels of a colour result. Each depends on itself alone, so strips give the same bits as the whole picture."""
    from_a = conventions.carrier == "a"
    convention = conventions.luma_a if from_a else conventions.luma_b
    if conventions.rendering == "official" and convention == "studio":
        _, cb8, cr8 = split_official8(carrier)
        return merge_official8(quantise(fused, 8), cb8, cr8)
    record = conventions.range_a if from_a else conventions.range_b
    gamut: Gamut = "safe" if conventions.rendering == "safe" else "clip"
    if _is_plain(record) and _gives_plain(conventions) and native_colour.takes(carrier):
        made = native_colour.merged(fused, carrier, studio=convention == "studio", safe=gamut == "safe")
        if made is not None:
            return made
    unit = to_unit(carrier, record)
    _, cb, cr = split(unit, convention)
    return _in_file_unit(merge(np.clip(fused, 0, 1), cb, cr, convention, gamut), conventions)


def _is_plain(record: RangeRecord) -> bool:
    """Whether a range is that of 8 bits, from 0 to 255."""
    return (record.dtype, record.low, record.high) == ("uint8", 0, 255)


def _gives_plain(conventions: Conventions) -> bool:
    """Whether `_in_file_unit` gives 8 bits, from 0 to 255."""
    record = conventions.range_a if conventions.reference == "a" else conventions.range_b
    windowed = record.dtype == conventions.dtype and record.high > record.low and not _is_plain(record)
    return conventions.dtype == "uint8" and not windowed


def _in_file_unit(values: NDArray[Any], conventions: Conventions) -> Pixels:
    """[0, 1] to the reference source's levels if the result has its type, else over the type's full range."""
    record = conventions.range_a if conventions.reference == "a" else conventions.range_b
    if record.dtype == conventions.dtype and record.high > record.low:
        return from_unit(values, record)
    return quantise(values, np.dtype(conventions.dtype).itemsize * 8)
