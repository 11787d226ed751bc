"""Names of temporary files, which tell who writes them, so that those of a killed process can be swept.

The rule: a temporary file goes when its process is known to be gone, or when it has not been written to for a day. One
whose process lives stays, whatever its age. Whether a process lives can be told on its own machine alone, and there
only on Linux; elsewhere, and for names of earlier versions, age decides.
"""

import functools
import os
import re
import secrets
import shutil
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Literal

DAY = 24 * 60 * 60
"""Seconds after which a file of an unknown process counts as left over."""
MAX_SUFFIX = 16
"""Longer suffixes are left out of temporary names, which must fit where the target's name does."""

_NAME = re.compile(r"\.polyfuse-(?:([0-9a-f]{8})-([0-9]+)-([0-9]+)-)?[0-9a-f]{8,16}(?:\.[^.]*)?")
_PROCESSES = Path("/proc")


def temporary_name(suffix: str) -> str:
    """A name nobody else has: hidden, with machine, process and the time it was started, and the suffix."""
    return f".polyfuse-{_machine()}-{os.getpid()}-{_started(os.getpid()) or 0}-{secrets.token_hex(4)}" + (
        suffix if len(os.fsencode(suffix)) <= MAX_SUFFIX else ""
    )


def sweep(folder: Path) -> None:
    """Delete temporary files and folders that processes left in a folder, by the rule above; what cannot be stays."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".polyfuse-") and (match := _NAME.fullmatch(entry.name)):
                with suppress(OSError):
                    if entry.is_file(follow_symlinks=False) and _is_left_over(match, entry):
                        os.unlink(entry.path)
                    elif entry.is_dir(follow_symlinks=False) and _is_left_over(match, entry):
                        shutil.rmtree(entry.path)


def _is_left_over(name: "re.Match[str]", entry: "os.DirEntry[str]") -> bool:
    """Whether the process that wrote this file can be told to be gone, or has not touched it for a day."""
    machine, number, started = name.groups()
    owner = _state(int(number), int(started)) if machine is not None and machine == _machine() else "unknown"
    if owner == "unknown":
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > DAY
    return owner == "gone"


def _state(number: int, started: int) -> Literal["lives", "gone", "unknown"]:
    """What became of a process of this machine."""
    if not started or _started(os.getpid()) is None:
        return "unknown"
    if (now := _started(number)) is not None:
        return "lives" if now == started else "gone"
    try:
        os.kill(number, 0)  # sends nothing; where others' processes are hidden, this still tells that there is one
    except ProcessLookupError:
        return "gone"
    except (OSError, OverflowError):
        pass
    return "unknown"


def _started(number: int) -> int | None:
    """When a process was started, in ticks since the machine was; None if there is none or that cannot be told."""
    try:
        # The name of the program, in brackets, may hold spaces and brackets.
        return int((_PROCESSES / str(number) / "stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


@functools.cache
def _machine() -> str:
    """What tells this start of this machine, and its own numbering of processes, from others; 8 digits."""
    try:
        started = (_PROCESSES / "sys/kernel/random/boot_id").read_text()
        numbering = os.readlink(_PROCESSES / "self/ns/pid")
    except OSError:
        return "0" * 8
    return f"{zlib.crc32(f'{started} {numbering}'.encode()):08x}"
