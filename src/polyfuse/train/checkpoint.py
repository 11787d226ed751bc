"""Checkpoints: everything a run needs to go on as if it had never stopped, in one file that is whole or not there.

The content is a dictionary written by `torch.save`, followed by its SHA-256; it is read as data, no code in it can run.
The one before is kept, for the case that the newest is damaged.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from polyfuse.errors import InputError, OutputError
from polyfuse.io import atomic_path
from polyfuse.io.source import read_bytes_of

NEWEST, PREVIOUS = "checkpoint.pt", "checkpoint-before.pt"
MAX_BYTES = 1 << 33
"""Largest checkpoint that is read."""
_DIGEST_SIZE = hashlib.sha256().digest_size


def save_checkpoint(folder: Path, state: dict[str, Any]) -> Path:
    """Write `state` as the newest checkpoint of `folder`; what was the newest becomes the one before.

    Raises:
        OutputError: If it cannot be written; both older checkpoints stay then.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    with atomic_path(folder / NEWEST, overwrite=True) as temporary:
        temporary.write_bytes(content + hashlib.sha256(content).digest())
        if (folder / NEWEST).exists():
            os.replace(folder / NEWEST, folder / PREVIOUS)
    return folder / NEWEST


def has_checkpoint(folder: Path) -> bool:
    """Whether the folder has a checkpoint; after a kill within `save_checkpoint` it may only have the one before."""
    return any((folder / name).exists() for name in (NEWEST, PREVIOUS))


def check_new(folder: Path) -> None:
    """Refuse to begin a run where one was begun.

    Raises:
        OutputError: If the folder has a checkpoint.
    """
    if has_checkpoint(folder):
        raise OutputError(f"{folder} holds a run already: pass --resume to go on with it, or another --out.")


def load_checkpoint(
    folder: Path, note: Callable[[str], None], use: Callable[[dict[str, Any]], None] = lambda state: None
) -> dict[str, Any]:
    """Read the newest checkpoint of `folder` that is whole.

    Args:
        folder: A run folder.
        note: Gets one line for a checkpoint that is damaged.
        use: Gets the content; if it raises an `InputError` the checkpoint counts as damaged.

    Raises:
        InputError: If there is none.
    """
    for name in (NEWEST, PREVIOUS):
        try:
            content = read_bytes_of(folder / name, MAX_BYTES, what="checkpoint")
        except InputError as error:
            if os.path.lexists(folder / name):
                note(f"{error}; it is passed over.")
            continue
        content, digest = content[:-_DIGEST_SIZE], content[-_DIGEST_SIZE:]
        try:
            if hashlib.sha256(content).digest() == digest:
                state = _read(content)
                use(state)
                return state
            why = ""
        except InputError as error:
            why = f" ({error})"
        note(f"{folder / name} is damaged{why} and is passed over.")
    raise InputError(f"{folder} has no checkpoint that can be read: start anew without --resume, in another folder.")


def _read(content: bytes) -> dict[str, Any]:
    """The dictionary in a checkpoint.

    Raises:
        InputError: If it holds something else.
    """
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is no checkpoint makes the reader fail in many ways
        raise InputError("it cannot be read") from error
    if not isinstance(state, dict):
        raise InputError("it holds no dictionary")
    return state
