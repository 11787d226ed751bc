"""What a caller may give as a source, and how two sources become pictures of one size."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.errors import InputError, UsageError
from polyfuse.fusion.options import FuseOptions
from polyfuse.io import Picture, Source, read_picture
from polyfuse.io.damage import DAMAGE_NOTE
from polyfuse.io.source import shown
from polyfuse.transforms import resize


def one_of(value: Source | None, alias: Source | None, name: str, alias_name: str) -> Source:
    """The source that was given, under its name or under its alias.

    Args:
        value: What was given under `name`.
        alias: What was given under `alias_name`.
        name: "a" or "b", for the message.
        alias_name: "ir" or "vi", for the message.

    Raises:
        UsageError: If neither or both were given.
    """
    given = [source for source in (value, alias) if source is not None]
    if len(given) != 1:
        raise UsageError(f"give {name} (or {alias_name}=) exactly once.")
    return given[0]


def as_picture(source: Source, options: FuseOptions, name: str) -> Picture:
    """Read a file, or wrap an array or a tensor; a `Picture` stays as it is.

    Args:
        source: Anything `fuse` accepts.
        options: Page of a TIFF and largest number of pixels, for files.
        name: "a" or "b", for messages.

    Raises:
        InputError: If it is no picture.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | os.PathLike):
        return read_picture(source, page=options.page, max_pixels=options.max_pixels, strict=options.strict)
    if isinstance(source, torch.Tensor):
        source = _tensor_to_array(source, name)
    if not isinstance(source, np.ndarray):
        raise InputError(f"{name} is a {type(source).__name__}: give a path, an array or a tensor.")
    if source.dtype == np.float64:
        source = source.astype(np.float32)
    return Picture(np.ascontiguousarray(source))


def _tensor_to_array(tensor: torch.Tensor, name: str) -> NDArray[Any]:
    """(H, W), (C, H, W) or (1, C, H, W) to an array with channels last."""
    shape = tuple(tensor.shape)
    if tensor.ndim == 4 and shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim == 3 and tensor.shape[0] in (1, 3):
        tensor = tensor[0] if tensor.shape[0] == 1 else tensor.permute(1, 2, 0)
    elif tensor.ndim != 2:
        raise InputError(f"{name} is a tensor of shape {shape}: give (H, W), (C, H, W) or (1, C, H, W), C = 1 or 3.")
    values = tensor.detach().cpu()
    return (values.float() if values.is_floating_point() else values).numpy()


def same_size(a: Picture, b: Picture, options: FuseOptions) -> tuple[Picture, Picture, tuple[str, ...]]:
    """Both pictures at one size, and notes: if one of them was damaged, or resampled.

    Raises:
        InputError: If the sizes differ and `options.resize` names no source to resample.
    """
    damage = tuple(
        f"{shown(picture.path or name)}: {DAMAGE_NOTE}"
        for name, picture in (("a", a), ("b", b))
        if DAMAGE_NOTE in picture.notes
    )
    if (a.height, a.width) == (b.height, b.width):
        return a, b, damage
    if options.resize is None:
        raise InputError(
            f"a is {a.width}x{a.height} but b is {b.width}x{b.height}: pass --resize a or b, or align them first."
        )
    changed, kept = (a, b) if options.resize == "a" else (b, a)
    array = resize(changed.array, (kept.height, kept.width))
    note = f"resized from {changed.width}x{changed.height} to {kept.width}x{kept.height}"
    resized = Picture(array, changed.path, changed.sha256, changed.format, (*changed.notes, note))
    pair = (resized, b) if options.resize == "a" else (a, resized)
    return *pair, (*damage, f"{options.resize} {note}")
