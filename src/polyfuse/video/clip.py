"""Fusing two clips: decoding, fusing and encoding overlap, and what is decided is decided once for all frames."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse import registry
from polyfuse.errors import InputError, OutputError, UsageError
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.conventions import Conventions, decide, finished, model_input
from polyfuse.fusion.pair import extent, fuse_plane, same_size, stretched
from polyfuse.fusion.record import make_record, settings
from polyfuse.fusion.result import sidecar_path
from polyfuse.io import Picture, write_text
from polyfuse.io.atomic import check_free
from polyfuse.io.source import shown
from polyfuse.models.spec import FusionModel
from polyfuse.transforms import RangeRecord, measure_range, parse_range
from polyfuse.video.codecs import ClipOptions, Encoding, choose_encoding
from polyfuse.video.pairing import FramePairs
from polyfuse.video.reader import ClipInfo, Frame, describe, read_frames
from polyfuse.video.writer import clip_writer

OnFrame = Callable[[int, int], None]
"""Takes (frames done, frames in all, 0 if not known)."""
AHEAD = 4
"""Frames read ahead, and frames waiting to be encoded."""
RANGE_FRAMES = 64
"""Frames over which a range is measured, evenly spaced. Source: spec, section 8.2."""
STRETCH_FRAMES = 8
"""Pairs over which the output of a model that stretches its result is measured."""


@dataclass(frozen=True)
class ClipResult:
    """What became of two clips."""

    path: Path
    """The fused clip."""
    num_frames: int
    """Its frames; 0 if it was kept from an earlier run."""
    seconds: float
    """Wall time from the first frame to the last, decoding and encoding included."""
    record: dict[str, Any]
    """What made it; the content of the sidecar."""
    notes: tuple[str, ...] = ()
    """What the user should know, one line each."""
    kept: bool = False
    """Whether an earlier run had made it in the same way."""


def fuse_clip(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    out: str | os.PathLike[str] = "fused.mp4",
    *,
    model: str | FusionModel = "auto",
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    clip: ClipOptions | None = None,
    options: FuseOptions | None = None,
    overwrite: bool = False,
    resume: bool = False,
    sidecar: bool = True,
    on_frame: OnFrame | None = None,
    **changes: Any,
) -> ClipResult:
    """Fuse two aligned clips of one scene, frame by frame, with the time stamps and the sound of b.

    Ranges, colour and depth are decided once for the clip, so nothing but the scene changes from frame to frame. Each
    frame of b is fused with the frame of a nearest in time; the result ends where the first clip ends. Memory does not
    grow with the length.

    Args:
        a: Infrared clip.
        b: Visible clip; its colour, frame rate and sound are kept.
        out: The result: .mp4, .mov, .mkv or .webm; complete or not there.
        model: A name from `list_models`, or a model from `load`.
        weights: Weights file for an architecture such as "fnet".
        device: Where the model runs.
        clip: Temporal filter, codec and sound.
        options: Options of the fusion, as for `fuse`.
        overwrite: Whether an existing result may be replaced.
        resume: Keep a result that an earlier run made from the same clips in the same way, replace any other.
        sidecar: Write `<file name>.json` with the record beside it.
        on_frame: Called with (frames done, frames in all or 0) after each frame.
        **changes: Single options of the fusion by name, e.g. `grey=True`; see `FuseOptions`.

    Raises:
        InputError: If a clip cannot be read or is damaged, or sizes differ.
        UsageError: If an option is unknown or does not fit.
        DependencyError: If PyAV or a codec is missing.
        OutputError: If the result cannot be written, or exists.
    """
    if not isinstance(model, str) and (weights is not None or str(device) != "cpu"):
        raise UsageError("weights and device go with a model's name: load the model with them instead.")
    chosen, clip_options, target = (options or FuseOptions()).changed(changes), clip or ClipOptions(), Path(out)
    encoding = choose_encoding(target, clip_options)
    info_a, info_b = (describe(path, max_pixels=chosen.max_pixels) for path in (a, b))
    _check_target(target, (info_a, info_b), replacing=overwrite or resume)
    chosen, notes = _fitting_depth(chosen, encoding, (info_a, info_b))
    ready = registry.load(model, weights=weights, device=device) if isinstance(model, str) else model
    fingerprint = {**settings(ready, chosen), "clip": clip_options.to_json()}
    if resume and (record := _earlier(target, (info_a, info_b), fingerprint)) is not None:
        return ClipResult(target, 0, 0.0, record, kept=True)
    run = _Run(FramePairs(info_a, info_b), ready, chosen, clip_options, encoding)
    result = run.write(target, overwrite=overwrite or resume, notes=notes, on_frame=on_frame)
    if sidecar:
        text = json.dumps(result.record, indent=2, ensure_ascii=False) + "\n"
        write_text(sidecar_path(target), text, overwrite=True)
    elif overwrite or resume:
        sidecar_path(target).unlink(missing_ok=True)  # it describes the clip just replaced
    return result


class _Run:
    """One pass over two clips.

    Args:
        pairs: Their frames.
        model: What fuses them.
        options: How frames are fused.
        clip: What concerns the whole clip.
        encoding: How the result is written.
    """

    def __init__(
        self, pairs: FramePairs, model: FusionModel, options: FuseOptions, clip: ClipOptions, encoding: Encoding
    ) -> None:
        self._pairs, self._model, self._options = pairs, model, options
        self._clip, self._encoding = clip, encoding
        self._filter = clip.temporal_filter
        self._bounds = (0.0, 1.0)

    def write(self, target: Path, *, overwrite: bool, notes: tuple[str, ...], on_frame: OnFrame | None) -> ClipResult:
        """Decide, then decode, fuse and encode side by side."""
        first_a, first_b, size_notes = self._first()
        ranges = (
            _clip_range(self._pairs.a, self._options.range),
            _clip_range(self._pairs.b, self._options.range_b),
        )
        conventions, more = decide(first_a, first_b, self._options, self._model.provenance, ranges)
        stretching = self._model.spec.output == "minmax"
        if stretching:
            self._bounds = self._output_bounds(conventions)
        like = self._pairs.b.resized(first_b.width, first_b.height)
        total = min(like.num_frames, round(self._pairs.a.num_frames * like.rate / self._pairs.a.rate))
        grey, depth = conventions.carrier is None, np.dtype(conventions.dtype).itemsize * 8
        started, done = time.perf_counter(), 0
        with (
            closing(iter(self._pairs)) as source,
            ThreadPoolExecutor(1) as reader,
            clip_writer(
                target, self._encoding, like, grey=grey, depth=depth, sound=self._clip.sound, overwrite=overwrite
            ) as writer,
            ThreadPoolExecutor(1) as encoder,
        ):
            waiting: deque[Future[None]] = deque()
            for frame_a, frame_b in _ahead(source, reader):
                image = self._fuse(frame_a, frame_b, conventions)
                waiting.append(encoder.submit(writer.write, image, frame_b.ticks))
                while len(waiting) > AHEAD:
                    waiting.popleft().result()
                done += 1
                if on_frame is not None:
                    on_frame(done, total)
            for written in waiting:
                written.result()
        seconds = time.perf_counter() - started
        record = make_record(first_a, first_b, self._model, conventions, self._options, num_tiles=1, seconds=seconds)
        record["settings"]["clip"] = self._clip.to_json()
        record["clip"] = {
            "frames": done,
            "rate": str(like.rate),
            "encoder": self._encoding.codec.encoder,
            "cuts": [] if self._filter is None else self._filter.cuts,
        }
        told = (*notes, *size_notes, *more, *self._pairs.notes, *writer.notes)
        return ClipResult(target, done, seconds, record, tuple(dict.fromkeys(told)))

    def _first(self) -> tuple[Picture, Picture, tuple[str, ...]]:
        """The first frames as pictures that know their clips."""
        with closing(iter(self._pairs)) as pairs:
            frames = next(pairs)
        pictures = [
            Picture(frame.array, info.path, _digest(info.path), info.codec)
            for frame, info in zip(frames, (self._pairs.a, self._pairs.b), strict=True)
        ]
        return same_size(*pictures, self._options)

    def _planes(self, a: Frame, b: Frame, conventions: Conventions) -> tuple[Picture, Picture, NDArray[np.float32]]:
        """Both frames at one size, and the model's raw output."""
        one, other, _ = same_size(Picture(a.array), Picture(b.array), self._options)
        return one, other, fuse_plane(one, other, self._model, conventions, self._options)[0]

    def _output_bounds(self, conventions: Conventions) -> tuple[float, float]:
        """Smallest and largest output of the model over some pairs of the clip."""
        step = max(1, self._pairs.b.num_frames // STRETCH_FRAMES)
        with closing(iter(self._pairs)) as pairs:
            found = [
                extent(self._planes(*pair, conventions)[2]) for index, pair in enumerate(pairs) if index % step == 0
            ]
        return min(low for low, _ in found), max(high for _, high in found)

    def _fuse(self, a: Frame, b: Frame, conventions: Conventions) -> NDArray[Any]:
        """One fused frame in the result's depth and colour."""
        one, other, plane = self._planes(a, b, conventions)
        if self._model.spec.output == "minmax":
            plane = stretched(plane, *self._bounds)
        if self._filter is not None:
            lumas = (model_input(picture.array, conventions, name) for picture, name in ((one, "a"), (other, "b")))
            plane = self._filter(np.clip(plane, 0, 1), *lumas)
        carrier = {"a": one.array, "b": other.array}.get(conventions.carrier or "")
        return finished(plane, carrier, conventions)


def _ahead(pairs: Iterator[tuple[Frame, Frame]], reader: ThreadPoolExecutor) -> Iterator[tuple[Frame, Frame]]:
    """The same pairs, decoded in the reader's thread while the caller works."""
    waiting = deque(reader.submit(next, pairs, None) for _ in range(AHEAD))
    try:
        while (pair := waiting.popleft().result()) is not None:
            waiting.append(reader.submit(next, pairs, None))
            yield pair
    finally:
        for future in waiting:
            future.cancel()
        reader.shutdown(wait=True)  # the caller closes `pairs`, which must not be running then


def _clip_range(info: ClipInfo, spec: str) -> RangeRecord:
    """One range for all frames, measured on evenly spaced ones where it has to be measured."""
    step = max(1, info.num_frames // RANGE_FRAMES)
    with closing(read_frames(info)) as frames:
        arrays = (frame.array for index, frame in enumerate(frames) if index % step == 0)
        return measure_range(arrays, parse_range(spec), name=str(info.path))


def _fitting_depth(
    options: FuseOptions, encoding: Encoding, infos: tuple[ClipInfo, ClipInfo]
) -> tuple[FuseOptions, tuple[str, ...]]:
    """Options with a depth that the codec can hold.

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


def _check_target(target: Path, infos: tuple[ClipInfo, ClipInfo], *, replacing: bool) -> None:
    """Refuse to start where the result would replace a source or, unless `replacing`, anything; or a from itself."""
    first, second = (info.path for info in infos)
    if first.samefile(second):
        raise UsageError(f"{shown(first)} is given for both sides: give the clip of the other source as well")
    if target.exists() and any(target.samefile(info.path) for info in infos):
        raise OutputError(f"{shown(target)} is a source and would be replaced by the result: choose another --out")
    check_free(target, overwrite=replacing)


def _earlier(target: Path, infos: tuple[ClipInfo, ClipInfo], fingerprint: dict[str, Any]) -> dict[str, Any] | None:
    """The record of an earlier run that made this result from these clips in this way."""
    if not target.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(sidecar_path(target).read_text(encoding="utf-8"))
        sources = [record["sources"][name]["sha256"] for name in ("a", "b")]
        same = bool(record["settings"] == json.loads(json.dumps(fingerprint)))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if same and sources == [_digest(info.path) for info in infos] else None


def _digest(path: Path) -> str:
    """SHA-256 of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: check the file") from error
