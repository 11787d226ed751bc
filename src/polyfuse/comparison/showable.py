"""Which pictures of a comparison can be shown: scored, or else read; what fails is left out where that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from polyfuse.comparison.fused import Tell
from polyfuse.comparison.request import Request
from polyfuse.errors import InputError, PolyfuseError
from polyfuse.evaluation import Collected, Item, Method, Task, score_items
from polyfuse.evaluation.sources import brought_together
from polyfuse.io import Picture, read_picture

Failures = list[tuple[str, PolyfuseError]]
"""Name of what failed, and why."""


def scored_items(items: Sequence[Item], task: Task, request: Request, tell: Tell) -> tuple[Collected, list[Item]]:
    """Score all pictures.

    Returns:
        The numbers, and the items without pictures that could not be scored.

    Raises:
        PolyfuseError: The first failure, unless the request skips them.
    """
    collected, left = Collected(), []
    with closing(score_items(items, task, workers=request.workers, on_error=request.on_error)) as runs:
        for scored in runs:
            collected.add(scored)
            failed = scored.failures()
            if failed and request.on_error == "stop":
                raise type(failed[0][1])(f"{failed[0][0]}: {failed[0][1]}") from failed[0][1]
            notes = dict.fromkeys(note for evaluation in scored.evaluations.values() for note in evaluation.notes)
            tell(scored.item.name, list(notes), None)
            for name, error in failed:
                tell(name, [], error)
            if scored.error is None:
                left.append(_without(scored.item, scored.errors))
    return collected, [item for item in left if item.fused]


def readable_items(items: Sequence[Item], request: Request, tell: Tell) -> tuple[Failures, list[Item]]:
    """Where nothing is scored and failures are skipped: read every picture once, to know which can be shown.

    Returns:
        What failed, and the items without it.
    """
    if request.on_error == "stop":
        return [], list(items)
    failures: Failures = []
    left = []
    for item in items:
        errors = dict(_unreadable(item, request))
        for method, error in errors.items():
            name = item.name if method is None else f"{item.name} of {method.name}"
            failures.append((name, error))
            tell(name, [], error)
        if None not in errors:
            left.append(_without(item, {method: error for method, error in errors.items() if method is not None}))
    return failures, [item for item in left if item.fused]


def _unreadable(item: Item, request: Request) -> Iterator[tuple[Method | None, PolyfuseError]]:
    """What is wrong with the pictures of a pair: with its sources (None), or with what a method made of them."""

    def read(path: object) -> Picture:
        return read_picture(str(path), max_pixels=request.max_pixels, strict=request.strict)

    try:
        pair = brought_together(read(item.pair.a), read(item.pair.b), request.warp, request.frame)
    except PolyfuseError as error:
        yield None, error
        return
    for method, text in item.missing.items():
        yield method, InputError(text)
    for method, path in item.fused.items():
        try:
            pair.cut(read(path))
        except PolyfuseError as error:
            yield method, error


def _without(item: Item, errors: dict[Method, PolyfuseError]) -> Item:
    """The item without the pictures that failed, which are missing now."""
    fused = {method: path for method, path in item.fused.items() if method not in errors}
    return replace(item, fused=fused, missing={method: str(error) for method, error in errors.items()})
