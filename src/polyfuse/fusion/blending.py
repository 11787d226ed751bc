"""Tiles that fade into each other, for models whose tiles only approximate the whole picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from polyfuse.fusion.tiles import Tile


def blended(
    found: Iterable[tuple[Tile, NDArray[np.float32]]], height: int, width: int, halo: int
) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Sum of all tiles' outer parts, each faded out linearly over twice `halo` pixels around its inner part's border.

    Args:
        found: Tiles, at most two of which meet along an axis, with the model's output for their outer parts.
        height: Of the picture.
        width: Of the picture.
        halo: Context of a tile, pixels.

    Yields:
        Each tile with the sum in its inner part, after the last tile is found. Weights of a pixel add up to one.
    """
    total, tiles = np.zeros((height, width), np.float32), []
    for tile, fused in found:
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
