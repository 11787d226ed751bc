"""Cutting a picture into tiles with context, small enough for a memory budget, and putting them together again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import UsageError
from polyfuse.families.facts import ModelSpec

DEFAULT_MEMORY = 4 << 30
"""Most that is taken of free memory unless the user gives a limit, bytes."""
MIN_SIDE = 64
"""Smallest side chosen for the inner part of a tile, pixels."""
BLENDED_WINDOW = 1024
"""Largest side chosen for a blended tile with its context, pixels. Source: spec daefuse 2.2."""
ENCODER_BYTES = 4
"""Bytes per pixel that encoding a picture takes beside the picture itself."""
SUM_BYTES = 4
"""Bytes per pixel that adding up blended tiles takes."""


@dataclass(frozen=True)
class Tile:
    """One tile: the part it is responsible for and the part the model sees."""

    inner: tuple[slice, slice]
    """Rows and columns of the picture that the tile fills."""
    outer: tuple[slice, slice]
    """The same with context on each side, as far as the picture goes."""

    @property
    def crop(self) -> tuple[slice, slice]:
        """Rows and columns of `inner`, counted from the corner of `outer`."""
        rows, columns = (
            slice(inner.start - outer.start, inner.stop - outer.start)
            for inner, outer in zip(self.inner, self.outer, strict=True)
        )
        return rows, columns


def side_within(memory: int | None, height: int, width: int, spec: ModelSpec, result_bytes: int) -> int | None:
    """Side of the tiles in which a picture has to be fused to stay within a memory budget.

    Args:
        memory: Bytes the whole process may use; None chooses, see `memory_limit`.
        height: Of the picture.
        width: Of the picture.
        spec: Of the model that fuses it.
        result_bytes: What the result takes while it is put together.

    Returns:
        Pixels; None if the picture fits in one piece, or the model can only take it in one.

    Raises:
        UsageError: If not even the smallest tile fits.
    """
    planes_bytes = (ENCODER_BYTES + SUM_BYTES * spec.blended) * height * width
    held = memory_in_use() + result_bytes + planes_bytes + spec.fixed_bytes
    spare = memory_limit(memory) - held
    fits = spec.memory(height, width) <= spare or not spec.tileable
    return None if fits else tile_side(spec, spare)


def memory_limit(memory: int | None) -> int:
    """Bytes the process may use: `memory` if given, else what it holds and half of what is free, 4 GiB at most."""
    return memory_in_use() + min(DEFAULT_MEMORY, _memory_free() // 2) if memory is None else memory


def _memory_free() -> int:
    """Bytes that can be had without swapping; 8 GiB on systems that do not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            # Not the free pages: after some file traffic the page cache holds nearly all of them.
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 2 * DEFAULT_MEMORY


def memory_in_use() -> int:
    """Resident bytes of this process; on systems that do not tell them, the most it ever had."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        if sys.platform == "win32":
            return 0  # unknown there: tiles are then chosen as if the whole budget were free
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def tile_side(spec: ModelSpec, budget: int) -> int:
    """Largest side of an inner tile, pixels, for which the model stays within `budget` bytes.

    Raises:
        UsageError: If not even the smallest tile fits.
    """
    context = 2 * spec.halo
    side = int((budget / spec.bytes_per_pixel) ** 0.5) - context - 2 * spec.margin if budget > 0 else 0
    if side < MIN_SIDE:
        needed = spec.memory(MIN_SIDE + context, MIN_SIDE + context) - budget
        raise UsageError(f"memory is too small by {max(1, needed >> 20)} MiB for this picture: raise --memory.")
    return min(side, BLENDED_WINDOW - context) if spec.blended else side


def tiles(height: int, width: int, side: int | None, spec: ModelSpec) -> Iterator[Tile]:
    """Cover a picture with tiles of about `side` pixels; one tile for all of it where `side` is None or large enough.

    A model whose output depends on the whole picture always gets one tile, unless it can survey the picture first.
    """
    if side is None or not spec.tileable or (height <= side and width <= side):
        whole = (slice(0, height), slice(0, width))
        yield Tile(whole, whole)
        return
    rows, columns = (_step(length, side, spec) for length in (height, width))
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            bottom, right = min(top + rows, height), min(left + columns, width)
            outer = (
                slice(max(0, top - spec.halo), min(height, bottom + spec.halo)),
                slice(max(0, left - spec.halo), min(width, right + spec.halo)),
            )
            yield Tile((slice(top, bottom), slice(left, right)), outer)


def _step(length: int, side: int, spec: ModelSpec) -> int:
    """Pixels from the start of one tile to the start of the next.

    About `side`. For blended tiles less if that makes them of one size, because their output depends on how much they
    see, but no less than twice the halo: along an axis at most two of them may overlap.
    """
    step = max(spec.multiple_of, side // spec.multiple_of * spec.multiple_of)
    if not spec.blended:
        return step
    step = max(step, 2 * spec.halo)
    even = -(-length // -(-length // step))
    return max(-(-even // spec.multiple_of) * spec.multiple_of, 2 * spec.halo)


def blended(
    outputs: Iterable[tuple[Tile, NDArray[np.float32]]], height: int, width: int, halo: int
) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Sum of all tiles' outer parts, each faded out linearly over twice `halo` pixels around its inner part's border.

    For models whose tiles only approximate the whole picture.

    Args:
        outputs: Tiles, at most two of which meet along an axis, with the model's output for their outer parts.
        height: Of the picture.
        width: Of the picture.
        halo: Context of a tile, pixels.

    Yields:
        Each tile with the sum in its inner part, after the last tile has come. Weights of a pixel add up to one.
    """
    total, tiles = np.zeros((height, width), np.float32), []
    for tile, fused in outputs:
        rows, columns = (
            _weights(inner, outer, length, halo)
            for inner, outer, length in zip(tile.inner, tile.outer, (height, width), strict=True)
        )
        total[tile.outer] += fused * rows[:, None] * columns
        tiles.append(tile)
    for tile in tiles:
        yield tile, total[tile.inner]


def _weights(inner: slice, outer: slice, length: int, halo: int) -> NDArray[np.float32]:
    """Weights of one axis for the pixels of `outer`; a side at the picture's border does not fade."""
    centres = np.arange(outer.start, outer.stop) + 0.5
    weights = np.ones(len(centres))
    if inner.start > 0:
        weights *= np.clip((centres - inner.start + halo) / (2 * halo), 0, 1)
    if inner.stop < length:
        weights *= np.clip((inner.stop + halo - centres) / (2 * halo), 0, 1)
    return weights.astype(np.float32)
