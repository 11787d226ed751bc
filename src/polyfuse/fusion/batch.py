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
from polyfuse.io.documents import parse_json

AHEAD = 2
"""Pairs read ahead, and results waiting to be written."""

Jobs = Sequence[tuple[Pair, Path]]
"""Pairs with the files their results go to, in order."""
BeingWritten = tuple[Pair, Path, Result, Future[Any]]
"""A pair, the file its result goes to, the result, and what is done once it is written."""


@dataclass(frozen=True)
class Outcome:
    """What became of one pair."""

    pair: Pair
    """The two sources."""
    path: Path
    """Where its result is, or would be if it had not failed."""
    state: Literal["fused", "kept", "failed"]
    """Fused now, kept from an earlier run, or failed."""
    error: PolyfuseError | None = None
    """Why it failed; None if it did not."""
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
    jobs: Jobs,
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
        run = _PairsRun(jobs, kept, model, options, how, on_tile, reader, writer)
        try:
            yield from run.outcomes(on_error)
        finally:
            reader.shutdown(wait=False, cancel_futures=True)


class _PairsRun:
    """One pass over many pairs: while one is fused, the next are read and those before are written.

    Args:
        jobs: Pairs with the files their results go to.
        kept: Those of the files that an earlier run made.
        model: What fuses the others.
        options: How.
        how: How results are written.
        on_tile: Called after each tile.
        reader: Thread in which sources are read.
        writer: Thread in which results are written.
    """

    def __init__(
        self,
        jobs: Jobs,
        kept: set[Path],
        model: FusionModel,
        options: FuseOptions,
        how: Writing,
        on_tile: OnTile | None,
        reader: ThreadPoolExecutor,
        writer: ThreadPoolExecutor,
    ) -> None:
        self._jobs, self._kept, self._how = jobs, kept, how
        self._model, self._options, self._on_tile = model, options, on_tile
        self._reader, self._writer = reader, writer
        self._to_read = iter([job for job in jobs if job[1] not in kept])
        self._reads: dict[Path, Future[tuple[Picture, Picture]]] = {}

    def outcomes(self, on_error: Literal["stop", "skip"]) -> Iterator[Outcome]:
        """What became of each pair, in order."""
        waiting: deque[Outcome | BeingWritten] = deque()
        failed = False
        for pair, path in self._jobs:
            self._read_ahead()
            begun = Outcome(pair, path, "kept") if path in self._kept else self._fuse(pair, path)
            failed = failed or (isinstance(begun, Outcome) and begun.error is not None)
            waiting.append(begun)
            while len(waiting) > AHEAD or (waiting and isinstance(waiting[0], Outcome)):
                outcome = settled(waiting.popleft())
                failed = failed or outcome.error is not None
                yield outcome
            if failed and on_error == "stop":
                break
        yield from map(settled, waiting)

    def _read_ahead(self) -> None:
        """Have the sources of the next pairs read."""
        while len(self._reads) < AHEAD and (job := next(self._to_read, None)) is not None:
            self._reads[job[1]] = self._reader.submit(_read, job[0], self._options)

    def _fuse(self, pair: Pair, path: Path) -> Outcome | BeingWritten:
        """Fuse one pair and have its result written; an outcome if that failed before writing."""
        reading = self._reads.pop(path)
        try:
            a, b = reading.result()
            self._read_ahead()
            result = fuse_pictures(a, b, self._model, self._options, self._on_tile)
        except PolyfuseError as error:
            return Outcome(pair, path, "failed", error)
        except MemoryError:
            too_large = InputError(f"{pair.name} does not fit into memory: pass a smaller --memory or --tile.")
            return Outcome(pair, path, "failed", too_large)
        return pair, path, result, self._writer.submit(_write, result, path, self._how)


def _read(pair: Pair, options: FuseOptions) -> tuple[Picture, Picture]:
    """Read both sources of a pair."""
    return as_picture(pair.a, options, "a"), as_picture(pair.b, options, "b")


def _write(result: Result, path: Path, how: Writing) -> Path:
    """Write one result; with `resume` it replaces one that an earlier run made in another way."""
    return result.save(path, overwrite=how.overwrite or how.resume, sidecar=how.sidecar, quality=how.quality)


def settled(item: Outcome | BeingWritten) -> Outcome:
    """What became of one pair, once its result is written; an outcome is returned as it is."""
    if isinstance(item, Outcome):
        return item
    pair, path, result, written = item
    try:
        written.result()
    except PolyfuseError as error:
        return Outcome(pair, path, "failed", error)
    return Outcome(pair, path, "fused", notes=result.notes)


def check_targets(jobs: Jobs, *, replacing: bool) -> None:
    """Refuse to start where a result would replace a source or, unless `replacing`, any file.

    Raises:
        OutputError: Naming the first such file.
    """
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

    Results are written atomically, so a file that exists is complete. Without sidecars that is all that can be said.
    """
    if not path.is_file():
        return False
    if not how.sidecar:
        return True
    try:
        record = parse_json(sidecar_path(path).read_text(encoding="utf-8"))
        sources = [record["sources"][name]["path"] for name in ("a", "b")]
        same_settings = bool(record["settings"] == json.loads(json.dumps(made_by)))
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return same_settings and sources == [str(pair.a), str(pair.b)]
