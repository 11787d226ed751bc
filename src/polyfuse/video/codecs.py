"""How a clip is written: which encoder a file name or the user asks for, and what it can hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from polyfuse.errors import DependencyError, UsageError
from polyfuse.io.source import shown
from polyfuse.video.filters import make_filter
from polyfuse.video.pyav import load_av
from polyfuse.video.temporal import TemporalFilter, parse_temporal


@dataclass(frozen=True)
class Container:
    """A kind of file that holds a clip."""

    muxer: str
    """FFmpeg's name."""
    codec: str
    """Codec unless the user names one."""


CONTAINERS = {
    ".mp4": Container("mp4", "h264"),
    ".m4v": Container("mp4", "h264"),
    ".mov": Container("mov", "h264"),
    ".mkv": Container("matroska", "ffv1"),
    ".webm": Container("webm", "vp9"),
}
"""Suffixes of results. AVI is read only: it keeps no time stamps."""


@dataclass(frozen=True)
class Codec:
    """An encoder and how it is set."""

    encoder: str
    """FFmpeg's name."""
    crf: int | None
    """Quality unless the user gives one, lower is better; None for a lossless codec."""
    options: tuple[tuple[str, str], ...] = ()
    """Further options of the encoder."""
    is_repeatable: bool = False
    """Whether equal frames are promised to give equal packets in every run with one number of threads."""


CODECS = {
    # ours: "veryfast" and 18, nearly transparent and several times as fast as a network beside it
    # ours: "cpu-independent" too. Without it the AVX-512 code by which x264 weighs blocks gave six different results
    # in 12 runs on equal frames; with it one, in files 0.2 to 0.5 % larger and a time that could not be told apart.
    "h264": Codec("libx264", 18, (("preset", "veryfast"), ("x264-params", "cpu-independent=1")), is_repeatable=True),
    "h265": Codec("libx265", 20, (("preset", "veryfast"), ("x265-params", "log-level=none"))),
    "vp9": Codec("libvpx-vp9", 24, (("deadline", "realtime"), ("cpu-used", "5"), ("row-mt", "1"))),
    "ffv1": Codec("ffv1", None, (("level", "3"), ("slicecrc", "1")), is_repeatable=True),
}
"""Codecs of results by the name `--codec` takes."""
MAX_CRF = 63
"""Largest value any of the encoders takes."""


@dataclass(frozen=True)
class ClipOptions:
    """What concerns a clip as a whole; how its frames are fused is in `FuseOptions`."""

    temporal: str = "none"
    """Filter along time: "none", "exponential", "flow", or one of these with ":SHARE" of the new frame, 0 to 1."""
    codec: str = "auto"
    """"h264", "h265", "vp9" or "ffv1" (lossless, 16 bits); "auto" is h264 in .mp4 and .mov, ffv1 in .mkv, vp9 in
    .webm."""
    crf: int | None = None
    """Quality of a lossy codec, lower is better; None is 18 for h264, 20 for h265, 24 for vp9."""
    sound: bool = True
    """Carry over the sound of b."""

    def __post_init__(self) -> None:
        """Refuse values that no run could honour."""
        parse_temporal(self.temporal)
        if self.codec != "auto" and self.codec not in CODECS:
            raise UsageError(f"codec {self.codec!r} is unknown: use auto, {', '.join(CODECS)}.")
        if self.crf is not None and not 0 <= self.crf <= MAX_CRF:
            raise UsageError(f"crf {self.crf} is out of range: give 0 to {MAX_CRF}.")

    @property
    def temporal_filter(self) -> TemporalFilter | None:
        """A fresh filter, if one is wanted.

        Raises:
            DependencyError: If what it needs is missing.
        """
        return make_filter(self.temporal)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for the sidecar."""
        return asdict(self)


@dataclass(frozen=True)
class Encoding:
    """A container and a codec that go together."""

    muxer: str
    """FFmpeg's name of the container."""
    codec: Codec
    """The encoder with its fixed settings."""
    crf: int | None
    """Quality, lower is better; None for a lossless codec."""

    @property
    def options(self) -> dict[str, str]:
        """Options of the encoder by FFmpeg's names."""
        options = dict(self.codec.options)
        if self.crf is not None:
            options["crf"] = str(self.crf)
            if self.codec.encoder == "libvpx-vp9":
                options["b"] = "0"  # without it crf is only a bound
        return options

    @property
    def depth(self) -> int:
        """Largest number of bits a value may have."""
        return 16 if self.codec.crf is None else 8

    def pixel_format(self, width: int, height: int, *, grey: bool, depth: int) -> str:
        """FFmpeg's name of the format in which frames go to the encoder.

        Lossy codecs get 4:2:0, which every player shows; frames with an odd side get 4:4:4 instead of another size.
        """
        if self.codec.crf is None:
            return {(True, 8): "gray", (True, 16): "gray16le", (False, 8): "bgr0", (False, 16): "gbrp16le"}[grey, depth]
        return "yuv444p" if width % 2 or height % 2 else "yuv420p"


def choose_encoding(path: Path, options: ClipOptions) -> Encoding:
    """Find container and codec for a result before any work.

    Raises:
        UsageError: If the suffix is unknown, the container does not hold the codec, or crf does not go with it.
        DependencyError: If this FFmpeg has not got the encoder, or PyAV is missing.
    """
    av = load_av()
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise UsageError(f"{shown(path)} ends in no suffix for clips: use one of {' '.join(CONTAINERS)}")
    name = container.codec if options.codec == "auto" else options.codec
    if (container.muxer, name) in (("webm", "h264"), ("webm", "h265"), ("webm", "ffv1"), ("mp4", "ffv1")):
        raise UsageError(f"{shown(path)} cannot hold {name}: drop --codec or name an .mkv file")
    codec = CODECS[name]
    if options.crf is not None and codec.crf is None:
        raise UsageError(f"{name} is lossless and has no crf: drop --crf or pass --codec h264")
    if codec.encoder not in av.codecs_available:
        others = [other for other, known in CODECS.items() if known.encoder in av.codecs_available]
        raise DependencyError(f"this FFmpeg has no encoder {codec.encoder}: pass --codec {' or '.join(others)}")
    return Encoding(container.muxer, codec, codec.crf if options.crf is None else options.crf)
