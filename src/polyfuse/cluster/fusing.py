"""Fusing many pairs on the workers of a cluster: the same files as one process writes, in the same order."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from polyfuse.cluster.mirror import Mirror
from polyfuse.cluster.session import GIVEN_UP, Work, Workers, results, started
from polyfuse.errors import PolyfuseError, UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions, Outcome, Writing, fuse_pairs
from polyfuse.fusion.batch import Jobs, check_outputs, in_roles
from polyfuse.fusion.sidecar import sidecar_path
from polyfuse.fusion.thermal import celsius_path
from polyfuse.io import Pair

LoadModel = Callable[[], FusionModel]
"""Loads the model; picklable, such as a `functools.partial` of `registry.load`."""


@dataclass(frozen=True)
class Fusing:
    """What a worker needs to know; calling it makes one ready, which loads the model."""

    load: LoadModel
    """Loads the model on the worker."""
    options: FuseOptions
    """Of all pairs."""
    writing: Writing
    """How results are written."""
    on_error: Literal["stop", "skip"]
    """What is done after a pair that failed."""
    mirror: Path
    """Where files of the machine that gives the jobs stand for addresses."""
    folder: Path
    """The folder from which relative paths count; where a machine has it not, paths must be absolute."""

    def __call__(self, is_stopped: Callable[[], bool], stop: Callable[[], None]) -> Work:
        """Load the model; the work is from jobs to outcomes."""
        with suppress(OSError):
            os.chdir(self.folder)
        model = self.load()
        names = Mirror(self.mirror)

        def fuse(jobs: Jobs) -> Iterator[Outcome]:
            # A block that is done again, after its worker ended, finds results of its first time.
            how = replace(self.writing, overwrite=True)
            if any(names.address(path) is not None for pair, path in jobs for path in (pair.a, pair.b, path)):
                for job in jobs:
                    yield (outcome := self._fused_away(job, model, how, names))
                    if outcome.error is not None and self.on_error == "stop":
                        break
            else:
                yield from fuse_pairs(jobs, model, self.options, writing=how, on_error=self.on_error)

        def work(jobs: Jobs) -> list[Outcome]:
            outcomes: list[Outcome] = []
            runs = fuse(jobs)
            while not is_stopped() and (outcome := next(runs, None)) is not None:
                outcomes.append(outcome)
                if outcome.error is not None and self.on_error == "stop":
                    stop()
                    outcomes += runs  # those under way
                    break
            return outcomes

        return work

    def _fused_away(self, job: tuple[Pair, Path], model: FusionModel, how: Writing, names: Mirror) -> Outcome:
        """Fetch the sources of one pair, fuse it here, and put result and record in their place."""
        [(roles, path)], pair = in_roles([job], self.options), job[0]
        with tempfile.TemporaryDirectory(prefix="pf-") as folder:
            here = Mirror(Path(folder))

            def moved(path: Path) -> Path:
                address = names.address(path)
                return path if address is None else here.place(address)

            near = Pair(pair.name, moved(pair.a), moved(pair.b))
            result = moved(path)
            written = [result, *([celsius_path(result)] if how.temperature else [])]
            try:
                for source in (near.a, near.b):
                    here.fetch(source)  # one that is missing is told by whoever reads it
                if how.resume and here.fetch(sidecar_path(result)):
                    for file in written:
                        here.fetch(file)
                with here.telling():
                    outcome = next(iter(fuse_pairs([(near, result)], model, self.options, writing=how)))
                if outcome.state == "fused":
                    _deliver(written, sidecar_path(result) if how.sidecar else None, here)
            except PolyfuseError as error:
                return Outcome(roles, path, "failed", error)
            told = None if outcome.error is None else type(outcome.error)(here.told(outcome.error))
            return Outcome(roles, path, outcome.state, told, tuple(map(here.told, outcome.notes)))


def _deliver(files: list[Path], record: Path | None, here: Mirror) -> None:
    """Put results where they belong, and after them the record, which says that they are complete."""
    for file in files:
        here.deliver(file)
    if record is not None and here.address(record) is not None:
        text = record.read_text(encoding="utf-8")
        record.write_text(here.told(text), encoding="utf-8")  # it names the sources
        here.deliver(record)


def fuse_on_workers(
    jobs: Jobs,
    load: LoadModel,
    options: FuseOptions,
    mirror: Mirror,
    *,
    workers: Workers,
    writing: Writing,
    on_error: Literal["stop", "skip"] = "stop",
) -> Iterator[Outcome]:
    """Fuse every pair into its path on the workers of a cluster, yielding what became of each, in order.

    The same as `fuse_pairs`, whose results these are to the bit where workers have the same number of threads.

    Args:
        jobs: Pairs with the files their results go to; paths may stand for addresses.
        load: Loads the model, in each worker once.
        options: Options for all pairs.
        mirror: Tells which paths stand for addresses; has an empty file for each result that is there.
        workers: Which machines, and how many processes.
        writing: How results are written.
        on_error: "skip" goes on after a failed pair; "stop" begins no further pair.

    Raises:
        DependencyError: If Ray, or a package on a worker, is missing.
        InputError: If the cluster does not answer.
        OutputError: Before any work, as `fuse_pairs` does.
        UsageError: If the cluster is too small, or what is done cannot be told at an address.
    """
    away = any(mirror.address(path) is not None for _, path in jobs)
    if away and writing.resume and not writing.sidecar:
        raise UsageError("--resume tells by sidecars what is done at an address: drop --no-sidecar.")
    check_outputs(in_roles(jobs, options), writing)
    work = Fusing(load, options, writing, on_error, mirror.folder, Path.cwd())
    told = set()
    with started(workers) as number:
        for outcome in results(jobs, work, workers, number, skip=on_error == "skip"):
            told.add(outcome.path)
            yield outcome
    lost = [job for job in in_roles(jobs, options) if job[1] not in told]
    if on_error == "skip":
        error = PolyfuseError(f"its {GIVEN_UP}: pass fewer --workers or a smaller --memory.")
        yield from (Outcome(pair, path, "failed", error) for pair, path in lost)
