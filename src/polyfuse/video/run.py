"""One pass over two clips: decoding, fusing and encoding overlap, and what is decided holds for all frames."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse._version import __version__
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.conventions import Conventions, decide
from polyfuse.fusion.fuser import Fuser
from polyfuse.fusion.models import Model
from polyfuse.fusion.record import settings
from polyfuse.fusion.sources import same_size
from polyfuse.io import Picture
from polyfuse.io.picture import Stamp
from polyfuse.io.source import counted, file_sha256
from polyfuse.transforms import RangeRecord, measure_range, parse_range
from polyfuse.video.codecs import ClipOptions, Encoding
from polyfuse.video.fusing import AHEAD, RANGE_FRAMES, STRETCH_FRAMES, FrameFusion, ahead, step_of
from polyfuse.video.pairing import FramePairs
from polyfuse.video.parts import Parts, parts_of
from polyfuse.video.picture_stream import PictureFormat
from polyfuse.video.reader import ClipInfo
from polyfuse.video.sources import read_frames
from polyfuse.video.writer import PartEncoder, join, part_ends

OnFrame = Callable[[int, int], None]
"""Takes (frames done, frames in all, 0 if not known)."""
_PARTS_NOTE = "a part that an earlier run left is damaged and was made again, with those after it"


@dataclass(frozen=True)
class ClipResult:
    """The result of fusing two clips."""

    path: Path
    """The fused clip."""
    num_frames: int
    """Its frames; 0 if it was kept from an earlier run."""
    seconds: float
    """Wall time from the first frame to the last, decoding and encoding included."""
    record: dict[str, Any] = field(repr=False)
    """What made it; the content of the sidecar."""
    notes: tuple[str, ...] = ()
    """What the user should know, one line each."""
    kept: bool = False
    """Whether an earlier run had made it in the same way."""
    num_resumed: int = 0
    """How many of its frames were taken over from an earlier run that was interrupted."""


class ClipRun:
    """One pass over two clips.

    Args:
        pairs: Their frames.
        model: What fuses them.
        options: How frames are fused.
        clip: What concerns the whole clip.
        encoding: How the result is written.

    Raises:
        DependencyError: If what the temporal filter needs is missing.
    """

    def __init__(
        self, pairs: FramePairs, model: Model, options: FuseOptions, clip: ClipOptions, encoding: Encoding
    ) -> None:
        self._pairs, self._model, self._options = pairs, model, options
        self._clip, self._encoding = clip, encoding
        self._filter = clip.temporal_filter
        self.made_by = {**settings(model, options), "clip": clip.to_json()}
        """What decides over the result, beside the sources."""

    def write(
        self, target: Path, *, overwrite: bool, resume: bool, notes: tuple[str, ...], on_frame: OnFrame | None
    ) -> ClipResult:
        """Decide, fuse part by part, join the parts; frames of an earlier run that fit are not fused again."""
        first_a, first_b, size_notes = self._first()
        ranges = (
            _clip_range(self._pairs.a, self._options.range),
            _clip_range(self._pairs.b, self._options.range_b),
        )
        conventions, more = decide(first_a, first_b, self._options, self._model.provenance, ranges)
        like = self._pairs.b.resized(first_b.width, first_b.height)
        grey, depth = conventions.carrier is None, np.dtype(conventions.dtype).itemsize * 8
        pictures = PictureFormat(self._encoding, like, grey, depth)
        fingerprint = {**self.made_by, "sources": [first_a.sha256, first_b.sha256], "polyfuse": __version__}
        fusion = self._fusion(conventions)
        started = time.perf_counter()
        with parts_of(target, fingerprint, resume=resume, overwrite=overwrite) as parts:
            resumed = parts.num_frames
            damaged = (_PARTS_NOTE,) if resume and parts.is_damaged else ()
            self._fuse(fusion, parts, PartEncoder(target, pictures, parts), part_ends(pictures), on_frame)
            done = parts.num_frames
            written = join(target, pictures, parts, sound=self._clip.sound, overwrite=overwrite or resume)
        seconds = time.perf_counter() - started
        record = fusion.fuser.record(first_a, first_b, num_tiles=1, seconds=seconds)
        record["settings"] = self.made_by
        record["clip"] = {
            "frames": done,
            "rate": str(like.rate),
            "encoder": self._encoding.codec.encoder,
            "encoder_options": self._encoding.options,
            "repeatable": self._encoding.codec.is_repeatable,
            "cuts": [] if self._filter is None else self._filter.cuts,
        }
        went_on = (f"{resumed} of {counted(done, 'frame')} were there from an earlier run",) if resumed else ()
        told = dict.fromkeys((*notes, *size_notes, *more, *self._pairs.notes, *written, *damaged, *went_on))
        record["notes"] = list(told)
        return ClipResult(target, done, seconds, record, tuple(told), num_resumed=resumed)

    def _first(self) -> tuple[Picture, Picture, tuple[str, ...]]:
        """The first frames at one size, with path and digest of their clips, and a note if one was resampled."""
        with closing(iter(self._pairs)) as pairs:
            frames = next(pairs)
        infos = (self._pairs.a, self._pairs.b)
        stamps = [Stamp.of(info.path) for info in infos]
        one, other = (
            Picture(frame.array, info.path, digest, info.codec, stamp=stamp)
            for frame, info, stamp, digest in zip(
                frames, infos, stamps, [file_sha256(info.path) for info in infos], strict=True
            )
        )
        return same_size(one, other, self._options)

    def _fusion(self, conventions: Conventions) -> FrameFusion:
        """What fuses the frames, with the range of the output measured."""
        fusion = FrameFusion(Fuser(self._model, self._options, conventions), self._filter)
        step = step_of(self._pairs.b.num_frames, STRETCH_FRAMES)
        with closing(iter(self._pairs)) as source:
            fusion.measure_output((a.array, b.array) for index, (a, b) in enumerate(source) if index % step == 0)
        return fusion

    def _fuse(
        self, fusion: FrameFusion, parts: Parts, encoder: PartEncoder, ends: Iterator[int], on_frame: OnFrame | None
    ) -> None:
        """Decode, fuse and encode side by side, in parts that end at `ends`; what the parts hold is only decoded."""
        if self._filter is not None and parts.state:
            self._filter.restore(parts.state)
        total = min(self._pairs.b.num_frames, round(self._pairs.a.num_frames * self._pairs.b.rate / self._pairs.a.rate))
        done = resumed = parts.num_frames
        end = next(end for end in ends if end > resumed)
        with (
            closing(iter(self._pairs)) as source,
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(1) as encoding,
        ):
            waiting: deque[Future[None]] = deque()
            for done, (frame_a, frame_b) in enumerate(ahead(source, reader), start=1):
                if done <= resumed:
                    continue
                plane, carrier = fusion.plane(frame_a.array, frame_b.array)
                waiting.append(encoding.submit(_encode, fusion, plane, carrier, encoder, frame_b.ticks))
                if done == end:
                    waiting.append(encoding.submit(encoder.end_part, done, self._state()))
                    end = next(ends)
                while len(waiting) > AHEAD:
                    waiting.popleft().result()
                if on_frame is not None:
                    on_frame(done, total)
            waiting.append(encoding.submit(encoder.end_part, done, self._state()))
            for written in waiting:
                written.result()

    def _state(self) -> dict[str, Any]:
        """The filter's state; empty without one."""
        return {} if self._filter is None else self._filter.state()


def _encode(
    fusion: FrameFusion, plane: NDArray[np.float32], carrier: NDArray[Any] | None, encoder: PartEncoder, ticks: int
) -> None:
    """Finish a frame and encode it, in another thread than the next one is fused in."""
    encoder.write(fusion.finish(plane, carrier), ticks)


def _clip_range(info: ClipInfo, spec: str) -> RangeRecord:
    """One range for all frames, measured on evenly spaced ones where it has to be measured."""
    step = step_of(info.num_frames, RANGE_FRAMES)
    with closing(read_frames(info)) as frames:
        arrays = (frame.array for index, frame in enumerate(frames) if index % step == 0)
        return measure_range(arrays, parse_range(spec), name=str(info.path))
