"""What a caller may give as a source, and how two sources become pictures of one size."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from polyfuse.alignment import Warp
from polyfuse.alignment.apply import aligned
from polyfuse.errors import InputError, UsageError
from polyfuse.fusion.options import FuseOptions
from polyfuse.io import BRING_TO_ONE_SIZE, Picture, Source
from polyfuse.io.damage import DAMAGE_NOTE
from polyfuse.io.given import as_picture as picture_given
from polyfuse.io.source import shown
from polyfuse.transforms import resize

if TYPE_CHECKING:
    import torch

_UNSTATED = ("auto", "full")
"""Ranges that follow from the type of the values."""
SAME_SHAPE = 0.02
"""Share by which the aspect ratios of two sources may differ for one to be resampled to the other's size."""


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
    """Read a file or its content, or wrap an array or a tensor; a `Picture` stays as it is.

    Args:
        source: Anything `fuse` accepts.
        options: Page of a TIFF and largest number of pixels, for files; the range, which some types need.
        name: "a" or "b", for messages and for the range.

    Raises:
        UsageError: If a's raw plane is wanted, which is read elsewhere.
        InputError: If it is no picture.
    """
    if name == "a":
        refuse_radiometric(options)
    wanted = options.range if name == "a" else options.range_b
    torch_ = sys.modules.get("torch")  # who has a tensor has imported it
    is_tensor = torch_ is not None and isinstance(source, torch_.Tensor)
    pixels = _tensor_to_array(source, name) if is_tensor else source  # type: ignore[arg-type]
    return picture_given(
        pixels,
        name,
        has_range=wanted not in _UNSTATED,
        page=options.page,
        max_pixels=options.max_pixels,
        strict=options.strict,
    )


def refuse_radiometric(options: FuseOptions) -> None:
    """Refuse the raw plane of a radiometric file where pictures alone are read.

    Raises:
        UsageError: If it is wanted.
    """
    if options.radiometric:
        raise UsageError(
            "radiometric files are fused by `polyfuse fuse` and polyfuse.fuse alone: write their parts first, with "
            "`polyfuse data inspect FILE -o DIR`."
        )


def _tensor_to_array(tensor: torch.Tensor, name: str) -> NDArray[Any]:
    """(H, W), (C, H, W) or (1, C, H, W) to an array with channels last."""
    from polyfuse.ops.readable import why_unreadable

    if problem := why_unreadable(tensor):
        raise InputError(f"{name} {problem}.")
    shape = tuple(tensor.shape)
    if tensor.ndim == 4 and shape[0] > 1:
        raise InputError(f"{name} is a batch of {shape[0]} pictures: pass batches to polyfuse.fusion.fuse_tensors.")
    if tensor.ndim == 4 and shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim == 3 and tensor.shape[0] in (1, 3, 4):
        tensor = tensor[0] if tensor.shape[0] == 1 else tensor.permute(1, 2, 0)
    elif tensor.ndim != 2:
        raise InputError(f"{name} is a tensor of shape {shape}: give (H, W), (C, H, W) or (1, C, H, W), C = 1 or 3.")
    try:
        values = tensor.detach().cpu().resolve_conj().resolve_neg()
        return (values.float() if values.is_floating_point() else values).numpy()
    except (TypeError, RuntimeError) as error:  # types of less than a byte and such
        what = f"{name} is a {type(tensor).__name__} of {tensor.dtype}, which NumPy has not"
        raise InputError(f"{what}: pass a plain tensor of uint8, uint16 or float32.") from error


def flowing(a: Picture, b: Picture, options: FuseOptions) -> tuple[FuseOptions, tuple[str, ...]]:
    """Options with the warp and the flow of one pair, where a flow is wanted, and a note of what came of it.

    Raises:
        InputError: If sizes are not the warp's, or without one differ.
    """
    if not options.flow:
        return options, ()
    from polyfuse.alignment.flow_fit import warp_with_flow

    sizes = (a.width, a.height), (b.width, b.height)
    if options.warp is None and sizes[0] != sizes[1]:
        raise InputError(f"a is {a.width}x{a.height} but b is {b.width}x{b.height}: pass --warp as well as --flow.")
    given = Warp.identity(*sizes) if options.warp is None else options.aligning
    warp, found = warp_with_flow(given, a.array, b.array)
    if found.flow is None:
        why = "too little can be compared" if found.before is None else "it would bring a and b no closer"
        return options.changed({"flow": False}), (f"no flow is applied: {why}",)
    note = (
        f"flow of up to {found.longest:.1f} pixels, {found.before:.1f} off before and {found.after:.1f} after (median)"
    )
    return options.changed({"flow": False, "warp": warp}), (note,)


def refuse_flow(options: FuseOptions) -> None:
    """Refuse a search for a flow where pictures are no single pairs.

    Raises:
        UsageError: If it is wanted.
    """
    if options.flow:
        raise UsageError("a flow is found for pairs of pictures that `fuse` fuses one by one: make a warp with "
                         "`polyfuse align --flow` and pass that.")  # fmt: skip


def same_size(a: Picture, b: Picture, options: FuseOptions) -> tuple[Picture, Picture, tuple[str, ...]]:
    """Both pictures at one size, and notes: if one of them was damaged, warped or resampled.

    Raises:
        UsageError: If a flow is wanted, which `flowing` finds first.
        InputError: If the sizes are not those of `options.warp`. Without a warp: if the sizes differ and
            `options.resize` names no source to resample, or their shapes differ too and `options.resize_anyway` is off.
    """
    refuse_flow(options)
    damage = tuple(
        f"{shown(picture.path or name)}: {DAMAGE_NOTE}"
        for name, picture in (("a", a), ("b", b))
        if DAMAGE_NOTE in picture.notes
    )
    if options.warp is not None:
        a, b, notes = aligned(a, b, options.aligning, options.frame)
        return a, b, (*damage, *notes)
    if (a.height, a.width) == (b.height, b.width):
        return a, b, damage
    if options.resize is None:
        raise InputError(f"a is {a.width}x{a.height} but b is {b.width}x{b.height}: {BRING_TO_ONE_SIZE}")
    changed, kept = (a, b) if options.resize == "a" else (b, a)
    off = abs(changed.height - changed.width * kept.height / kept.width)
    if off > max(1, SAME_SHAPE * changed.height) and not options.resize_anyway:  # one row: sizes are whole numbers
        raise InputError(
            f"a is {a.width}x{a.height} and b {b.width}x{b.height}, of another shape: crop one to show the same part "
            "of the scene, or pass --resize-anyway to distort it."
        )
    array = resize(changed.array, (kept.height, kept.width))
    note = f"resized from {changed.width}x{changed.height} to {kept.width}x{kept.height}"
    resized = Picture(array, changed.path, changed.sha256, changed.format, (*changed.notes, note), changed.stamp)
    pair = (resized, b) if options.resize == "a" else (a, resized)
    return *pair, (*damage, f"{options.resize} {note}")
