"""Folders whose pictures are frames of a sequence: fused with one range and one filter along time, as a clip is."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyfuse._version import __version__
from polyfuse.errors import InputError, PolyfuseError, UsageError
from polyfuse.fusion import FuseOptions, Outcome, Result, Writing
from polyfuse.fusion.batch import (
    BeingWritten,
    Jobs,
    OnSources,
    all_there,
    check_outputs,
    damaged_sidecars,
    in_roles,
    is_done,
    settled,
    with_damage_note,
)
from polyfuse.fusion.conventions import decide
from polyfuse.fusion.fuser import Fuser
from polyfuse.fusion.models import Model
from polyfuse.fusion.record import settings
from polyfuse.fusion.sources import refuse_flow, same_size
from polyfuse.fusion.thermal import celsius, celsius_path, completed
from polyfuse.io.write import write_measured
from polyfuse.video.filters import make_filter
from polyfuse.video.fusing import AHEAD, STRETCH_FRAMES, FrameFusion, ahead, step_of
from polyfuse.video.sequence import FrameFiles
from polyfuse.video.store import SUFFIX, read_arrays, read_progress, write_store
from polyfuse.video.temporal import State, TemporalFilter
from polyfuse.video.thermal_frames import ThermalFrames

STATE_FRAMES = 16
"""After so many frames the filter's state is written; after an interruption at most as many are fused again."""
STATE_FILE = f".polyfuse-temporal{SUFFIX}"
"""Where that state is kept, beside the results, until the last frame is done."""
Made = tuple[int, Result | PolyfuseError, NDArray[np.float32] | None]
"""Number of a frame, its result or why there is none, and its temperatures where they are wanted."""
_STATE_NOTE = "the state of the filter that an earlier run left is damaged, so the sequence begins anew"


def fuse_frames(
    jobs: Jobs,
    model: Model,
    options: FuseOptions,
    temporal: str,
    *,
    writing: Writing | None = None,
    on_sources: OnSources | None = None,
) -> Iterator[Outcome]:
    """Fuse the frames of a sequence in their order, yielding what became of each as soon as it is on the disk.

    Ranges, colour and depth are decided once for all frames. The first frame that fails ends the run. With
    `writing.resume` a run goes on where the state of the filter was kept last, so that its frames are those of a run
    without interruption; without a state that fits it begins anew.

    Args:
        jobs: Pairs with the files their results go to, in the order of time.
        model: A model from `load`.
        options: Options for all frames.
        temporal: The filter along time, as `--temporal` takes it; not "none".
        writing: How results are written.
        on_sources: Called with the first pair of the sequence and its sources.

    Raises:
        UsageError: If the filter is unknown, or "none", which needs no order.
        DependencyError: If what the filter needs is missing.
        OutputError: Before any work, if results exist and neither overwriting nor resuming was asked for, or if a
            result would replace a source.
        InputError: Before any work, if frames differ in size.
    """
    refuse_flow(options)
    how, wanted = writing or Writing(), make_filter(temporal)
    if wanted is None:
        raise UsageError("temporal 'none' keeps no frames in order: use exponential or flow.")
    jobs = in_roles(jobs, options)
    check_outputs(jobs, how)
    damaged = damaged_sidecars(jobs, how)
    run = _FramesRun(jobs, model, options, how, temporal, wanted, on_sources)
    yield from all_there(with_damage_note(run.outcomes(), damaged))


class _FramesRun:
    """One pass over a sequence."""

    def __init__(
        self,
        jobs: Jobs,
        model: Model,
        options: FuseOptions,
        how: Writing,
        temporal: str,
        wanted: TemporalFilter,
        on_sources: OnSources | None,
    ) -> None:
        self._on_sources = on_sources
        self._jobs, self._model, self._options, self._how, self._filter = jobs, model, options, how, wanted
        self._made_by = {**settings(model, options), "sequence": {"temporal": temporal, "frames": len(jobs)}}
        named = [[str(path) for path in (pair.a, pair.b, target)] for pair, target in jobs]
        text = json.dumps([self._made_by, named, __version__], sort_keys=True)
        self._fingerprint = hashlib.sha256(text.encode()).hexdigest()
        self._store = jobs[0][1].with_name(STATE_FILE)
        self._state_is_damaged = False

    def outcomes(self) -> Iterator[Outcome]:
        """What became of each frame: those of an earlier run are kept, the rest are fused."""
        start, state = self._start()
        notes = (_STATE_NOTE,) if self._state_is_damaged else ()
        yield from (Outcome(pair, path, "kept") for pair, path in self._jobs[:start])
        if state:
            self._filter.restore(state)
        failed = False
        if start < len(self._jobs):
            with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
                for outcome in self._written(self._results(start, reader), writer):
                    outcome, notes = replace(outcome, notes=(*notes, *outcome.notes)), ()
                    failed = failed or outcome.error is not None
                    yield outcome
        if not failed:
            self._store.unlink(missing_ok=True)

    def _start(self) -> tuple[int, State]:
        """The first frame to fuse, and the filter's state before it."""
        if not self._how.resume:
            return 0, {}
        done = [is_done(pair, path, self._made_by, self._how) for pair, path in self._jobs]
        if all(done):
            return len(done), {}
        words = read_progress(self._store)
        state = None if words is None else read_arrays(self._store)
        self._state_is_damaged = os.path.lexists(self._store) and state is None
        if words is None or words["fingerprint"] != self._fingerprint or not all(done[: words["frames"]]):
            return 0, {}
        return (0, {}) if state is None else (words["frames"], state)

    def _results(self, start: int, reader: ThreadPoolExecutor) -> Iterator[Made]:
        """Number and result of each frame from `start` on; an error is the last."""
        pairs = [pair for pair, _ in self._jobs]
        read = ThermalFrames if self._options.radiometric else FrameFiles
        files: ThermalFrames | FrameFiles = read(pairs, self._options)
        options, number = files.options, start
        try:
            first = files.pair(0)
            if self._on_sources is not None:
                self._on_sources(self._jobs[0][0], first.a, first.b)
            first_a, first_b, _ = same_size(first.a, first.b, options)
            conventions, notes = decide(first_a, first_b, options, self._model.provenance, files.ranges)
            fusion = FrameFusion(Fuser(self._model, options, conventions), self._filter)
            chosen = range(0, len(self._jobs), step_of(len(self._jobs), STRETCH_FRAMES))
            fusion.measure_output((each.a.array, each.b.array) for each in map(files.pair, chosen))
            for sources in ahead(map(files.pair, range(start, len(self._jobs))), reader):
                began = time.perf_counter()
                one, other, size_notes = same_size(sources.a, sources.b, options)
                image = fusion(one, other)
                seconds = time.perf_counter() - began
                record = fusion.fuser.record(one, other, num_tiles=1, seconds=seconds)
                record["settings"] = self._made_by
                record["sequence"] = {"frame": number, "cut_before": number in self._filter.cuts}
                record["notes"] = [*size_notes, *notes]
                result = completed(Result(image, record, (*size_notes, *notes)), sources, self._made_by)
                yield number, result, celsius(sources) if self._how.temperature else None
                number += 1
        except PolyfuseError as error:
            yield number, error, None
        except MemoryError:
            yield number, InputError("a frame does not fit into memory: pass a smaller --memory or --tile."), None

    def _written(self, results: Iterator[Made], writer: ThreadPoolExecutor) -> Iterator[Outcome]:
        """What became of each frame once it is on the disk; after one that failed no other is begun."""
        waiting: deque[Outcome | BeingWritten] = deque()
        for number, result, temperatures in results:
            pair, path = self._jobs[number]
            if isinstance(result, PolyfuseError):
                waiting.append(Outcome(pair, path, "failed", result))
                break
            keeps = (number + 1) % STATE_FRAMES == 0
            state = self._filter.state() if keeps else None
            waiting.append(
                (pair, path, result, writer.submit(self._write, result, path, temperatures, (number + 1, state)))
            )
            if len(waiting) > AHEAD:
                outcome = settled(waiting.popleft())
                yield outcome
                if outcome.error is not None:
                    break
        yield from map(settled, waiting)

    def _write(
        self, result: Result, path: Path, temperatures: NDArray[np.float32] | None, after: tuple[int, State | None]
    ) -> None:
        """Write a frame, its temperatures and, if given, the filter's state after so many frames."""
        replacing = self._how.overwrite or self._how.resume
        num_frames, state = after
        if temperatures is not None:
            write_measured(celsius_path(path), temperatures, overwrite=replacing)
        result.save(path, overwrite=replacing, sidecar=self._how.sidecar, quality=self._how.quality)
        if state is not None:
            words = {"fingerprint": self._fingerprint, "frames": num_frames}
            write_store(self._store, state, words, called=self._store)
