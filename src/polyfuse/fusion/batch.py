"""Fusing many pairs: decoding, fusing and encoding overlap, and memory does not grow with their number."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from polyfuse.errors import InputError, OutputError, PolyfuseError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion.fuser import OnTile
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.pair import fuse_pictures
from polyfuse.fusion.record import settings
from polyfuse.fusion.result import Result, sidecar_path
from polyfuse.fusion.sources import as_picture
from polyfuse.io import Pair, Picture

AHEAD = 2
"""Pairs read ahead, and results waiting to be written."""


@dataclass(frozen=True)
class Outcome:
    """What became of one pair."""

    pair: Pair
    """The pair."""
    path: Path
    """Where its result is, or would be."""
    state: Literal["fused", "kept", "failed"]
    """Fused now, kept from an earlier run, or failed."""
    error: PolyfuseError | None = None
    """Why it failed."""
    notes: tuple[str, ...] = ()
    """What the user should know."""


@dataclass(frozen=True)
class Writing:
    """How results are written."""

    overwrite: bool = False
    """Replace existing results."""
    resume: bool = False
    """Keep results that an earlier run made from the same sources with the same settings."""
    sidecar: bool = True
    """Write the record beside each result."""
    quality: int = 95
    """For JPEG and WebP, 1 to 100."""


def fuse_pairs(
    jobs: Sequence[tuple[Pair, Path]],
    model: FusionModel,
    options: FuseOptions,
    *,
    writing: Writing | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    on_tile: OnTile | None = None,
) -> Iterator[Outcome]:
    """Fuse every pair into its path, in order, yielding what became of each as soon as it is on the disk.

    Args:
        jobs: Pairs with the files their results go to.
        model: A model from `load`.
        options: Options for all pairs.
        writing: How results are written.
        on_error: "skip" goes on after a failed pair; "stop" starts no further pair and ends once those under way are
            on the disk.
        on_tile: Called with (tiles done, tiles in all) while a pair is being fused.

    Raises:
        OutputError: Before any work, if results exist and neither overwriting nor resuming was asked for, or if a
            result would replace a source.
    """
    how = writing or Writing()
    check_targets(jobs, replacing=how.overwrite or how.resume)
    made_by = settings(model, options)
    kept = {path for pair, path in jobs if how.resume and is_done(pair, path, made_by, how)}
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        try:
            yield from _run(jobs, kept, model, options, how, on_error, on_tile, reader, writer)
        finally:
            reader.shutdown(wait=False, cancel_futures=True)


def _run(
    jobs: Sequence[tuple[Pair, Path]],
    kept: set[Path],
    model: FusionModel,
    options: FuseOptions,
    how: Writing,
    on_error: Literal["stop", "skip"],
    on_tile: OnTile | None,
    reader: ThreadPoolExecutor,
    writer: ThreadPoolExecutor,
) -> Iterator[Outcome]:
    """The pipeline itself."""
    coming = iter([job for job in jobs if job[1] not in kept])
    reads: dict[Path, Future[tuple[Picture, Picture]]] = {}

    def read_ahead() -> None:
        while len(reads) < AHEAD and (job := next(coming, None)) is not None:
            reads[job[1]] = reader.submit(_read, job[0], options)

    waiting: deque[Outcome | tuple[Pair, Path, Result, Future[Path]]] = deque()
    failed = False
    for pair, path in jobs:
        read_ahead()
        if path in kept:
            waiting.append(Outcome(pair, path, "kept"))
        else:
            future = reads.pop(path)
            try:
                a, b = future.result()
                read_ahead()
                result = fuse_pictures(a, b, model, options, on_tile)
                waiting.append((pair, path, result, writer.submit(_write, result, path, how)))
            except PolyfuseError as error:
                failed = True
                waiting.append(Outcome(pair, path, "failed", error))
            except MemoryError:
                failed = True
                too_large = InputError(f"{pair.name} does not fit into memory: pass a smaller --memory or --tile.")
                waiting.append(Outcome(pair, path, "failed", too_large))
        while len(waiting) > AHEAD or (waiting and isinstance(waiting[0], Outcome)):
            outcome = settled(waiting.popleft())
            failed = failed or outcome.error is not None
            yield outcome
        if failed and on_error == "stop":
            break
    yield from map(settled, waiting)


def _read(pair: Pair, options: FuseOptions) -> tuple[Picture, Picture]:
    """Read both sources."""
    return as_picture(pair.a, options, "a"), as_picture(pair.b, options, "b")


def _write(result: Result, path: Path, how: Writing) -> Path:
    """Write one result; with `resume` a stale one is replaced."""
    return result.save(path, overwrite=how.overwrite or how.resume, sidecar=how.sidecar, quality=how.quality)


def settled(item: Outcome | tuple[Pair, Path, Result, Future[Any]]) -> Outcome:
    """Wait for the file of one pair; an outcome is settled already."""
    if isinstance(item, Outcome):
        return item
    pair, path, result, written = item
    try:
        written.result()
    except PolyfuseError as error:
        return Outcome(pair, path, "failed", error)
    return Outcome(pair, path, "fused", notes=result.notes)


def check_targets(jobs: Sequence[tuple[Pair, Path]], *, replacing: bool) -> None:
    """Refuse to start where a result would replace a source or, unless `replacing`, anything."""
    existing = [path for _, path in jobs if path.exists()]
    if not existing:
        return
    sources = {source.resolve() for pair, _ in jobs for source in (pair.a, pair.b)}
    endangered = [path for path in existing if path.resolve() in sources]
    if endangered:
        raise OutputError(f"{endangered[0]} is a source and would be replaced by a result: choose another --out.")
    if not replacing:
        more = f" and {len(existing) - 1} more exist" if len(existing) > 1 else " exists"
        raise OutputError(f"{existing[0]}{more}: pass --overwrite to replace, or --resume to keep what is done.")


def is_done(pair: Pair, path: Path, made_by: dict[str, Any], how: Writing) -> bool:
    """Whether an earlier run made this result from these sources (by path) with these settings.

    Results are written atomically, so a file that exists is complete. Without sidecars existence is all there is.
    """
    if not path.is_file():
        return False
    if not how.sidecar:
        return True
    try:
        record = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
        sources = [record["sources"][name]["path"] for name in ("a", "b")]
        same_settings = bool(record["settings"] == json.loads(json.dumps(made_by)))
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return same_settings and sources == [str(pair.a), str(pair.b)]
