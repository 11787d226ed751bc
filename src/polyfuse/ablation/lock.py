"""One command at a time works in the folder of a study."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polyfuse.errors import OutputError

LOCK = "study.lock"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other commands out of a folder; the lock file goes at the end.

    A folder that is not there is made, and goes too if nothing has come into it.

    The system drops the lock of a process that ends in any way, so that a file left behind keeps nobody out. Without
    effect on Windows, which has no such locks.

    Raises:
        OutputError: If a process that is running has the lock, or the folder cannot be written.
    """
    if sys.platform == "win32":
        yield
        return
    path, is_new = folder / LOCK, not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be locked ({error.strerror}): choose another --out.") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)
        if is_new and not any(folder.iterdir()):
            folder.rmdir()


def _locked(path: Path) -> int:
    """The open lock file with this process's number in it.

    Raises:
        OutputError: If another process has it.
        OSError: If it cannot be opened or locked.
    """
    import fcntl

    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):
                os.truncate(file, 0)
                os.write(file, f"{os.getpid()}\n".encode())
                return file
        except BlockingIOError as error:
            holder = os.read(file, 20).decode("ascii", "replace").strip()
            os.close(file)
            raise OutputError(
                f"{path.parent} is in use by process {holder}: wait until it is done, or choose another --out."
            ) from error
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # the holder before has removed this file since it was opened


def _is_at(path: Path, file: int) -> bool:
    """Whether the open file is the one that has this path now."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
