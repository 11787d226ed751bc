"""What the process as a whole has to bear: signals that end it, and streams that are closed or lack letters.

SIGTERM and SIGHUP end a run as Ctrl-C does, and the exit code says which it was. A stream that is closed is replaced by
one that leads nowhere, so that no file takes its number; letters that a stream does not know are escaped.
"""

from __future__ import annotations

import codecs
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from types import FrameType

from polyfuse.errors import Stopped

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that ask a process to end; there are fewer on some systems."""
_ESCAPING = "polyfuse.escaping"


def catch_signals() -> None:
    """Let signals that end the process do so in order; one that the caller has it ignore, as nohup does, stays so."""
    owner = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a process that was forked from this one
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        for other in ENDING:  # tidying up is not to be interrupted; Ctrl-C still is able to
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def interruption(error: BaseException) -> KeyboardInterrupt | None:
    """What interrupted the run that ended with this error; None if the error came by itself."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__ or cause.__context__
    return cause


def told_interruption(ending: KeyboardInterrupt | None) -> tuple[str, int]:
    """The line that tells of an interruption, and the exit code."""
    number = ending.number if isinstance(ending, Stopped) else signal.SIGINT
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    return f"interrupted{by}; what is finished stays, nothing is half-written.", 128 + number


def mend_streams() -> None:
    """Replace standard streams that are closed, and let the others escape what they cannot print."""
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one: from now on no file that is written can get it.
            os.open(os.devnull, flags)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    codecs.register_error(_ESCAPING, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_ESCAPING)


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    """A file name that is no text goes out with the bytes it has on the disk; other letters are written as escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letter = error.object[error.start]
    if "\udc80" <= letter <= "\udcff":
        return bytes([ord(letter) - 0xDC00]), error.start + 1
    return letter.encode("ascii", "backslashreplace").decode("ascii"), error.start + 1


def discard_output() -> None:
    """Send what is still to be written to stdout nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
