"""Fusing many pairs: decoding, fusing and encoding overlap, and memory does not grow with their number."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError, OutputError, PolyfuseError
from polyfuse.fusion.fuser import OnTile
from polyfuse.fusion.models import Model
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.pair import fuse_pictures
from polyfuse.fusion.record import settings
from polyfuse.fusion.result import Result
from polyfuse.fusion.sidecar import RESULT, damage_note, earlier_record, is_damaged, sidecar_path
from polyfuse.fusion.thermal import Sources, celsius, celsius_path, completed, read_sources
from polyfuse.io import Pair, Picture, read_picture
from polyfuse.io.atomic import check_all_apart, check_free
from polyfuse.io.source import shown
from polyfuse.io.write import write_measured

AHEAD = 2
"""Pairs read ahead, and results waiting to be written."""

Jobs = Sequence[tuple[Pair, Path]]
"""Pairs with the files their results go to, in order."""
OnSources = Callable[[Pair, Picture, Picture], None]
"""Takes a pair and its sources."""
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
    """Keep results that an earlier run made from the same sources with the same settings, and that are unchanged."""
    sidecar: bool = True
    """Write the record beside each result."""
    quality: int = 95
    """For JPEG and WebP, 1 to 100."""
    verify: bool = False
    """With `resume`, tell by hashes whether sources and results are unchanged, not by size and time."""
    temperature: bool = False
    """Write the temperatures of a radiometric file beside each result, as a TIFF of floats in degrees Celsius."""


def fuse_pairs(
    jobs: Jobs,
    model: Model,
    options: FuseOptions,
    *,
    writing: Writing | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    on_tile: OnTile | None = None,
    on_sources: OnSources | None = None,
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
        on_sources: Called with a pair and its two sources as they were read, before they are fused.

    Raises:
        OutputError: Before any work, if results or sidecars exist and neither overwriting nor resuming was asked for,
            or if one would replace a source; at the end, if a result that was written is gone.
    """
    how = writing or Writing()
    jobs = in_roles(jobs, options)
    check_outputs(jobs, how)
    made_by = settings(model, options)
    kept = {path for pair, path in jobs if how.resume and is_done(pair, path, made_by, how)}
    damaged = damaged_sidecars(jobs, how)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        run = _PairsRun(jobs, kept, model, options, how, (on_tile, on_sources), reader, writer)
        try:
            yield from all_there(with_damage_note(run.outcomes(on_error), damaged))
        finally:
            reader.shutdown(wait=False, cancel_futures=True)


def in_roles(jobs: Jobs, options: FuseOptions) -> Jobs:
    """The same jobs, with the sources of every pair exchanged where `options.swap` says so."""
    return [(pair.swapped(), path) for pair, path in jobs] if options.swap else jobs


class _PairsRun:
    """One pass over many pairs: while one is fused, the next are read and those before are written.

    Args:
        jobs: Pairs with the files their results go to.
        kept: Those of the files that an earlier run made.
        model: What fuses the others.
        options: How.
        how: How results are written.
        called: What is called after each tile, and with the sources of each pair.
        reader: Thread in which sources are read.
        writer: Thread in which results are written.
    """

    def __init__(
        self,
        jobs: Jobs,
        kept: set[Path],
        model: Model,
        options: FuseOptions,
        how: Writing,
        called: tuple[OnTile | None, OnSources | None],
        reader: ThreadPoolExecutor,
        writer: ThreadPoolExecutor,
    ) -> None:
        self._jobs, self._kept, self._how = jobs, kept, how
        self._model, self._options = model, options
        self._on_tile, self._on_sources = called
        self._reader, self._writer = reader, writer
        self._to_read = iter([job for job in jobs if job[1] not in kept])
        self._reads: dict[Path, Future[Sources]] = {}
        self._made_by = settings(model, options)

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
            self._reads[job[1]] = self._reader.submit(read_sources, job[0], self._options)

    def _fuse(self, pair: Pair, path: Path) -> Outcome | BeingWritten:
        """Fuse one pair and have its result written; an outcome if that failed before writing."""
        reading = self._reads.pop(path)
        try:
            sources = reading.result()
            self._read_ahead()
            if self._on_sources is not None:
                self._on_sources(pair, sources.a, sources.b)
            sources = sources.with_flow()
            temperatures = celsius(sources) if self._how.temperature else None
            result = fuse_pictures(sources.a, sources.b, self._model, sources.options, self._on_tile)
            result = completed(result, sources, self._made_by)
        except PolyfuseError as error:
            return Outcome(pair, path, "failed", error)
        except MemoryError:
            too_large = InputError(f"{pair.name} does not fit into memory: pass a smaller --memory or --tile.")
            return Outcome(pair, path, "failed", too_large)
        return pair, path, result, self._writer.submit(_write, result, path, self._how, temperatures)


def _write(result: Result, path: Path, how: Writing, temperatures: NDArray[np.float32] | None) -> Path:
    """Write one result; with `resume` it replaces one that an earlier run made in another way."""
    if temperatures is not None:
        write_measured(celsius_path(path), temperatures, overwrite=how.overwrite or how.resume)
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
    sources = [source for pair, _ in jobs for source in (pair.a, pair.b)]
    check_all_apart((path for _, path in jobs), sources, "a source and would be replaced by a result")
    existing = [path for _, path in jobs if Path(os.path.realpath(path)).exists()]
    if existing and not replacing:
        more = f" and {len(existing) - 1} more exist" if len(existing) > 1 else " exists"
        raise OutputError(f"{existing[0]}{more}: pass --overwrite to replace, or --resume to keep what is done.")


def check_outputs(jobs: Jobs, how: Writing) -> None:
    """Refuse to start where a result or sidecar cannot be written, or would replace a source or any file, unasked.

    Raises:
        OutputError: Naming the first such file.
    """
    replacing = how.overwrite or how.resume
    written = [path for _, path in jobs]
    sidecars = [sidecar_path(path) for path in written] if how.sidecar else []
    planes = [celsius_path(path) for path in written] if how.temperature else []
    for path in (*written, *sidecars, *planes):
        check_free(path, overwrite=True)
    check_targets(jobs, replacing=replacing)
    sources = [source for pair, _ in jobs for source in (pair.a, pair.b)]
    check_all_apart(sidecars, sources, "a source and would be replaced by a sidecar")
    check_all_apart(planes, sources, "a source and would be replaced by temperatures")
    for path in (*sidecars, *planes):
        check_free(path, overwrite=replacing)


def all_there(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Pass on what became of each pair; at the end, look whether every result is still there.

    Raises:
        OutputError: If results are gone, as when somebody removes their folder meanwhile.
    """
    done = []
    for outcome in outcomes:
        if outcome.error is None:
            done.append(outcome.path)
        yield outcome
    gone = [path for path in done if not path.exists()]
    if gone:
        more = f" and {len(gone) - 1} more of {len(done)} results were" if len(gone) > 1 else " was"
        raise OutputError(f"{shown(gone[0])}{more} removed meanwhile: fuse them again, --resume keeps the others.")


def is_done(pair: Pair, path: Path, made_by: dict[str, Any], how: Writing) -> bool:
    """Whether an earlier run made this result from these sources with these settings, and nothing has changed since.

    Without sidecars all that can be said is whether it can be read and is newer than its sources.
    """
    if not path.is_file() or (how.temperature and not celsius_path(path).is_file()):
        return False
    if not how.sidecar:
        return _is_newer(path, pair) and _can_be_read(path)
    record = earlier_record(path, {"a": pair.a, "b": pair.b}, made_by, verify=how.verify)
    # Records of version 0.1.0 say nothing of the result.
    return record is not None and (RESULT in record or _can_be_read(path))


def damaged_sidecars(jobs: Jobs, how: Writing) -> list[Path]:
    """Results of an earlier run whose sidecars count as absent because they are damaged."""
    return [path for _, path in jobs if how.resume and how.sidecar and is_damaged(path)]


def with_damage_note(outcomes: Iterator[Outcome], damaged: Sequence[Path]) -> Iterator[Outcome]:
    """The same outcomes; the first one of which the sidecar was damaged says so for all of them."""
    for outcome in outcomes:
        if damaged and outcome.path == damaged[0]:
            outcome = replace(outcome, notes=(damage_note(damaged), *outcome.notes))
        yield outcome


def _is_newer(path: Path, pair: Pair) -> bool:
    """Whether a result was written after both of its sources."""
    try:
        return path.stat().st_mtime_ns >= max(pair.a.stat().st_mtime_ns, pair.b.stat().st_mtime_ns)
    except OSError:
        return False


def _can_be_read(path: Path) -> bool:
    """Whether a result is a whole picture."""
    try:
        read_picture(path, max_pixels=sys.maxsize)
    except PolyfuseError:
        return False
    return True
