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
from polyfuse.errors import UsageError

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
    metavar="N",
    help=f"Reduce larger pictures to this many pixels, {DEFAULT_MAX_SIDE} unless given; 0 takes them as they are, "
    "at up to 6 kB of memory per pixel. --lost takes them as they are unless told otherwise.",
)
@click.option("--lost", is_flag=True, help="Draw which structure of A and B is gone instead; works with every model.")
@click.option(
    "--fused", type=PATH, metavar="FILE", help="With --lost: judge this fused picture, made by whatever, not a model's."
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@model_options
@picture_options
@talk_options
def command(
    a: Path,
    b: Path,
    out: Path,
    max_side: int | None,
    lost: bool,
    fused: Path | None,
    overwrite: bool,
    quiet: bool,
    **values: Any,
) -> None:
    """Draw how a model fused A (infrared, near-infrared, MRI) with B (visible, CT, PET, SPECT), or what got lost.

    Written paths go to stdout, everything else to stderr. Start with overview.png.
    """
    from polyfuse.explain import check_ready, explain, explain_lost, save

    say = speaker(quiet)
    model_arguments = ModelArguments.taken_from(values)
    _check_together(lost, fused, model_arguments)
    options = PictureArguments.taken_from(values).fuse_options()
    check_ready(out, overwrite=overwrite)
    if fused is not None:
        explanation = explain_lost(a, b, fused=fused, options=options, max_side=max_side or None)
    elif lost:
        explanation = explain_lost(a, b, model=model_arguments.load(say), options=options, max_side=max_side or None)
    else:
        side = DEFAULT_MAX_SIDE if max_side is None else max_side or None
        explanation = explain(a, b, model=model_arguments.load(say), options=options, max_side=side)
    for note in explanation.notes:
        say(note)
    inputs = (a, b) if fused is None else (a, b, fused)
    for path in save(explanation, out, overwrite=overwrite, inputs=inputs):
        click.echo(path)


def _check_together(lost: bool, fused: Path | None, model: ModelArguments) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: If a fused picture is given without --lost, or beside a model.
    """
    if fused is None:
        return
    if not lost:
        raise UsageError("--fused gives a picture whose losses are drawn: pass --lost as well.")
    if model.model.lower() != "auto" or model.weights is not None or model.border is not None or model.config:
        raise UsageError("--fused is made already and no model runs: drop --model, --weights, --border and --config.")


command.params = [parameter for parameter in command.params if parameter.name not in WITHOUT_MEANING]
