"""One pass over two clips: decoding, fusing and encoding overlap, and what is decided holds for all frames."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.fusion import FuseOptions
from polyfuse.fusion.conventions import Conventions, decide, finished, model_input
from polyfuse.fusion.pair import fuse_plane, same_size
from polyfuse.fusion.record import make_record
from polyfuse.fusion.stretch import OutputRange
from polyfuse.io import Picture
from polyfuse.io.source import file_sha256
from polyfuse.models.spec import FusionModel
from polyfuse.transforms import RangeRecord, measure_range, parse_range
from polyfuse.video.codecs import ClipOptions, Encoding
from polyfuse.video.pairing import FramePairs
from polyfuse.video.reader import ClipInfo, Frame, read_frames
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


class ClipRun:
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
        self._range: OutputRange | None = None

    def write(self, target: Path, *, overwrite: bool, notes: tuple[str, ...], on_frame: OnFrame | None) -> ClipResult:
        """Decide, then decode, fuse and encode side by side."""
        first_a, first_b, size_notes = self._first()
        ranges = (
            _clip_range(self._pairs.a, self._options.range),
            _clip_range(self._pairs.b, self._options.range_b),
        )
        conventions, more = decide(first_a, first_b, self._options, self._model.provenance, ranges)
        if self._model.spec.output == "minmax":
            self._range = self._output_range(conventions)
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
            for frame_a, frame_b in ahead(source, reader):
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
        one, other = (
            Picture(frame.array, info.path, file_sha256(info.path), info.codec)
            for frame, info in zip(frames, (self._pairs.a, self._pairs.b), strict=True)
        )
        return same_size(one, other, self._options)

    def _planes(self, a: Frame, b: Frame, conventions: Conventions) -> tuple[Picture, Picture, NDArray[np.float32]]:
        """Both frames at one size, and the model's raw output."""
        one, other, _ = same_size(Picture(a.array), Picture(b.array), self._options)
        return one, other, fuse_plane(one, other, self._model, conventions, self._options)[0]

    def _output_range(self, conventions: Conventions) -> OutputRange:
        """Smallest and largest output of the model over some pairs of the clip."""
        step = max(1, self._pairs.b.num_frames // STRETCH_FRAMES)
        with closing(iter(self._pairs)) as pairs:
            chosen = (pair for index, pair in enumerate(pairs) if index % step == 0)
            found = (OutputRange.measured(self._planes(*pair, conventions)[2]) for pair in chosen)
            return reduce(OutputRange.joined, found)

    def _fuse(self, a: Frame, b: Frame, conventions: Conventions) -> NDArray[Any]:
        """One fused frame in the result's depth and colour."""
        one, other, plane = self._planes(a, b, conventions)
        if self._range is not None:
            plane = self._range.stretch(plane)
        if self._filter is not None:
            luma_a, luma_b = model_input(one.array, conventions, "a"), model_input(other.array, conventions, "b")
            plane = self._filter(np.clip(plane, 0, 1), luma_a, luma_b)
        carrier = {"a": one.array, "b": other.array}.get(conventions.carrier or "")
        return finished(plane, carrier, conventions)


def ahead(pairs: Iterator[tuple[Frame, Frame]], reader: ThreadPoolExecutor) -> Iterator[tuple[Frame, Frame]]:
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
