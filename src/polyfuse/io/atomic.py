"""Files that are either complete or not there."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from polyfuse.errors import OutputError
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


def check_free(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse to write over what must not be replaced.

    Raises:
        OutputError: If the path is a folder, a device, or an existing file and `overwrite` is off.
    """
    target = Path(path)
    try:
        if not os.path.lexists(target):
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


@contextmanager
def atomic_path(
    path: str | os.PathLike[str], overwrite: bool = False, *, called: str | os.PathLike[str] | None = None
) -> Iterator[Path]:
    """Lend a temporary file in the target's folder and give it the target's name once the body has ended.

    The body writes the temporary file; then it is flushed to the disk and renamed. Whatever ends the body early,
    an interruption included, removes the temporary file and leaves the target as it was. Missing folders are made.

    Args:
        path: The target.
        overwrite: Whether an existing file may be replaced.
        called: Path that error messages name, where the user does not know the target.

    Yields:
        The temporary path: hidden, with the target's suffix, created empty.

    Raises:
        OutputError: If the target exists, or for any OSError of the body or the disk (no space, no permission).
    """
    target = Path(path)
    check_free(path, overwrite=overwrite)
    temporary = target.with_name(f".polyfuse-{secrets.token_hex(8)}{target.suffix}")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Not tempfile.mkstemp: its files are private to the user, and the result should follow the umask.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            yield temporary
            _flush(temporary)
            check_free(path, overwrite=overwrite)
            os.replace(temporary, target)
        except OSError as error:
            raise _refusal(called or path, error) from error
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


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
