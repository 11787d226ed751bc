"""What came with a request: its fields, and its files laid out in a folder of their own while they are worked on."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from polyfuse.errors import PolyfuseError
from polyfuse.io.atomic import temporary_folder
from polyfuse.io.source import shown
from polyfuse.service.answers import RefusedError
from polyfuse.service.fields import ALIASES, Field

MOST_FIELDS = 64
"""Fields of a request."""
LONGEST_FIELD = 1 << 14
"""Bytes of a field that is no file."""
LONGEST_NAME = 100
"""Characters of a file's name, as it is kept."""


@dataclass(frozen=True)
class Upload:
    """A file of a request."""

    name: str
    """As the client calls it, without folders and characters that are no plain ones."""
    file: BinaryIO
    """Its content, at its start: in memory if it is small, else in a file without a name."""


async def read_form(request: Any, files: Sequence[Field], needed: Sequence[str]) -> tuple[Any, dict[str, Upload]]:
    """Read the body of a request.

    Args:
        request: Of Starlette.
        files: Those that it may have.
        needed: Those that it must have.

    Returns:
        What has to be closed once the files are not used any more, with all fields; and the files by their names.

    Raises:
        RefusedError: If it is no form with these files.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise RefusedError(415, f"the body is {shown(kind, most=60) or 'of no type'}: send multipart/form-data.")
    form = await request.form(max_files=len(files), max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD)
    try:
        return form, _files(form, [field.name for field in files], needed)
    except PolyfuseError:
        await form.close()
        raise


def _files(form: Any, known: Sequence[str], needed: Sequence[str]) -> dict[str, Upload]:
    """The files of a form by their names, aliases looked up."""
    uploads: dict[str, Upload] = {}
    for given, value in form.multi_items():
        name = ALIASES.get(given, given)
        if name in known and isinstance(value, str):
            raise RefusedError(400, f"{name} is text and no file: send the file itself, with curl as -F {name}=@FILE.")
        if name not in known and not isinstance(value, str):
            raise RefusedError(400, f"there is no file {shown(given, most=60)!r}: send {', '.join(known)}.")
        if name in uploads or (isinstance(value, str) and len(form.getlist(given)) > 1):
            raise RefusedError(400, f"{name} is given twice: drop one.")
        if name in known:
            uploads[name] = Upload(plain_name(value.filename, name), value.file)
    missing = [name for name in needed if name not in uploads]
    if missing:
        raise RefusedError(400, f"there is no file {' and no file '.join(missing)}: send {', '.join(needed)}.")
    return uploads


def texts(form: Any) -> dict[str, str]:
    """The fields of a form that are no files."""
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


def plain_name(given: str | None, name: str) -> str:
    r"""A file's name without folders, on one line and of bounded length; `name` where nothing is left.

    >>> plain_name("../../etc/pass\nwd.png", "a"), plain_name("..", "a")
    ('pass_wd.png', 'a')
    """
    last = re.split(r"[/\\]", given or "")[-1]
    plain = "".join(sign if sign.isprintable() and sign not in ':*?"<>|' else "_" for sign in last).strip(" ")
    if len(os.fsencode(plain)) > LONGEST_NAME:
        stem, suffix = os.path.splitext(plain.encode("ascii", "replace").decode().replace("?", "_"))
        plain = stem[: LONGEST_NAME - len(suffix[:16])] + suffix[:16]
    return plain if plain.strip(".") else name


@contextmanager
def laid_out(uploads: Mapping[str, Upload]) -> Iterator[dict[str, Path]]:
    """Lend the files of a request as files on the disk, `FIELD/NAME` in a folder that nobody else may enter.

    An error of the body says `FIELD/NAME` too, and nothing of where that is. After a kill, the next process that lends
    such a folder deletes what was left.

    Raises:
        OutputError: If the disk is full.
    """
    with temporary_folder(tempfile.gettempdir(), called="the folder of temporary files") as folder:
        os.chmod(folder, 0o700)
        paths = {}
        for field, upload in uploads.items():
            path = paths[field] = folder / field / upload.name
            path.parent.mkdir()
            with open(path, "wb") as file:
                shutil.copyfileobj(upload.file, file)
        try:
            yield paths
        except PolyfuseError as error:
            error.args = tuple(without(argument, folder) for argument in error.args)
            raise


def without(value: Any, folder: Path) -> Any:
    """The same plain value with paths below a folder as they are called in it."""
    if isinstance(value, str):
        return value.replace(f"{folder}{os.sep}", "")
    if isinstance(value, Mapping):
        return {key: without(entry, folder) for key, entry in value.items()}
    return [without(entry, folder) for entry in value] if isinstance(value, list | tuple) else value
