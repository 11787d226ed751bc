"""Reading pickled PyTorch checkpoints as data: one that tries to run code is refused."""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from polyfuse.errors import InputError
from polyfuse.io.source import read_bytes_of
from polyfuse.weights.store import MAX_BYTES

if TYPE_CHECKING:
    from torch import Tensor


def read_pickle(path: Path) -> tuple[object, str]:
    """Read what a checkpoint holds without running code from it.

    Returns:
        (content, SHA-256 of the file).

    Raises:
        InputError: If the file is missing, damaged, or tries to run code.
    """
    import torch

    content = read_bytes_of(path, MAX_BYTES, what="checkpoint")
    try:
        digest = hashlib.sha256(content).hexdigest()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about pickle protocols; the errors below say more
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), digest
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is refused, it holds more than tensors, which could run code, or is damaged: save a state_dict."
        ) from error
    except Exception as error:  # a damaged file makes the reader fail in many ways
        raise InputError(f"{path} is no readable PyTorch checkpoint: get a fresh copy.") from error


def read_state(path: Path) -> tuple[dict[str, Tensor], str]:
    """Read a pickled state dictionary without running code from it.

    Returns:
        (state dictionary, SHA-256 of the file).

    Raises:
        InputError: If the file is missing, damaged, holds anything but tensors, or tries to run code.
    """
    import torch

    content, digest = read_pickle(path)
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(f"{path} is no plain dictionary of tensors: save the network's state_dict.")
    return dict(content), digest
