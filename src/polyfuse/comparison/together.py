"""The files that a page shows of each pair: as they are, or, with a warp, both sources and results on common pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyfuse.comparison.request import Request
from polyfuse.evaluation import Item
from polyfuse.evaluation.sources import brought_together
from polyfuse.io import read_picture, write_picture


@dataclass(frozen=True)
class Files:
    """The pictures of a pair, all of one size."""

    sources: tuple[Path, Path]
    """First and second source."""
    fused: Mapping[str, Path]
    """Fused picture by method."""


def brought_together_files(items: Sequence[Item], request: Request, place: Path) -> Iterator[Files]:
    """The files of each item; with a warp they are written to `place`, cut to what both sources have.

    Raises:
        InputError: If a picture cannot be read, or its size is not the warp's.
    """
    for number, item in enumerate(items):
        fused = {method.name: path for method, path in item.fused.items()}
        if request.warp is None:
            yield Files((item.pair.a, item.pair.b), fused)
            continue
        read = [
            read_picture(path, max_pixels=request.max_pixels, strict=request.strict)
            for path in (item.pair.a, item.pair.b)
        ]
        pair = brought_together(read[0], read[1], request.warp, request.frame)
        folder = place / "together" / str(number)
        sources = [
            write_picture(folder / f"{name}.tif", picture.array) for name, picture in (("a", pair.a), ("b", pair.b))
        ]
        cut = {
            name: write_picture(
                folder / f"m{index}.tif",
                pair.cut(read_picture(path, max_pixels=request.max_pixels, strict=request.strict)).array,
            )
            for index, (name, path) in enumerate(fused.items())
        }
        yield Files((sources[0], sources[1]), cut)
