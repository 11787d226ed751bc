"""Reading pickled PyTorch checkpoints as data: one that tries to run code is refused."""

from __future__ import annotations

import hashlib
import pickle
import warnings
from pathlib import Path

from polyfuse.errors import InputError


def read_pickle(path: Path) -> tuple[object, str]:
    """Read what a checkpoint holds without running code from it.

    Returns:
        (content, SHA-256 of the file).

    Raises:
        InputError: If the file is missing, damaged, or tries to run code.
    """
    import torch

    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about pickle protocols; the errors below say more
            return torch.load(path, map_location="cpu", weights_only=True), digest
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the path of the checkpoint.") from error
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is refused, it holds more than tensors, which could run code, or is damaged: save a state_dict."
        ) from error
    except Exception as error:  # a damaged file makes the reader fail in many ways
        raise InputError(f"{path} is no readable PyTorch checkpoint: get a fresh copy.") from error
