"""Fusing batches of tensors, for programs that hold their pictures as PyTorch does."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from polyfuse import registry
from polyfuse.errors import InputError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.pair import fuse_pictures
from polyfuse.io import Picture
from polyfuse.ops.readable import why_unreadable

_WHITE = {torch.uint8: 255.0, torch.uint16: 65535.0, torch.bool: 1.0}
"""White of the types that are no floats; the white of floats is 1."""


def fuse_tensors(a: Tensor, b: Tensor, *, model: str | FusionModel = "auto", grey: bool = False) -> Tensor:
    """Fuse a batch of aligned pictures, each as `fuse` would, one after the other.

    Colour is put back in NumPy; large pictures go in tiles. No gradients go through.

    Args:
        a: (N, 1 or 3, H, W), infrared, near-infrared or MRI; floats in [0, 1], uint8, uint16 or bool.
        b: Visible, CT, PET or SPECT, (N, 1 or 3, H, W) of the same N, H and W, on the same device; its colour is kept.
        model: A name from `list_models`, which is loaded to a's device at every call; or a model from `load`, anywhere.
        grey: Whether to leave colour out.

    Returns:
        (N, 3, H, W) RGB where a or b has colour and `grey` is off, else (N, 1, H, W); float32 in [0, 1] on a's device.

    Raises:
        InputError: If the tensors are no such batches or do not fit together.
        UsageError: If the model is unknown.

    >>> import torch
    >>> thermal, visible = torch.zeros(2, 1, 4, 6), torch.full((2, 3, 4, 6), 0.5)
    >>> fuse_tensors(thermal, visible, model="maximum").shape
    torch.Size([2, 3, 4, 6])
    """
    units = [_in_unit(tensor, name) for name, tensor in (("a", a), ("b", b))]
    (count, _, *size), (other_count, _, *other_size) = a.shape, b.shape
    if (count, size) != (other_count, other_size) or a.device != b.device:
        raise InputError(
            f"a is {tuple(a.shape)} on {a.device} but b {tuple(b.shape)} on {b.device}: give one N, H, W and device."
        )
    ready = registry.load(model, device=a.device) if isinstance(model, str) else model
    options = FuseOptions(range="full", range_b="full", grey=grey)
    images = [
        fuse_pictures(_picture(one), _picture(other), ready, options).image for one, other in zip(*units, strict=True)
    ]
    fused = torch.from_numpy(np.stack(images)).to(a.device)
    return fused[:, None] if fused.ndim == 3 else fused.permute(0, 3, 1, 2).contiguous()


def _in_unit(tensor: Tensor, name: str) -> Tensor:
    """A checked batch as float32 in [0, 1] on the CPU."""
    if not isinstance(tensor, Tensor):
        raise InputError(f"{name} is a {type(tensor).__name__}: give a tensor (N, 1 or 3, H, W), or call fuse.")
    if problem := why_unreadable(tensor):
        raise InputError(f"{name} {problem}.")
    if tensor.ndim != 4 or tensor.shape[1] not in (1, 3) or tensor.numel() == 0:
        raise InputError(f"{name} has shape {tuple(tensor.shape)}: give (N, 1, H, W) or, for colour, (N, 3, H, W).")
    if not tensor.is_floating_point() and tensor.dtype not in _WHITE:
        raise InputError(f"{name} holds {tensor.dtype} values: give floats in [0, 1], uint8 or uint16.")
    unit = tensor.detach().cpu().float() / _WHITE.get(tensor.dtype, 1.0)
    low, high = float(unit.min()), float(unit.max())
    if not (low >= 0 and high <= 1):  # NaN as well
        raise InputError(f"{name} holds values from {low:g} to {high:g}: give floats in [0, 1], without NaN.")
    return unit


def _picture(unit: Tensor) -> Picture:
    """One item, (1 or 3, H, W) in [0, 1], as a picture."""
    pixels = unit[0] if len(unit) == 1 else unit.permute(1, 2, 0)
    return Picture(np.ascontiguousarray(pixels.numpy()))
