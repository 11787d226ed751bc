"""Scoring many pictures on the workers of a cluster: the numbers of one process, in the same order."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from polyfuse.cluster.mirror import Mirror
from polyfuse.cluster.session import GIVEN_UP, Work, Workers, results, started
from polyfuse.errors import PolyfuseError
from polyfuse.evaluation.run import Scored, Task, score_item
from polyfuse.evaluation.triples import Item
from polyfuse.io import Pair


@dataclass(frozen=True)
class Scoring:
    """What a worker needs to know; calling it makes one ready."""

    task: Task
    """What is computed."""
    on_error: Literal["stop", "skip"]
    """What is done after a failure."""
    mirror: Path
    """Where files of the machine that gives the items stand for addresses."""
    folder: Path
    """The folder from which relative paths count."""

    def __call__(self, is_stopped: Callable[[], bool], stop: Callable[[], None]) -> Work:
        """The work is from items to their scores."""
        with suppress(OSError):
            os.chdir(self.folder)
        names = Mirror(self.mirror)

        def work(items: list[Item]) -> list[Scored]:
            done: list[Scored] = []
            for item in items:
                if is_stopped():
                    break
                done.append(self._scored(item, names))
                if self.on_error == "stop" and done[-1].failures():
                    stop()
            return done

        return work

    def _scored(self, item: Item, names: Mirror) -> Scored:
        """Score one item, whose files are fetched first where they are at addresses."""
        files = [item.pair.a, item.pair.b, *item.fused.values()]
        if all(names.address(file) is None for file in files):
            return score_item(item, self.task)
        with tempfile.TemporaryDirectory(prefix="pf-") as folder:
            here = Mirror(Path(folder))
            near = [file if (at := names.address(file)) is None else here.place(at) for file in files]
            try:
                for file in near:
                    here.fetch(file)  # one that is missing is told by whoever reads it
            except PolyfuseError as error:
                return Scored(item, error=error)
            fused = dict(zip(item.fused, near[2:], strict=True))
            scored = score_item(Item(Pair(item.name, near[0], near[1]), fused, item.missing), self.task)

            def told(error: PolyfuseError) -> PolyfuseError:
                return type(error)(here.told(error))

            return Scored(
                item,
                {
                    method: replace(one, notes=tuple(map(here.told, one.notes)))
                    for method, one in scored.evaluations.items()
                },
                {method: told(error) for method, error in scored.errors.items()},
                None if scored.error is None else told(scored.error),
                scored.digests,
            )


def score_on_workers(
    items: Sequence[Item],
    task: Task,
    mirror: Mirror,
    *,
    workers: Workers,
    on_error: Literal["stop", "skip"] = "stop",
) -> Generator[Scored, None, None]:
    """Score every item on the workers of a cluster, yielding the results in order, as `score_items` does.

    Args:
        items: From `find_items`; paths may stand for addresses.
        task: What to compute.
        mirror: Tells which paths stand for addresses.
        workers: Which machines, and how many processes, of one thread each.
        on_error: "skip" goes on after a failed item, "stop" begins no further one.

    Raises:
        DependencyError: If Ray, or a package on a worker, is missing.
        InputError: If the cluster does not answer.
        UsageError: If it is too small.
    """
    work = Scoring(task, on_error, mirror.folder, Path.cwd())
    told = set()
    with started(workers) as number:
        for scored in results(items, work, workers, number, skip=on_error == "skip"):
            told.add(scored.item.name)
            yield scored
    if on_error == "skip":
        ended = PolyfuseError(f"its {GIVEN_UP}: pass fewer --workers, or score it by itself.")
        yield from (Scored(item, error=ended) for item in items if item.name not in told)
