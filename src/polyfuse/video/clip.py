"""Fusing two clips: what is checked before any work, and what is kept from an earlier run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyfuse.errors import UsageError
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.models import Model
from polyfuse.fusion.sidecar import damage_note, earlier_record, is_damaged, remove_sidecar, sidecar_path, write_sidecar
from polyfuse.fusion.sources import refuse_flow
from polyfuse.fusion.thermal import in_degrees
from polyfuse.io.atomic import check_all_apart, check_apart, check_free, check_name
from polyfuse.io.source import is_recording, shown
from polyfuse.video.codecs import ClipOptions, Encoding, choose_encoding
from polyfuse.video.pairing import FramePairs
from polyfuse.video.parts import parts_folder
from polyfuse.video.reader import ClipInfo
from polyfuse.video.recording import thermal_record
from polyfuse.video.run import ClipResult, ClipRun, OnFrame
from polyfuse.video.sources import describe, in_levels

if TYPE_CHECKING:
    import torch


def fuse_clip(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    out: str | os.PathLike[str] = "fused.mp4",
    *,
    model: str | Model = "auto",
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    clip: ClipOptions | None = None,
    options: FuseOptions | None = None,
    overwrite: bool = False,
    resume: bool = False,
    verify: bool = False,
    sidecar: bool = True,
    on_frame: OnFrame | None = None,
    **changes: Any,
) -> ClipResult:
    """Fuse two aligned clips of one scene, frame by frame, with the time stamps and the sound of b.

    Ranges, colour and depth are decided once for the clip, so nothing but the scene changes from frame to frame. Each
    frame of b is fused with the frame of a nearest in time; the result ends where the first clip ends. Memory does not
    grow with the length.

    Args:
        a: Infrared clip, or a thermal camera's recording (.seq, .csq), whose temperatures `range` may then be in.
        b: Visible clip; its colour, frame rate and sound are kept.
        out: The result: .mp4, .mov, .mkv or .webm; complete or not there. An interrupted run leaves its finished parts
            in a hidden folder beside it, from which `resume` goes on.
        model: A name from `list_models`, or a model from `load`; "auto" is `pyrfuse-t.road`, made for clips.
        weights: Weights file for an architecture such as "fnet".
        device: Where the model runs.
        clip: Temporal filter, codec and sound.
        options: Options of the fusion, as for `fuse`.
        overwrite: Whether an existing result may be replaced.
        resume: Keep a result that an earlier run made from the same clips in the same way, go on where one was
            interrupted, to the same frames as without interruption; replace any other.
        verify: With `resume`, tell by hashes whether clips and result are unchanged, not by size and time.
        sidecar: Write `<file name>.json` with the record beside it.
        on_frame: Called with (frames done, frames in all or 0) after each frame fused.
        **changes: Single options of the fusion by name, e.g. `grey=True`; see `FuseOptions`.

    Raises:
        InputError: If a clip cannot be read or is damaged, or sizes differ.
        UsageError: If an option is unknown or does not fit.
        DependencyError: If PyAV, a codec or, for optical flow, OpenCV is missing.
        OutputError: If the result cannot be written, exists, or parts of it do and `resume` and `overwrite` are off.
    """
    if not isinstance(model, str) and (weights is not None or str(device) != "cpu"):
        raise UsageError("weights and device go with a model's name: load the model with them instead.")
    chosen, clip_options, target = (options or FuseOptions()).changed(changes), clip or ClipOptions(), Path(out)
    refuse_flow(chosen)
    encoding = choose_encoding(target, clip_options)
    if chosen.swap:
        a, b = b, a
    info_a, info_b = (describe(path, max_pixels=chosen.max_pixels) for path in (a, b))
    chosen = in_levels(chosen, info_a, info_b)
    _check_target(target, (info_a, info_b), replacing=overwrite or resume, sidecar=sidecar)
    chosen, notes = _fitting_depth(chosen, encoding, (info_a, info_b))
    notes += info_a.notes
    if isinstance(model, str):
        from polyfuse import registry  # which brings PyTorch, and that is not everywhere

        by_default = model.lower() == "auto" and weights is None
        ready: Model = registry.load(registry.CLIP_DEFAULT if by_default else model, weights=weights, device=device)
    else:
        ready = model
    run = ClipRun(FramePairs(info_a, info_b), ready, chosen, clip_options, encoding)
    if resume and (record := _earlier(target, (info_a, info_b), run.made_by, verify)) is not None:
        return ClipResult(target, 0, 0.0, record, kept=True)
    if resume and sidecar and is_damaged(target):
        notes += (damage_note([target]),)
    result = run.write(target, overwrite=overwrite, resume=resume, notes=notes, on_frame=on_frame)
    if is_recording(info_a.path):
        thermal, told = thermal_record(result.record, info_a), list(result.notes)
        if info_a.unit is not None:
            told = in_degrees(told, *thermal["window"])
        result = replace(result, record={**result.record, "thermal": thermal, "notes": told}, notes=tuple(told))
    if sidecar:
        write_sidecar(target, result.record, overwrite=overwrite or resume)
    elif overwrite or resume:
        remove_sidecar(target)  # it describes the clip just replaced
    return result


def _fitting_depth(
    options: FuseOptions, encoding: Encoding, infos: tuple[ClipInfo, ClipInfo]
) -> tuple[FuseOptions, tuple[str, ...]]:
    """Options with a depth that the codec can hold, and a note if a source has more.

    Raises:
        UsageError: If the user asked for more.
    """
    if encoding.depth == 16:
        return options, ()
    deepest = max(info.depth for info in infos)
    if options.bit_depth == "16" or (options.bit_depth == "same" and deepest > 8):
        raise UsageError(f"{encoding.codec.encoder} holds 8 bits here: name an .mkv file for 16, or pass --bit-depth 8")
    note = "the result has 8 bits, a source has more: an .mkv file would keep them"
    return options.changed({"bit_depth": "8"}), (note,) if deepest > 8 and options.bit_depth == "auto" else ()


def _check_target(target: Path, infos: tuple[ClipInfo, ClipInfo], *, replacing: bool, sidecar: bool) -> None:
    """Refuse clips that are one file, and a result that would replace a source or, unless `replacing`, any file."""
    first, second = (info.path for info in infos)
    if first.samefile(second):
        raise UsageError(f"{shown(first)} is given for both sides: give the clip of the other source as well")
    check_all_apart([target], [first, second], "a source and would be replaced by the result")
    check_free(target, overwrite=replacing)
    check_name(parts_folder(target))
    if sidecar:
        check_apart(sidecar_path(target), (first, second))
        check_free(sidecar_path(target), overwrite=replacing)


def _earlier(
    target: Path, infos: tuple[ClipInfo, ClipInfo], made_by: dict[str, Any], verify: bool
) -> dict[str, Any] | None:
    """The record of an earlier run that made this result from these clips in this way; None if there was none."""
    if not target.is_file():
        return None
    return earlier_record(target, {"a": infos[0].path, "b": infos[1].path}, made_by, verify=verify)
