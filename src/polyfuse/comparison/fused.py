"""Fusing the pairs of a comparison by models, into files that live as long as the page is being made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from polyfuse.comparison.request import Request
from polyfuse.errors import PolyfuseError
from polyfuse.evaluation import Item, Method
from polyfuse.fusion import FuseOptions, Outcome, Writing, fuse_pairs

Tell = Callable[[str, Sequence[str], PolyfuseError | None], None]
"""Is told the name of what is done, notes, and why it failed."""


def fuse_items(items: Sequence[Item], request: Request, place: Path, tell: Tell) -> list[Item]:
    """The items with the pictures of all models added.

    Args:
        items: From `find_pictures`.
        request: Its models and how pairs are read.
        place: Folder for the pictures.
        tell: Is told of each picture.

    Raises:
        PolyfuseError: The first failure, unless the request skips them.
    """
    fused = [dict(item.fused) for item in items]
    missing = [dict(item.missing) for item in items]
    for number, name in enumerate(request.models):
        whole = [index for index, item in enumerate(items) if item.pair.a.is_file() and item.pair.b.is_file()]
        for index, outcome in zip(whole, _outcomes(items, whole, request, name, place / f"m{number}"), strict=False):
            tell(f"{items[index].name} by {name}", outcome.notes, None)  # scoring tells what is missing
            if outcome.error is None:
                fused[index][Method(name)] = outcome.path
            elif request.on_error == "stop":
                raise outcome.error
            else:
                missing[index][Method(name)] = str(outcome.error)
    return [replace(item, fused=fused[n], missing=missing[n]) for n, item in enumerate(items)]


def _outcomes(
    items: Sequence[Item], whole: Sequence[int], request: Request, name: str, folder: Path
) -> Iterator[Outcome]:
    """What became of each pair; files are numbered, since names of pairs may hold anything."""
    options = FuseOptions(
        bit_depth="8", max_pixels=request.max_pixels, strict=request.strict, warp=request.warp, frame=request.frame
    )
    jobs = [(items[index].pair, folder / f"{index}.png") for index in whole]
    writing = Writing(sidecar=False)
    return fuse_pairs(jobs, request.models[name], options, writing=writing, on_error=request.on_error)
