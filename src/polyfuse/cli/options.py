"""Options that several verbs share, spelled the same in each, and what they mean to the library."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
PIPE_WIDTH = 120
"""Characters of a line of a table where stdout is no terminal."""


class MemorySize(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: 2GiB, 512MiB, 1.5GB, or a plain number."""

    name = "size"
    _UNITS: ClassVar = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the text."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9.]+)\s*([KMG]?)(i?B)?", str(value), re.IGNORECASE)
        try:
            if match is None:
                raise ValueError(value)
            return int(float(match[1]) * self._UNITS[match[2].upper()])
        except ValueError:
            self.fail(f"{value!r} is no size: write for example 2GiB or 512MiB.", param, ctx)


def _stack(command: Command, options: list[Callable[[Any], Any]]) -> Command:
    """Apply option decorators so that help lists them in the order given."""
    for option in reversed(options):
        command = option(command)
    return command


def model_options(command: Command) -> Command:
    """Which model, and where and how it computes."""
    return _stack(
        command,
        [
            click.option("--model", default="auto", metavar="NAME", help="Model, see `polyfuse models list`."),
            click.option("--weights", type=PATH, metavar="FILE", help="Weights file for an architecture such as fnet."),
            click.option("--border", type=click.Choice(["zeros", "reflect"]),
                         help="FNet: as published, or mirrored; unless given, what the weights are for."),
            click.option("--precision", type=click.Choice(["float32", "bf16", "tf32", "auto"]), default="float32",
                         show_default=True, help="Arithmetic; auto takes bf16 where this machine multiplies it fast."),
            click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, ..."),
            click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads; default is all cores."),
        ],
    )  # fmt: skip


def picture_options(command: Command) -> Command:
    """How pictures are read, mapped and coloured."""
    return _stack(
        command,
        [
            click.option("--range", "range_", default="full", metavar="SPEC", show_default=True,
                         help="Values of A that become black and white: full, minmax, percentile[:LO,HI] or LO,HI."),
            click.option("--range-b", default="full", metavar="SPEC", show_default=True, help="The same for B."),
            click.option("--stretch", default="auto", metavar="SPEC", show_default=True,
                         help="Stretch of the result: auto (as published), none, minmax or percentile[:LO,HI]."),
            click.option("--grey", is_flag=True, help="Grey result although a source has colour."),
            click.option("--luma", type=click.Choice(["auto", "full", "studio"]), default="auto", show_default=True,
                         help="Luma range of B; auto follows the weights."),
            click.option("--gamut", type=click.Choice(["auto", "safe", "clip", "official"]), default="auto",
                         show_default=True, help="How colour is put back; auto follows the weights."),
            click.option("--colour-from", type=click.Choice(["auto", "a", "b"]), default="auto", show_default=True,
                         help="Source of the colour; auto is B if it has any."),
            click.option("--bit-depth", type=click.Choice(["auto", "same", "8", "16"]), default="auto",
                         show_default=True, help="Depth of the result; same is the deeper source's."),
            click.option("--resize", type=click.Choice(["a", "b"]), help="Resample it to the other one's size."),
            click.option("--page", type=click.IntRange(0), default=0, metavar="N", help="Page of a TIFF, from 0."),
            click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Refuse pictures with more pixels."),
            click.option("--tile", type=click.IntRange(16), metavar="SIZE", help="Work in tiles of this many pixels."),
            click.option("--memory", type=MemorySize(), metavar="SIZE",
                         help="Memory the process may use, e.g. 2GiB; default half of what is free, at most 4GiB."),
        ],
    )  # fmt: skip


def talk_options(command: Command) -> Command:
    """How much the command says."""
    return _stack(
        command,
        [
            click.option("--quiet", is_flag=True, help="Nothing on stderr but errors."),
            click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
        ],
    )


def take_picture_options(values: dict[str, Any]) -> Any:
    """Remove the values of `picture_options` from `values` and return them as `FuseOptions`."""
    from polyfuse.fusion import FuseOptions

    names = ("range_b", "stretch", "grey", "luma", "gamut", "colour_from", "bit_depth", "resize", "page", "tile")
    taken = {name: values.pop(name) for name in (*names, "memory")}
    taken["range"] = values.pop("range_")
    max_pixels = values.pop("max_pixels")
    if max_pixels is not None:
        taken["max_pixels"] = max_pixels
    return FuseOptions(**taken)


def load_model(values: dict[str, Any], say: Callable[[str], None]) -> Any:
    """Remove the values of `model_options` from `values` and return the model they name, ready to run."""
    import torch

    from polyfuse import registry

    threads = values.pop("threads")
    if threads is not None:
        torch.set_num_threads(threads)
    name, weights = values.pop("model"), values.pop("weights")
    if name == "auto" and weights is None:
        say(f"model {registry.DEFAULT}: the default")
    return registry.load(
        name,
        weights=weights,
        device=values.pop("device"),
        precision=values.pop("precision"),
        border=values.pop("border"),
    )


def speaker(quiet: bool) -> Callable[[str], None]:
    """Return a function that prints one line on stderr, or nothing."""

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    return say
