"""Ray: a cluster that is there or one of this machine for the length of a run, and work in blocks on its actors.

Ray schedules, restarts actors that died and gives their block to them again; nothing of that is done here.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import secrets
import signal
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from polyfuse._version import __version__
from polyfuse.errors import DependencyError, InputError, PolyfuseError, Stopped, UsageError
from polyfuse.io.source import counted, reason, shown

RETRIES = 3
"""Times that a block is done again after its worker ended."""
GIVEN_UP = f"worker ended {RETRIES + 1} times on the same pairs, perhaps for lack of memory"
"""What is told of a block that is given up."""
LARGEST_BLOCK = 32
"""Pairs of one block: what is lost with a worker, and few enough to be shared out evenly."""
_ANSWER = 10.0
"""Seconds in which the head of a cluster must answer."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}
"""No statistics sent to Ray's makers, no lines of its own on the terminal."""

Work = Callable[[list[Any]], list[Any]]
"""From the items of a block to their results; fewer, where the run was stopped."""
Prepare = Callable[[Callable[[], bool], Callable[[], None]], Work]
"""Gets a worker ready, once in its life; is given what tells whether the run was stopped, and what stops it."""


@dataclass(frozen=True)
class Workers:
    """Which machines do the work, and how many processes."""

    address: str | None = None
    """Of a cluster that is there; None for one of this machine, made for the run."""
    number: int | None = None
    """Processes; None for as many as there are cores for."""
    threads: int = 1
    """Threads of each."""
    gpu: bool = False
    """Whether each takes a graphics card."""


@contextmanager
def started(workers: Workers) -> Iterator[int]:
    """Join a cluster, or start one on this machine that ends with the body.

    Yields:
        How many processes there will be.

    Raises:
        DependencyError: If Ray is missing.
        InputError: If the cluster does not answer.
        UsageError: If it has no room for so many.
    """
    if workers.address is not None:
        _check_answers(workers.address)
    wanted = dict(_QUIET)
    if workers.address is None:
        # Ray listens on all addresses of this machine and hears who has the token (versions that know none hear all).
        # Left alone, Ray would write one into the home folder.
        wanted["RAY_AUTH_TOKEN"] = _token()
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if before[name] is None})  # the user's stay
    try:
        ray = _ray()
        # Short, since sockets lie in it, whose paths may have some 100 letters.
        with tempfile.TemporaryDirectory(prefix="pf-", ignore_cleanup_errors=True) as folder:
            try:
                _join(ray, workers, folder)
                yield _room(ray, workers)
            finally:
                ray.shutdown()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@cache
def _token() -> str:
    """The token of every cluster that this process starts: Ray reads it once in the life of a process."""
    return secrets.token_hex(32)


def _ray() -> Any:
    """The package, with its data sets."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DependencyError('--engine ray needs Ray: pip install "polyfuse[ray]", on every machine') from error
    return ray


def _join(ray: Any, workers: Workers, folder: str) -> None:
    """Connect to a cluster, or start one on this machine."""
    how: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    if workers.address is None:
        cores = max(os.cpu_count() or 1, (workers.number or 1) * workers.threads)
        how |= {"num_cpus": cores, "include_dashboard": False, "_temp_dir": folder}
    in_main = threading.current_thread() is threading.main_thread()
    ours = signal.getsignal(signal.SIGTERM)
    try:
        with _no_stderr():
            ray.init(address=workers.address or "local", **how)
    except SystemExit as ending:  # so Ray's own handler of SIGTERM, which is there meanwhile, ends a program
        raise Stopped(signal.SIGTERM) from ending
    except Exception as error:
        where = "on this machine" if workers.address is None else f"at {shown(workers.address)}"
        raise InputError(f"Ray cannot be used {where} ({reason(error)}): check it with `ray status`") from error
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, ours)  # Ray puts one of its own, which skips tidying up
    if hasattr(ray._private.worker, "print_to_stdstream"):
        # Ray prints what becomes of workers on stdout, which carries results alone; nothing public turns that off.
        ray._private.worker.print_to_stdstream = lambda *_, **__: None
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Lead what the body writes to stderr nowhere: Ray's core prints a line as it starts, whatever its level."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _check_answers(address: str) -> None:
    """Refuse an address at which nothing listens; Ray itself would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rstrip("/").rpartition(":")
    if not colon and address == "auto":
        return
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--address {shown(address)} is no address of a cluster: write HOST:PORT, or auto.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER).close()
    except OSError as error:
        line = f"no cluster answers at {shown(address)} ({reason(error)}): check it there with `ray status`"
        raise InputError(line) from error


def _room(ray: Any, workers: Workers) -> int:
    """How many processes there will be."""
    there = ray.cluster_resources()
    most = int(there.get("CPU", 0)) // workers.threads
    if workers.gpu:
        most = min(most, int(there.get("GPU", 0)))
    number = workers.number or most
    if number > most or not most:
        what = f"{counted(max(number, 1), 'worker')} of {counted(workers.threads, 'thread')}"
        more = " and a graphics card each" if workers.gpu else ""
        raise UsageError(f"the cluster has no room for {what}{more}, but for {most}: pass fewer, or add machines.")
    return number


def blocks_of(items: Sequence[Any], workers: int) -> int:
    """Into how many blocks items are parted: four for each worker or more, so that none is idle for long at the end."""
    size = max(1, min(LARGEST_BLOCK, len(items) // (4 * workers)))
    return max(1, -(-len(items) // size))


def crew_of(items: Sequence[Any], workers: int) -> int:
    """How many of the workers are started: a worker without a block would load its model for nothing."""
    return min(workers, blocks_of(items, workers))


def results(
    items: Sequence[Any], prepare: Prepare, workers: Workers, number: int, *, skip: bool, retries: int = RETRIES
) -> Iterator[Any]:
    """Do all items on the workers, yielding the results in order.

    Args:
        items: What `Work` takes; pickled.
        prepare: Picklable; called once in each worker.
        workers: As for `started`, inside of which this is called.
        number: What that gave.
        skip: Go on where a block is given up because its workers ended; its items have no results.
        retries: Times that a block is done again.

    Raises:
        PolyfuseError: Of `prepare`, or if the workers of a block end again and again.
    """
    ray = _ray()
    log = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Log).remote()
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_options.preserve_order = True
    rows = ray.data.from_items([pickle.dumps(item) for item in items], override_num_blocks=blocks_of(items, number))
    done = rows.map_batches(
        _Worker,
        fn_constructor_args=(prepare, log, workers.threads, retries, __version__),
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=crew_of(items, number)),
        num_cpus=workers.threads,
        num_gpus=1 if workers.gpu else 0,
    )
    try:
        for row in done.iter_rows():
            result = pickle.loads(row["result"])
            if isinstance(result, _CannotWork):
                raise result.error
            if not isinstance(result, _GivenUp):
                yield result
            elif not skip:
                raise PolyfuseError(f"a {GIVEN_UP}: pass fewer --workers or a smaller --memory.")
    except ray.exceptions.RayError as error:
        raise _told(error) from error


def _told(error: Exception) -> PolyfuseError:
    """One line for what Ray says of a run that cannot go on."""
    missing = [line.strip() for line in str(error).splitlines() if "No module named" in line]
    if missing:
        line = f"a worker of the cluster lacks a package ({missing[-1]})"
        return DependencyError(f'{line}: install "polyfuse[ray]" of version {__version__} on every machine')
    last = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
    return PolyfuseError(f"the cluster gave up ({shown(last, most=200)}): --resume goes on, once it is well again.")


class _Log:
    """An actor that remembers whether the run was stopped, and how often each block was begun.

    Ray itself does a block again without end, and newer versions let nobody say how often.
    """

    def __init__(self) -> None:
        self._is_stopped = False
        self._begun = Counter[str]()

    def stop(self) -> None:
        """No further pair is begun."""
        self._is_stopped = True

    def is_stopped(self) -> bool:
        """Whether the run was stopped."""
        return self._is_stopped

    def begin(self, block: str) -> int:
        """Take note that a block is begun; returns how often it was."""
        self._begun[block] += 1
        return self._begun[block]


@dataclass(frozen=True)
class _CannotWork:
    """The result of a worker that could not be made ready."""

    error: PolyfuseError


@dataclass(frozen=True)
class _GivenUp:
    """The result of a block whose workers ended too often."""


class _Worker:
    """What Ray makes an actor of: gets ready once, then does block after block.

    Args:
        prepare: Makes the work.
        log: The actor `_Log`.
        threads: How many PyTorch takes.
        retries: Times that a block is done again.
        version: Of polyfuse where the command runs.
    """

    def __init__(self, prepare: Prepare, log: Any, threads: int, retries: int, version: str) -> None:
        import torch

        ray = _ray()
        torch.set_num_threads(threads)
        self._most = retries + 1
        self._begin: Callable[[str], int] = lambda block: int(ray.get(log.begin.remote(block)))
        self._problem: PolyfuseError | None = None
        if version != __version__:
            text = f"a worker has polyfuse {__version__} and this machine {version}: install one version everywhere"
            self._problem = DependencyError(text)
            return
        try:
            self._work = prepare(lambda: bool(ray.get(log.is_stopped.remote())), lambda: ray.get(log.stop.remote()))
        except PolyfuseError as error:
            self._problem = error

    def __call__(self, table: Any) -> Any:
        """The results of a block, as a table of one column."""
        import pyarrow

        items = table.column("item").to_pylist()
        if self._problem is not None:
            done: list[Any] = [_CannotWork(self._problem)]
        elif self._begin(hashlib.sha256(items[0]).hexdigest()) > self._most:
            done = [_GivenUp()]
        else:
            done = self._work([pickle.loads(item) for item in items])
        pickled = [pickle.dumps(result) for result in done]
        return pyarrow.table({"result": pyarrow.array(pickled, pyarrow.binary())})
