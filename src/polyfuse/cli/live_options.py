"""Options of `polyfuse live`: how its sources are read, how frames are fused, and where they go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.options import Arguments, Command, colour_source, mapping_options, size_options, stack
from polyfuse.cli.values import KeyValue
from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.fusion import FuseOptions
    from polyfuse.live.capture import CaptureOptions
    from polyfuse.live.naming import SourceName


def source_options(command: Command) -> Command:
    """How the two sources are read and paired."""
    return stack(
        command,
        [
            click.option("--realtime/--no-realtime", default=None,
                         help="Hold frames back until their time; default for clips, also those at an address."),
            click.option("--loop", is_flag=True, help="Begin clips again where they end."),
            click.option("--timeout", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True,
                         metavar="SECONDS", help="How long to wait for a source to answer, and for its next frame."),
            click.option("--reconnect", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
                         help="How long to try a camera or an address again that was lost; 0 for never."),
            click.option("--max-skew", type=click.FloatRange(0), default=0.5, show_default=True,
                         metavar="SECONDS", help="Do not fuse frames that lie farther apart in time."),
            click.option("--open-a", type=KeyValue(), multiple=True, metavar="KEY=VALUE",
                         help="FFmpeg's option for opening A, such as video_size=1280x720; repeat it."),
            click.option("--open-b", type=KeyValue(), multiple=True, metavar="KEY=VALUE", help="The same for B."),
            click.option("--duration", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
                         help="End after so many seconds; default is when a clip ends, or Ctrl-C."),
        ],
    )  # fmt: skip


def frame_options(command: Command) -> Command:
    """How frames are mapped, fused and coloured."""
    return stack(
        command,
        [
            click.option("--range", "range_", default="auto", metavar="SPEC", show_default=True,
                         help="Values of A that become black and white, as for fuse; what is measured follows the "
                         "scene."),
            mapping_options,
            colour_source,
            size_options,
        ],
    )  # fmt: skip


def output_options(command: Command) -> Command:
    """Where fused frames go."""
    return stack(
        command,
        [
            click.option("-o", "--out", metavar="TARGET",
                         help="Clip to write, or address to send to: rtsp://, rtsps:// or udp://."),
            click.option("--web", metavar="[HOST:]PORT",
                         help="Show a page at 127.0.0.1, or at another address with a token; port 0 takes a free one."),
            click.option("--window", is_flag=True, help="Show a window; default without --out and --web."),
            click.option("--codec", type=click.Choice(["auto", "h264", "h265", "vp9", "ffv1"]), default="auto",
                         show_default=True, help="Of a clip: auto is vp9 in .webm, else h264."),
            click.option("--crf", type=click.IntRange(0, 63), metavar="N", help="Quality, lower is better."),
            click.option("--overwrite", is_flag=True, help="Replace an existing clip."),
            click.option("--no-sidecar", is_flag=True, help="Write no .json beside the clip."),
        ],
    )  # fmt: skip


@dataclass(frozen=True)
class SourceArguments(Arguments):
    """What `source_options` asks for."""

    realtime: bool | None
    loop: bool
    timeout: float
    reconnect: float
    max_skew: float
    open_a: tuple[tuple[str, str], ...]
    open_b: tuple[tuple[str, str], ...]
    duration: float | None

    def names(self, a: str, b: str) -> tuple[SourceName, SourceName]:
        """What the user means by A and B.

        Raises:
            UsageError: If one is no source, both are the same, or options do not fit them.
            InputError: If a file is not there.
        """
        from polyfuse.live.naming import parse_source

        first, second = parse_source(a, dict(self.open_a)), parse_source(b, dict(self.open_b))
        if first.url == second.url:
            raise UsageError(f"{first.shown} is given for both sides: give the other source as well.")
        files = [name for name in (first, second) if name.kind == "file"]
        if self.realtime is False and files:
            raise UsageError(
                f"{files[0].shown} is a clip and always in real time here: `polyfuse fuse` takes its time."
            )
        if self.loop and not files and not any(name.url.startswith("http") for name in (first, second)):
            raise UsageError("--loop is for clips: drop it.")
        return first, second

    def capture(self) -> CaptureOptions:
        """The same for the library."""
        from polyfuse.live.capture import CaptureOptions

        return CaptureOptions(self.timeout, self.reconnect, self.realtime, self.loop)


@dataclass(frozen=True)
class FrameArguments(Arguments):
    """What `frame_options` asks for."""

    range_: str
    range_b: str
    polarity: Literal["white-hot", "black-hot"]
    swap: bool
    stretch: str
    grey: bool
    colour_from: Literal["auto", "a", "b"]
    resize: Literal["a", "b"] | None
    resize_anyway: bool
    warp: Path | None
    frame: Literal["a", "b"]

    def fuse_options(self) -> FuseOptions:
        """The same for the library.

        Raises:
            UsageError: If a value has no meaning.
            InputError: If the warp file is none.
        """
        from polyfuse.fusion import FuseOptions

        values: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return FuseOptions(range=values.pop("range_"), **values)


@dataclass(frozen=True)
class OutputArguments(Arguments):
    """What `output_options` asks for, and how much is told."""

    out: str | None
    web: str | None
    window: bool
    codec: Literal["auto", "h264", "h265", "vp9", "ffv1"]
    crf: int | None
    overwrite: bool
    no_sidecar: bool
    as_json: bool
    quiet: bool

    def __post_init__(self) -> None:
        """Refuse what has no meaning without a clip.

        Raises:
            UsageError: Naming the option.
        """
        if self.out == "":
            raise UsageError("--out is empty: name a clip or an address.")
        given = {"--codec": self.codec != "auto", "--crf": self.crf is not None, "--overwrite": self.overwrite}
        option = next((option for option, is_given in given.items() if is_given), None)
        if self.out is None and option is not None:
            raise UsageError(f"{option} is for what --out writes: pass it, or drop {option}.")

    @property
    def wants_window(self) -> bool:
        """Whether a window is wanted: because it was said, or since there is nothing else."""
        return self.window or (self.out is None and self.web is None)
