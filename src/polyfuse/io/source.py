"""Opening a file of unknown origin: its true format, its digest, and one clear error when it is no picture."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from polyfuse.errors import InputError, PolyfuseError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".webp": "WEBP",
}
"""Suffixes of picture files, lower case, with the format each one promises."""
_PICTURES = ("picture file", "clip", "table of pairs")
"""What users give as the first arguments; of other files the message says first what was tried."""
CLIP_SUFFIXES = (".mp4", ".m4v", ".mkv", ".avi", ".mov", ".webm")
"""Suffixes by which a path counts as a clip; FFmpeg tells what the file holds."""
RECORDING_SUFFIXES = (".seq", ".csq")
"""Suffixes of recordings of thermal cameras (FLIR), lower case."""

MAX_SHOWN, MAX_REASON = 1000, 300
"""Characters of a path, and of the words of an exception, in a message."""
MAX_RECORD = 1 << 26
"""Largest JSON file that is read, bytes; a sidecar has a few thousand."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
)


def is_clip(path: Path) -> bool:
    """Whether the name ends like a clip's, or like that of a thermal camera's recording."""
    return path.suffix.lower() in CLIP_SUFFIXES or is_recording(path)


def is_recording(path: Path) -> bool:
    """Whether the name ends like that of a recording of a thermal camera's."""
    return path.suffix.lower() in RECORDING_SUFFIXES


def shown(path: str | os.PathLike[str], *, most: int = MAX_SHOWN) -> str:
    """The path as given, on one line whatever characters it holds; what is longer than `most` is cut in the middle.

    >>> shown("x" * 30, most=11)
    'xxxx...xxxx'
    """
    text = str(path)
    text = text if text.isprintable() else ascii(text)[1:-1]
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "pair"), counted(2, "pair")
    ('1 pair', '2 pairs')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextmanager
def open_source(path: str | os.PathLike[str], *, what: str = "picture file") -> Iterator[BufferedReader]:
    """Open an ordinary file for reading; that the body cannot read it is our error too.

    Args:
        path: The file.
        what: What it should be, for messages.

    Raises:
        InputError: If it is missing, a folder, not an ordinary file, or may not be read.
    """
    begin = "" if what in _PICTURES else "cannot be read, it "
    folder_advice = "give a picture file, or two folders" if what == "picture file" else f"give a {what}"
    try:
        # Before opening: opening a named pipe would wait for its other end for ever.
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{shown(path)} {begin}is a folder: {folder_advice}")
        if not stat.S_ISREG(mode):
            raise InputError(f"{shown(path)} is not an ordinary file: give a {what}")
        file = open(path, "rb")  # noqa: SIM115 - closed below, outside the error translation
    except (OSError, ValueError) as error:
        raise InputError(_open_problem(path, error, begin)) from error
    with file:
        try:
            yield file
        except OSError as error:
            raise InputError(_open_problem(path, error)) from error


def read_bytes_of(path: str | os.PathLike[str], limit: int, *, what: str = "file") -> bytes:
    """All bytes of an ordinary file that is no larger than such a file can be.

    Args:
        path: The file.
        limit: Bytes that it may have; one that grows while it is read is refused too.
        what: What it should be, for messages: "recipe", "weights file".

    Raises:
        InputError: If it is missing, no ordinary file, too large, or cannot be read.
    """
    with open_source(path, what=what) as file:
        # Not `limit`, gigabytes for some: `read` takes room for all that it is asked for.
        num_bytes = min(limit, os.fstat(file.fileno()).st_size)
        content = file.read(num_bytes + 1)
    if len(content) > limit:
        raise InputError(f"{shown(path)} has more than {limit} bytes, too many for a {what}: check the path")
    if len(content) > num_bytes:
        raise InputError(f"{shown(path)} became longer while it was read: try again when it is complete")
    return content


def check_exists(path: str | os.PathLike[str]) -> None:
    """Make sure that there is something at a path, and that it may be looked at.

    Raises:
        InputError: If not.
    """
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        raise InputError(_open_problem(path, error)) from error


def _open_problem(path: str | os.PathLike[str], error: OSError | ValueError, begin: str = "") -> str:
    """One line for a file that cannot be opened."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOENT, errno.ENOTDIR):
        return f"{shown(path)} {begin}does not exist: check the path"
    if number in (errno.EACCES, errno.EPERM):
        return f"{shown(path)} cannot be read, permission denied: change its permissions"
    return f"{shown(path)} cannot be read ({reason(error)}): check the file and its path"


def reason(error: BaseException) -> str:
    """What an exception says, on one line of some length: it may repeat what a file holds."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return shown(" ".join(text.split()), most=MAX_REASON) or type(error).__name__


def sniff_format(file: BinaryIO, path: str | os.PathLike[str]) -> str:
    """Tell the format from the first bytes, whatever the suffix says; leaves the file at its start.

    Raises:
        InputError: If the file is empty or no picture of a known format.
    """
    file.seek(0)
    head = file.read(16)
    file.seek(0)
    if not head:
        raise InputError(f"{shown(path)} is empty: give a picture file")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    raise InputError(f"{shown(path)} is not a picture polyfuse reads: give {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")


@contextmanager
def decoding(path: str | os.PathLike[str], format_name: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into one InputError that names the file.

    On damaged or hostile bytes decoders raise nearly any type of exception, so all are caught; our own errors pass.
    """
    try:
        yield
    except PolyfuseError:
        raise
    except MemoryError as error:
        raise InputError(f"{shown(path)} does not fit into memory: free some, or give a smaller picture") from error
    except Exception as error:
        raise InputError(
            f"{shown(path)} cannot be decoded as {format_name} ({reason(error)}): the file is damaged, get it again"
        ) from error


def suffix_note(path: Path, format_name: str) -> str | None:
    """A note when the suffix promises another format than the content is."""
    promised = SUFFIXES.get(path.suffix.lower())
    return None if promised == format_name else f"{format_name} data in a file named {path.suffix or 'without suffix'}"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: If it cannot be read.
    """
    with open_source(path, what="file") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
