"""Scoring many pictures: worker processes, results in order, memory that does not grow with their number."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection, get_context, parent_process
from multiprocessing.synchronize import Event
from typing import Literal

import torch

from polyfuse.alignment import Warp
from polyfuse.alignment.resample import Frame
from polyfuse.errors import InputError, PolyfuseError
from polyfuse.evaluation.baselines import score_baselines
from polyfuse.evaluation.scoring import Evaluation, Scorer, as_tensor, choose_metrics, damage_notes
from polyfuse.evaluation.sources import brought_together
from polyfuse.evaluation.triples import Item, Method
from polyfuse.io import DEFAULT_MAX_PIXELS, read_picture
from polyfuse.io.source import shown
from polyfuse.metrics import find_protocol
from polyfuse.ops.cores import num_cores
from polyfuse.ops.devices import check_device

AHEAD = 3
"""Pairs submitted at a time for each worker, so that none is idle while results are taken in order."""
WORTH_A_WORKER = 100
"""Pictures that make one more worker worthwhile: it starts in three seconds, the time of 60 pictures of 640x480."""

_given_up: Event | None = None
"""In a worker: set once the parent waits for no more results."""


@dataclass(frozen=True)
class Task:
    """What is computed of every item."""

    metrics: tuple[str, ...]
    """Names of the metrics."""
    protocol: str = "cddfuse"
    """Name of the protocol whose conventions hold."""
    baselines: bool = False
    """Whether the trivial answers are scored too."""
    device: str = "cpu"
    """Where to compute; worker processes are used on the processor only."""
    max_pixels: int = DEFAULT_MAX_PIXELS
    """Largest width times height accepted."""
    strict: bool = False
    """Whether damaged JPEGs are refused instead of filled in."""
    warp: Warp | None = None
    """How a lies on b, where they come from two cameras."""
    frame: Frame = "b"
    """With a warp: the source on whose pixels the fused pictures are."""


@dataclass(frozen=True)
class Scored:
    """The results of one item."""

    item: Item
    """What was scored."""
    evaluations: dict[Method, Evaluation] = field(default_factory=dict)
    """Evaluation of each method, baselines included."""
    errors: dict[Method, PolyfuseError] = field(default_factory=dict)
    """Methods whose picture could not be scored, and why."""
    error: PolyfuseError | None = None
    """Why nothing could be scored, where a source is at fault."""
    digests: tuple[str, str] | None = None
    """SHA-256 of the source files, where they could be read."""

    def failures(self) -> list[tuple[str, PolyfuseError]]:
        """Name of each pair that failed, with the method where there are several, and why."""
        if self.error is not None:
            return [(self.item.name, self.error)]
        many = len(self.item.fused) + len(self.item.missing) > 1
        return [(f"{self.item.name} of {m.name}" if many else self.item.name, e) for m, e in self.errors.items()]


def score_items(
    items: Sequence[Item],
    task: Task,
    *,
    workers: int | None = None,
    on_error: Literal["stop", "skip"] = "stop",
) -> Generator[Scored, None, None]:
    """Score every item, yielding the results in order, each as soon as it is there.

    Args:
        items: From `find_items`.
        task: What to compute.
        workers: Processes, of one thread each. None: one for each core, but only this process, with all its threads,
            for few pictures or another device.
        on_error: "skip" goes on after a failed item, "stop" ends with it.

    Raises:
        UsageError: Before any work, if a metric, the protocol or the device cannot be used.
    """
    choose_metrics(task.metrics, task.protocol)
    check_device(task.device)
    if workers is None:
        pictures = sum(len(item.fused) + 4 * task.baselines for item in items)
        workers = min(num_cores(), len(items), pictures // WORTH_A_WORKER)
    in_process = workers <= 1 or torch.device(task.device).type != "cpu"
    results = _in_turn(items, task) if in_process else _spread(items, task, workers)
    with closing(results):
        for scored in results:
            yield scored
            if on_error == "stop" and scored.failures():
                break


def _in_turn(items: Sequence[Item], task: Task) -> Generator[Scored, None, None]:
    """Score in this process."""
    for item in items:
        yield score_item(item, task)


def _spread(items: Sequence[Item], task: Task, workers: int) -> Generator[Scored, None, None]:
    """Score in worker processes, with a bounded number of items under way."""
    context = get_context("spawn")  # a fork would copy locks that torch's threads hold
    given_up = context.Event()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(given_up,))
    waiting: deque[Future[Scored]] = deque()
    try:
        for item in items:
            with _children_ignoring_interrupts():
                waiting.append(pool.submit(_work, item, task))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise PolyfuseError("a worker process ended, perhaps for lack of memory: pass a smaller --workers.") from error
    finally:
        given_up.set()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _children_ignoring_interrupts() -> Iterator[None]:
    """Processes that the body starts ignore Ctrl-C and a closed terminal, even while starting: the parent ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(given_up: Event) -> None:
    """Get a worker ready: one thread, Ctrl-C left to the parent, and an end when the parent ends."""
    global _given_up
    _given_up = given_up
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _work(item: Item, task: Task) -> Scored:
    """Score in a worker, unless the parent waits for no more results."""
    return Scored(item) if _given_up is not None and _given_up.is_set() else score_item(item, task)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def score_item(item: Item, task: Task) -> Scored:
    """Score all pictures of one item; what fails is part of the result."""
    errors: dict[Method, PolyfuseError] = {method: InputError(text) for method, text in item.missing.items()}
    if not item.fused and not (task.baselines and item.pair.a.is_file() and item.pair.b.is_file()):
        reasons = set(item.missing.values())
        return Scored(item, error=InputError(reasons.pop())) if len(reasons) == 1 else Scored(item, errors=errors)
    rules, metrics = find_protocol(task.protocol), choose_metrics(task.metrics, task.protocol)
    evaluations: dict[Method, Evaluation] = {}
    read = partial(read_picture, max_pixels=task.max_pixels, strict=task.strict)
    try:
        picture_a, picture_b = read(item.pair.a), read(item.pair.b)
        pair = brought_together(picture_a, picture_b, task.warp, task.frame)
        a, b = (as_tensor(picture, rules, task.device, shown(picture.path or "")) for picture in (pair.a, pair.b))
        baselines = score_baselines(a, b, metrics, task.protocol) if task.baselines else {}
    except (PolyfuseError, MemoryError, RuntimeError) as error:
        return Scored(item, error=_as_polyfuse_error(error, item.name))
    score = Scorer(a, b, metrics, task.protocol)
    for method, path in item.fused.items():
        try:
            picture = read(path)
            fused = as_tensor(pair.cut(picture), rules, task.device, shown(path))
            pictures = {"fused": picture, "a": picture_a, "b": picture_b}
            damaged = (note for name, one in pictures.items() for note in damage_notes(one, name))
            evaluations[method] = score(fused).with_notes((*pair.notes, *damaged))
        except (PolyfuseError, MemoryError, RuntimeError) as error:
            errors[method] = _as_polyfuse_error(error, item.name)
    digests = (picture_a.sha256 or "", picture_b.sha256 or "")
    return Scored(item, evaluations | baselines, errors, digests=digests)


def _as_polyfuse_error(error: Exception, name: str) -> PolyfuseError:
    """The error as one of ours; raise it again where it is neither that nor a lack of memory, since it is a bug."""
    if isinstance(error, PolyfuseError):
        return error
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return InputError(f"{name} does not fit into memory: pass --workers 1, or score smaller pictures.")
    raise error
