"""`polyfuse live`: two running sources, fused while they run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from polyfuse.cli.clips import let_threads_sleep
from polyfuse.cli.live_options import (
    FrameArguments,
    OutputArguments,
    SourceArguments,
    frame_options,
    output_options,
    source_options,
)
from polyfuse.cli.options import ModelArguments, model_options, talk_options
from polyfuse.cli.output import json_document, print_path, speaker, visible

if TYPE_CHECKING:
    from polyfuse.live.outputs import Output, Target
    from polyfuse.live.run import LiveRun
    from polyfuse.live.window import Window

_EVERY, _EVERY_IN_A_LOG = 1.0, 10.0
"""Seconds from one running line to the next on a terminal, where it replaces the last one, and elsewhere."""
_USUAL_RATE, _HIGHEST_RATE = 25, 240
"""Frames a second of a clip where the source names none, and the highest that is believed."""


@click.command("live", context_settings={"default_map": {"precision": "auto"}})
@click.argument("a")
@click.argument("b")
@source_options
@model_options
@frame_options
@output_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout at the end.")
@talk_options
def command(a: str, b: str, **values: Any) -> None:
    """Fuse A (infrared) with B (visible) while they run, and show, write or send the result.

    A and B are each a camera's number or device (Linux), an address (rtsp://, rtsps://, http://, https://, udp://,
    tcp://) or a clip, which is played in real time. Of all commands this one alone uses the network: to reach the
    addresses that you name. The newest frames are fused, what comes meanwhile is dropped, so that the delay does not
    grow. Ctrl-C ends it and completes the clip. The model is pyrfuse-t.road unless --model names another.
    """
    with json_document(values["as_json"]) as document:
        _live(
            a,
            b,
            SourceArguments.taken_from(values),
            ModelArguments.taken_from(values),
            FrameArguments.taken_from(values),
            OutputArguments.taken_from(values),
            document,
        )


def _live(
    a: str,
    b: str,
    sources: SourceArguments,
    model: ModelArguments,
    frames: FrameArguments,
    output: OutputArguments,
    document: dict[str, Any],
) -> None:
    """Check everything, connect, and fuse; `document` gets the summary."""
    let_threads_sleep()
    names = sources.names(a, b)
    target = _target(output, names, model, frames)
    if output.wants_window:
        from polyfuse.live.window import load_windows

        load_windows()
    if output.web is not None:
        from polyfuse.live.web import parse_web

        parse_web(output.web)
    options = frames.fuse_options()
    teller = Teller(output.quiet)
    loaded = model.ready(teller.say, for_clips=True)
    document["model"] = loaded.provenance.name

    from polyfuse.live.run import LiveOptions, LiveRun

    run = LiveRun(
        *names, loaded, options, LiveOptions(sources.capture(), sources.duration, sources.max_skew), teller.say
    )
    outputs: list[Output] = []
    with ExitStack() as ending:
        ending.callback(_tell_end, run, outputs, target, output, document, teller)
        ending.callback(run.close)
        run.warm_up()
        run.wait_until_open()
        window = _open_outputs(run, outputs, target, output, ending, teller)

        def each() -> None:
            teller.running(lambda: run.line(outputs)[0])
            if window is not None:
                window.refresh()

        run.fuse(outputs, each)


def _target(
    output: OutputArguments, names: tuple[Any, Any], model: ModelArguments, frames: FrameArguments
) -> Target | None:
    """Where the result is written or sent, checked; None for nowhere."""
    if output.out is None:
        return None
    from polyfuse.fusion.sidecar import sidecar_path
    from polyfuse.io.atomic import check_free
    from polyfuse.live.naming import check_target, file_of
    from polyfuse.live.outputs import make_target

    needed = [*(file_of(name) for name in names), model.weights, frames.warp]
    inputs = tuple(path for path in needed if path is not None)
    scheme = check_target(output.out)
    target = make_target(
        output.out, scheme, codec=output.codec, crf=output.crf, overwrite=output.overwrite, inputs=inputs
    )
    if target.path is not None and not output.no_sidecar:
        check_free(sidecar_path(target.path), overwrite=output.overwrite)
    return target


def _open_outputs(
    run: LiveRun,
    outputs: list[Output],
    target: Target | None,
    output: OutputArguments,
    ending: ExitStack,
    teller: Teller,
) -> Window | None:
    """Open what frames go to; each is closed by `ending`. Returns the window, if there is one."""
    window = None
    if output.wants_window:
        from polyfuse.live.window import Window

        window = Window()
        outputs.append(window)
        ending.callback(window.close)
    if output.web is not None:
        from polyfuse.live.web import WebPage, parse_web

        sides = {capture.side: capture.name.shown for capture in run.captures}

        def status() -> dict[str, Any]:
            line, trouble = run.line(outputs)
            return {"line": line, "trouble": trouble, "sources": sides}

        page = WebPage(*parse_web(output.web), status)
        outputs.append(page)
        ending.callback(page.close)
        teller.say(f"page at {page.address}", always=True)
    if target is not None:
        from polyfuse.live.outputs import EncodedOutput

        rate = run.captures[1].rate
        encoded = EncodedOutput(target, rate if 0 < rate <= _HIGHEST_RATE else type(rate)(_USUAL_RATE))
        outputs.append(encoded)
        ending.callback(encoded.close)
    return window


def _tell_end(
    run: LiveRun,
    outputs: list[Output],
    target: Target | None,
    output: OutputArguments,
    document: dict[str, Any],
    teller: Teller,
) -> None:
    """Tell what a run did, however it ended, and name the clip that it left."""
    from polyfuse.fusion.sidecar import remove_sidecar, write_sidecar
    from polyfuse.live.outputs import EncodedOutput

    summary = run.to_json(outputs)
    document.update(summary)
    delay, skew, dropped = summary["delay_ms"], summary["skew_ms"], summary["dropped"]
    if summary["frames"]:
        teller.end()
        teller.say(
            f"{summary['frames']} frames in {summary['seconds']:.1f} s, {summary['frames_per_second']:.1f} frames/s, "
            f"delay {delay['median']:.0f} ms (95 %: {delay['p95']:.0f}), skew {skew['median']:.0f} ms "
            f"(95 %: {skew['p95']:.0f}), {dropped['b'] + dropped['unmatched'] + dropped['output']} dropped"
        )
    written = next((one for one in outputs if isinstance(one, EncodedOutput)), None)
    if written is None or target is None or target.path is None or not written.is_complete:
        return
    document["result"] = str(target.path)
    record = run.record()
    if output.no_sidecar:
        if output.overwrite:
            remove_sidecar(target.path)
    elif record is not None:
        write_sidecar(target.path, {**record, "live": summary}, overwrite=output.overwrite)
    if not output.as_json:
        print_path(target.path)


class Teller:
    """Lines on stderr, and one that goes on: on a terminal in one place, else every ten seconds.

    Args:
        quiet: Whether nothing is told.
    """

    def __init__(self, quiet: bool) -> None:
        self._say, self._quiet = speaker(quiet), quiet
        self._in_place = sys.stderr.isatty() and not quiet
        self._told = time.monotonic()
        self._open = False

    def say(self, text: str, *, always: bool = False) -> None:
        """Print a line; `always` even where little is to be told."""
        self.end()
        if always:
            click.echo(visible(text), err=True)
        else:
            self._say(text)

    def running(self, line: Callable[[], str]) -> None:
        """Show the running line, if it is time."""
        now = time.monotonic()
        if self._quiet or now - self._told < (_EVERY if self._in_place else _EVERY_IN_A_LOG):
            return
        self._told = now
        if self._in_place:
            click.echo(f"\r{visible(line())}\x1b[K", err=True, nl=False, color=True)
            self._open = True
        else:
            self._say(line())

    def end(self) -> None:
        """Let the next line begin on a new one."""
        if self._open:
            click.echo("", err=True)
            self._open = False
