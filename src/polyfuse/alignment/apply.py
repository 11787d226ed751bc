"""A warp applied to two pictures: one of them resampled to the other's pixels, with what it covers and what to say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse.alignment.files import to_json
from polyfuse.alignment.warp import Warp
from polyfuse.errors import InputError
from polyfuse.io import DEFAULT_MAX_PIXELS, Pair, Picture, peek_size
from polyfuse.io.source import shown

if TYPE_CHECKING:
    from polyfuse.alignment.resample import Resampler

Frame = Literal["a", "b"]
DOUBTED = 0.5
"""Confidence below which a warp is told of when it is applied."""


def aligned(a: Picture, b: Picture, warp: Warp, frame: Frame = "b") -> tuple[Picture, Picture, tuple[str, ...]]:
    """Both pictures on the pixels of `frame`: the other one is resampled, once, and says what it covers.

    Args:
        a: First source, of the warp's size of a.
        b: Second source.
        warp: The way from a to b.
        frame: The picture that stays as it is.

    Returns:
        a and b at one size, the warped one with `coverage` where it does not cover all, and notes for the user.

    Raises:
        InputError: If a size is not the warp's, or the pictures do not overlap.
    """
    check_sizes_fit(warp, (a.width, a.height), (b.width, b.height))
    resampler = resampler_of(warp, frame)
    moved, name = (a, "a") if frame == "b" else (b, "b")
    array = resampler(moved.array)
    if resampler.coverage is not None and array.ndim == 3:
        array = _faded_to_grey(array, resampler.coverage)
    width, height = resampler.size
    said = f"warped from {moved.width}x{moved.height} to {width}x{height}, {warp.kind}"
    warped = replace(moved, array=array, notes=(*moved.notes, said), coverage=resampler.coverage)
    notes: tuple[str, ...] = ()
    if warp.confidence is not None and warp.confidence < DOUBTED:
        notes += (f"the warp has a confidence of {warp.confidence:.2f}: look at the result",)
    if resampler.coverage is not None:
        missing = max(1, round(100 * (1 - resampler.covered)))
        notes += (f"{missing} % of the picture has no pixel of {name} and shows {frame} alone",)
    return (warped, b, notes) if frame == "b" else (a, warped, notes)


def check_sizes_fit(warp: Warp, size_a: tuple[int, int], size_b: tuple[int, int], what: str = "") -> None:
    """Refuse pictures of other sizes than the warp was made for.

    Args:
        warp: What is applied.
        size_a: Width and height of a.
        size_b: Width and height of b.
        what: What messages say first, as the name of the pair.

    Raises:
        InputError: With both sizes, and whether the pictures are exchanged.
    """
    if (size_a, size_b) == (warp.size_a, warp.size_b):
        return
    if (size_a, size_b) == (warp.size_b, warp.size_a):
        advice = "the two are exchanged, pass them the other way round"
    else:
        advice = "make a warp with pictures of these sizes"
    raise InputError(
        f"{what}{what and ': '}a is {_by(size_a)} and b {_by(size_b)} but the warp is for {_by(warp.size_a)} and "
        f"{_by(warp.size_b)}: {advice}."
    )


def check_pairs_fit(warp: Warp, pairs: Iterable[Pair], *, page: int = 0, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
    """Refuse pairs of other sizes than the warp was made for, by their headers alone.

    Args:
        warp: What will be applied.
        pairs: Whose roles are those that they are fused in.
        page: Which page of a TIFF, from 0.
        max_pixels: Largest width times height accepted.

    Raises:
        InputError: Naming the first such pair, or if a header cannot be read.
    """
    for pair in pairs:
        sizes = [peek_size(path, page=page, max_pixels=max_pixels) for path in (pair.a, pair.b)]
        check_sizes_fit(warp, sizes[0], sizes[1], shown(pair.name))


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@lru_cache(maxsize=2)
def resampler_of(warp: Warp, frame: Frame) -> Resampler:
    """The resampler of a warp, made once for all frames of a clip.

    Raises:
        InputError: If the pictures do not overlap.
    """
    from polyfuse.alignment.resample import Resampler  # needs PyTorch, which is not everywhere that pictures are fused

    resampler = Resampler(warp, frame)
    if resampler.covered == 0:
        raise InputError("under this warp a and b have nothing in common: make the warp again.")
    return resampler


def applied(warp: Warp, frame: Frame) -> dict[str, Any]:
    """What a sidecar says of a warp that was applied, as plain JSON values."""
    resampler = resampler_of(warp, frame)
    return {
        **to_json(warp),
        "frame": frame,
        "resampled": "a" if frame == "b" else "b",
        "covered": round(resampler.covered, 6),
        "outside": f"{frame} alone",
        "edge_pixels": 0 if resampler.coverage is None else resampler.edge,
    }


def shared_part(a: Picture, b: Picture) -> tuple[Picture, Picture, tuple[slice, slice]]:
    """Two pictures of one size cut to what both have: the largest rectangle in which the warped one counts in full.

    Returns:
        a and b, and the rows and columns of them that are left; pictures without `coverage` stay as they are.

    Raises:
        InputError: If there is none.
    """
    if a.coverage is None and b.coverage is None:
        return a, b, (slice(0, a.height), slice(0, a.width))
    window = _shared_rectangle(b if a.coverage is None else a)
    one, other = (
        replace(picture, array=np.ascontiguousarray(picture.array[window]), coverage=None) for picture in (a, b)
    )
    return one, other, window


def _shared_rectangle(picture: Picture) -> tuple[slice, slice]:
    """Rows and columns of the largest rectangle in which a warped picture counts in full, to a few pixels."""
    if picture.coverage is None:
        raise ValueError("nothing is missing")
    full: NDArray[np.bool_] = np.asarray(picture.coverage >= 1)
    step = max(1, min(full.shape) // 256)
    height, width = (side // step for side in full.shape)
    parts = full[: height * step, : width * step].reshape(height, step, width, step)
    blocks: NDArray[np.bool_] = np.asarray(parts.all(axis=(1, 3)))
    top, bottom, left, right = _largest_rectangle(blocks)
    if top == bottom:
        name = shown(picture.path) if picture.path else "the warped picture"
        raise InputError(f"{name} covers no rectangle of the other under this warp: make the warp again.")
    return slice(top * step, bottom * step), slice(left * step, right * step)


def _largest_rectangle(full: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the largest rectangle of True, row by row over how far up each column goes."""
    best, best_area = (0, 0, 0, 0), 0
    heights = np.zeros(full.shape[1] + 1, int)
    for row, line in enumerate(full):
        heights[:-1] = np.where(line, heights[:-1] + 1, 0)
        open_at: list[tuple[int, int]] = []  # first column and height of rectangles that may still grow
        for column, height in enumerate(heights.tolist()):
            first = column
            while open_at and open_at[-1][1] >= height:
                first, tall = open_at.pop()
                if tall * (column - first) > best_area:
                    best, best_area = (row + 1 - tall, row + 1, first, column), tall * (column - first)
            open_at.append((first, height))
    return best


def _faded_to_grey(array: NDArray[Any], coverage: NDArray[np.float32]) -> NDArray[Any]:
    """A colour picture that loses its colour where it ends: beyond, the other picture is alone and keeps its own."""
    grey = array.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # BT.601
    weight = coverage[..., None]
    mixed = weight * array + (1 - weight) * grey[..., None]
    values = mixed if array.dtype.kind == "f" else np.rint(mixed)
    return np.where(weight == 1, array, values.astype(array.dtype))
