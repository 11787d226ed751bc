"""What one case may take and leave behind: time, memory, files, words on the standard streams, warnings.

- Time is processor time of the process (ITIMER_PROF), so that a busy machine makes no finding. The signal raises in
  Python code; where a C library never returns, or waits, a second watchdog ends the process and prints where it is.
- Memory is the growth of the largest resident size (VmHWM, set back before each case), which sees C libraries too;
  tracemalloc would not. A limit on the address space (RLIMIT_AS) stops what would harm the machine; it is no measure by
  itself, because readers turn the MemoryError into a refusal. Such a refusal is told apart by its cause.

On systems without /proc, memory is not looked at.
"""

from __future__ import annotations

import faulthandler
import io
import os
import resource
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from polyfuse.errors import PolyfuseError

SECONDS = 5.0
"""Processor time of a case."""
HARD_SECONDS = 120.0
"""Time by the clock after which the process is ended; a busy machine needs some patience."""
MEGABYTES = 448
"""Growth of memory in a case. Any picture file may declare 2^24 pixels (`polyfuse.io.density`): 0.2 GB as 32-bit RGB,
decoded and converted."""
ADDRESS_BYTES = 3 << 30
"""Growth of the address space in a case, of which threads and allocators take much without using it."""
LONGEST_MESSAGE = 5000
"""Characters of a message: a line, perhaps with a path or with the first ten problems of a table."""


class TooSlow(BaseException):
    """The time of a case is over; no `except Exception` of a reader may catch it."""


@dataclass
class Seen:
    """What became of one case."""

    state: str = "read"
    """"read", "refused", "passed over" or, with a problem, "failed"."""
    problems: list[str] = field(default_factory=list)
    """What must not have happened, a line each."""
    message: str = ""
    """Of the error that refused it."""
    seconds: float = 0.0
    """Processor time."""
    megabytes: float = 0.0
    """Growth of the largest resident size."""
    trace: BaseException | None = None
    """What escaped."""


def watched(read: Callable[[], bool]) -> Seen:
    """Read one file under all guards."""
    seen, printed = Seen(), tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    words = io.StringIO()
    with printed, _captured(printed), redirect_stdout(words), redirect_stderr(words):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            started, before = time.process_time(), _resident()
            try:
                with _timed(), _bounded():
                    seen.state = "read" if read() else "passed over"
            except PolyfuseError as error:
                seen.state, seen.message = "refused", str(error)
                seen.problems += _faults(error)
            except TooSlow:
                seen.problems.append(f"took more than {SECONDS:g} s")
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                seen.problems.append(f"{type(error).__name__}: {error}"[:300])
                seen.trace = error
            seen.seconds = time.process_time() - started
            seen.megabytes = max(0.0, (_largest() - before) / 2**20)
        printed.seek(0)
        text = words.getvalue() + printed.read().decode("utf-8", "replace")
    if text:
        seen.problems.append(f"printed {text[:200]!r}")
    seen.problems += [f"warned {warning.category.__name__}: {str(warning.message)[:200]}" for warning in warned]
    if seen.megabytes > MEGABYTES:
        seen.problems.append(f"took {seen.megabytes:.0f} MB")
    return seen


def _faults(error: PolyfuseError) -> list[str]:
    """What is wrong with a refusal."""
    text, faults = str(error), []
    if len(text.splitlines()) != 1:
        faults.append(f"a message of {len(text.splitlines())} lines: {text[:200]!r}")
    if len(text) > LONGEST_MESSAGE:
        faults.append(f"a message of {len(text)} characters: {text[:200]!r}...")
    if ": " not in text:
        faults.append(f"a message that does not say what to do: {text[:200]!r}")
    cause: BaseException | None = error
    while cause is not None:
        if type(cause) is MemoryError:  # not the one of PyAV: FFmpeg names so whatever it thinks too large
            faults.append("asked for more memory than there was")
        cause = cause.__cause__ or cause.__context__
    return faults


@contextmanager
def _captured(file: io.BufferedRandom | tempfile._TemporaryFileWrapper[bytes]) -> Iterator[None]:
    """Have what C libraries print on the standard streams go to a file."""
    kept = [os.dup(number) for number in (1, 2)]
    faulthandler.dump_traceback_later(HARD_SECONDS, exit=True, file=kept[1])
    for number in (1, 2):
        os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
        faulthandler.cancel_dump_traceback_later()
        for copy in kept:
            os.close(copy)


@contextmanager
def _timed() -> Iterator[None]:
    """Raise `TooSlow` in the body once it has had its processor time."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _bounded() -> Iterator[None]:
    """Let the address space grow by so much and no more."""
    size = _pages(0)
    if not size:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + ADDRESS_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _pages(column: int) -> int:
    """Bytes of the address space (0) or of the resident part of it (1); 0 where that cannot be told."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[column]) * resource.getpagesize()
    except OSError:
        return 0


def _resident() -> int:
    """Resident bytes, from which the largest resident size is counted from now on."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return _largest()


def _largest() -> int:
    """The largest resident size since it was set back, in bytes; 0 where that cannot be told."""
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return 0
    return int(status.partition(b"VmHWM:")[2].split(None, 1)[0]) * 1024
