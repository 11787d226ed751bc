"""`polyfuse serve`: fusion and scores over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.completion import complete_models
from polyfuse.cli.options import Arguments, talk_options
from polyfuse.cli.output import speaker
from polyfuse.cli.values import MemorySize
from polyfuse.listening.address import LOCAL

if TYPE_CHECKING:
    from polyfuse.service import Settings

TOKEN = "POLYFUSE_TOKEN"
"""Variable of the environment that holds the token: options are seen by everybody on the machine."""


@dataclass(frozen=True)
class ServeArguments(Arguments):
    """The options of `polyfuse serve`."""

    model: tuple[str, ...]
    host: str
    port: int
    token: str | None
    queue: int
    timeout: float
    max_request: int
    max_pixels: int
    memory: int | None
    device: str
    precision: Literal["float32", "bf16", "tf32", "auto"]
    engine: Literal["onnx", "openvino"]
    threads: int | None
    log_format: Literal["json", "text"]

    def settings(self) -> Settings:
        """The same for the library."""
        from polyfuse.service import Limits, Settings

        return Settings(
            self.model or ("auto",),
            self.host,
            self.port,
            self.token,
            self.device,
            self.precision,
            self.engine,
            self.threads,
            self.log_format,
            Limits(self.queue, self.max_request, self.max_pixels, self.timeout, self.memory),
        )


@click.command("serve")
@click.option(
    "--model",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_models,
    help="Model to load, NAME=WEIGHTS, or a FILE.onnx of polyfuse models export; repeat it. The first is the default.",
)
@click.option(
    "--host",
    default=LOCAL,
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen; an address that other machines reach needs a token.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free port.")
@click.option(
    "--token",
    metavar="TEXT",
    envvar=TOKEN,
    help=f"What requests must bring, better given as {TOKEN} in the environment.",
)
@click.option(
    "--queue",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    metavar="N",
    help="Requests that may wait; further ones get 429.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For one request, from its first byte to its answer.",
)
@click.option(
    "--max-request",
    type=MemorySize(),
    default="64MiB",
    show_default=True,
    metavar="SIZE",
    help="Refuse larger requests.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=1 << 26,
    show_default=True,
    metavar="N",
    help="Refuse pictures with more pixels.",
)
@click.option(
    "--memory",
    type=MemorySize(),
    metavar="SIZE",
    help="Memory the process may use, e.g. 2GiB; default half of what is free, at most 4GiB.",
)
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, ...")
@click.option(
    "--precision",
    type=click.Choice(["float32", "bf16", "tf32", "auto"]),
    default="float32",
    show_default=True,
    help="Arithmetic; auto takes bf16 where this machine multiplies it fast.",
)
@click.option(
    "--engine",
    type=click.Choice(["onnx", "openvino"]),
    default="onnx",
    show_default=True,
    help="What runs a FILE.onnx.",
)
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads; default is all cores.")
@click.option(
    "--log-format",
    type=click.Choice(["json", "text"]),
    default="json",
    show_default=True,
    help="The line of each request on stderr.",
)
@talk_options
def command(quiet: bool, **values: Any) -> None:
    """Answer over HTTP with what `polyfuse fuse` and `polyfuse evaluate` make.

    POST /fuse and POST /evaluate take files, GET /models, /health and /metrics tell of the service, and GET / is a page
    about it. The address goes to stdout, one line for each request to stderr. SIGTERM or Ctrl-C ends it once what it
    has taken on is done.
    """
    settings = ServeArguments.taken_from(values).settings()
    from polyfuse.service import serve

    serve(settings, say=speaker(quiet), ready=click.echo)
