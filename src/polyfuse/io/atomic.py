"""Files that are either complete or not there."""

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from polyfuse.errors import OutputError
from polyfuse.io.leftovers import sweep, temporary_name
from polyfuse.io.source import reason, shown

_ADVICE = {
    errno.ENOSPC: "free some space, or choose another folder",
    errno.EDQUOT: "free some space, or choose another folder",
    errno.EFBIG: "free some space, or choose another folder",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder you may write to",
    errno.ENAMETOOLONG: "choose a shorter name",
}

MAX_NAME = 255
"""Bytes of a name on usual file systems; a folder that is there says its own limit."""
_swept: set[Path] = set()
"""Folders in which this process has looked for files that others left behind."""


def check_free(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse to write over what must not be replaced, and a name that is too long.

    Raises:
        OutputError: If the path is a folder, a device, or an existing file and `overwrite` is off.
    """
    target = Path(path)
    try:
        if ".." in target.parts:  # through a folder that is not there yet, the system finds nothing
            target = Path(os.path.realpath(target.parent), target.name)
        if not _exists(target):
            return
        if target.is_dir():
            raise OutputError(f"{shown(path)} is a folder: give a file name")
        if not overwrite:
            raise OutputError(f"{shown(path)} exists: pass --overwrite to replace it")
        # A device such as /dev/null would otherwise be replaced by a picture.
        if target.exists() and not target.is_file():
            raise OutputError(f"{shown(path)} is not an ordinary file: give another name")
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from error


def _exists(target: Path) -> bool:
    """Whether there is something of this name, be it a link to nothing.

    Raises:
        OSError: If no file can have this name.
    """
    try:
        os.lstat(target)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        if not target.parent.exists() and len(os.fsencode(target.name)) > MAX_NAME:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)) from None
        return False  # writing says what else is wrong
    return True


def check_name(path: str | os.PathLike[str]) -> None:
    """Refuse a name that is too long for a file or a folder.

    Raises:
        OutputError: If it is.
    """
    try:
        _exists(Path(path))
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from error


def check_apart(path: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse to write over a file that is read; `overwrite` is no leave to do so.

    Raises:
        OutputError: If the path is one of the inputs, under whatever name.
    """
    check_all_apart([path], inputs)


def check_all_apart(
    targets: Iterable[str | os.PathLike[str]],
    inputs: Iterable[str | os.PathLike[str]],
    what: str = "an input and would be replaced",
) -> None:
    """`check_apart` for many files.

    Args:
        targets: Files to write, which need not exist, nor their folders.
        inputs: Files to read.
        what: What the message says of the target.

    Raises:
        OutputError: Naming the first target that is an input.
    """
    known = {mark for source in inputs for mark in _marks(source)}
    for target in targets:
        if not known.isdisjoint(_marks(target)):
            raise OutputError(f"{shown(target)} is {what}: choose another --out")


def _marks(path: str | os.PathLike[str]) -> list[str | tuple[int, int]]:
    """What two names of one file have in common: where they lead, or would, and the file's numbers if it is there."""
    try:
        place = os.path.realpath(path)
        facts = os.stat(place)
    except OSError:
        return [place]
    except ValueError:  # a name that no file can have
        return []
    return [place, (facts.st_dev, facts.st_ino)]


@contextmanager
def atomic_path(
    path: str | os.PathLike[str], overwrite: bool = False, *, called: str | os.PathLike[str] | None = None
) -> Iterator[Path]:
    """Lend a temporary file in the target's folder and give it the target's name once the body has ended.

    The body writes the temporary file; then it is flushed to the disk and renamed. Whatever ends the body early,
    an interruption included, removes the temporary file and leaves the target as it was. Missing folders are made.
    What replaces a file gets its permissions. The first time in a folder, temporary files of processes that were killed
    are swept; see `polyfuse.io.leftovers` for the rule.

    Args:
        path: The target.
        overwrite: Whether an existing file may be replaced.
        called: Path that error messages name, where the user does not know the target.

    Yields:
        The temporary path: hidden, with the target's suffix unless that is very long, created empty.

    Raises:
        OutputError: If the target exists, or for any OSError of the body or the disk (no space, no permission).
    """
    target = Path(path)
    check_free(path, overwrite=overwrite)
    temporary = target.with_name(temporary_name(target.suffix))
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _sweep_once(target.parent)
            kept = _permissions(target)
            # Not tempfile.mkstemp: its files are private to the user, and the result should follow the umask. What
            # replaces a private file is private from the start.
            mode = 0o666 if kept is None else kept | 0o600
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
            yield temporary
            _flush(temporary)
            check_free(path, overwrite=overwrite)
            if kept is not None:
                with suppress(OSError):  # not every file system knows permissions; there are none too many already
                    os.chmod(temporary, kept)
            os.replace(temporary, target)
        except OSError as error:
            raise _refusal(called or path, error) from error
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def temporary_folder(folder: str | os.PathLike[str], *, called: str | os.PathLike[str]) -> Iterator[Path]:
    """Lend a hidden folder inside another one; it is deleted with all that is in it unless the body has renamed it.

    Args:
        folder: Where it is made; missing folders are made too, and what killed processes left there is swept.
        called: Path that error messages name.

    Raises:
        OutputError: For any OSError of the body or the disk (no space, no permission).
    """
    place = Path(folder, temporary_name(""))
    try:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _sweep_once(place.parent)
            place.mkdir()
            yield place
        except OSError as error:
            raise _refusal(called, error) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _sweep_once(folder: Path) -> None:
    """Sweep what killed processes left in a folder, once in the life of this process."""
    place = folder.absolute()
    if place not in _swept:
        _swept.add(place)
        sweep(place)


def _permissions(target: Path) -> int | None:
    """Who may read, write and run the file that will be replaced; None if there is none."""
    try:
        return stat.S_IMODE(target.stat().st_mode) & 0o777
    except OSError:
        return None


def _flush(path: Path) -> None:
    """Put a written file on the disk, so that a power cut after the rename cannot leave an empty one."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: str | os.PathLike[str], error: OSError | ValueError) -> OutputError:
    """The error of a failed write."""
    number = error.errno if isinstance(error, OSError) else None
    advice = _ADVICE.get(number or 0, "check the folder and the free space")
    return OutputError(f"{shown(path)} cannot be written ({reason(error)}): {advice}")


def delete(path: Path) -> None:
    """Delete a file; nothing happens where there is none.

    Raises:
        OutputError: If it cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{shown(path)} cannot be deleted ({reason(error)}): remove it yourself") from error


def make_folder(path: Path, *, called: str | os.PathLike[str]) -> None:
    """Make a folder and those above it, so that a place without permission to write fails before any work.

    Args:
        path: The folder.
        called: Path that error messages name.

    Raises:
        OutputError: If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(called, error) from error


def write_text(path: str | os.PathLike[str], text: str, *, overwrite: bool = False) -> Path:
    """Write a text file atomically, in UTF-8 with line feeds.

    Args:
        path: The target; missing folders are made.
        text: Its content.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path written.

    Raises:
        OutputError: If it exists or cannot be written.
    """
    with atomic_path(path, overwrite) as temporary:
        # A file name may hold bytes that are no UTF-8; as \udcff they stand in JSON for the very same name.
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))
    return Path(path)
