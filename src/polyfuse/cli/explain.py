"""`polyfuse explain`: how a model came to its result, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from polyfuse.cli.options import (
    PATH,
    ModelArguments,
    PictureArguments,
    model_options,
    picture_options,
    talk_options,
)
from polyfuse.cli.output import speaker

DEFAULT_MAX_SIDE = 640
WITHOUT_MEANING = ("precision", "bit_depth", "tile", "memory")
"""Shared options that change nothing here: the model runs once in float32 over the whole picture."""


@click.command("explain")
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option(
    "-o", "--out", type=PATH, default=Path("explained"), show_default=True, metavar="DIR", help="Where to write."
)
@click.option(
    "--max-side",
    type=click.IntRange(0),
    default=DEFAULT_MAX_SIDE,
    show_default=True,
    metavar="N",
    help="Reduce larger pictures to this many pixels; 0 takes them as they are, at up to 6 kB of memory per pixel.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@model_options
@picture_options
@talk_options
def command(a: Path, b: Path, out: Path, max_side: int, overwrite: bool, quiet: bool, **values: Any) -> None:
    """Draw how a model fused A (infrared, near-infrared, MRI) with B (visible, CT, PET, SPECT).

    Written paths go to stdout, everything else to stderr. Start with overview.png.
    """
    from polyfuse.explain import check_ready, explain, save

    say = speaker(quiet)
    model_arguments = ModelArguments.taken_from(values)
    options = PictureArguments.taken_from(values).fuse_options()
    check_ready(out, overwrite=overwrite)
    model = model_arguments.load(say)
    explanation = explain(a, b, model=model, options=options, max_side=max_side or None)
    for note in explanation.notes:
        say(note)
    for path in save(
        explanation, out, overwrite=overwrite, inputs=[path for path in (a, b, model_arguments.weights) if path]
    ):
        click.echo(path)


command.params = [parameter for parameter in command.params if parameter.name not in WITHOUT_MEANING]
