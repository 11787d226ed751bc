"""`polyfuse explain`: how a model came to its result, as pictures; over folders, whether its paper's claims hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.options import (
    PATH,
    Arguments,
    ModelArguments,
    PictureArguments,
    model_options,
    picture_options,
    talk_options,
)
from polyfuse.cli.output import json_document, speaker
from polyfuse.cli.progress import progress
from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.families.spec import FusionModel
    from polyfuse.fusion import FuseOptions
    from polyfuse.io import Pair

DEFAULT_MAX_SIDE = 640
DEFAULT_OUT = Path("explained")
WITHOUT_MEANING = ("precision", "bit_depth", "tile", "memory")
"""Shared options that change nothing here: the model runs once in float32 over the whole picture."""


@dataclass(frozen=True)
class ExplainArguments(Arguments):
    """The options of `polyfuse explain` alone."""

    out: Path | None
    draw: bool
    match: Literal["stem", "order"]
    max_side: int
    overwrite: bool
    as_json: bool
    quiet: bool


@click.command("explain")
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option(
    "-o",
    "--out",
    type=PATH,
    metavar="DIR",
    help="Where to write; explained for a pair, nowhere for folders by default.",
)
@click.option("--draw", is_flag=True, help="Folders: also draw each pair, in a folder of its name in --out.")
@click.option(
    "--match",
    type=click.Choice(["stem", "order"]),
    default="stem",
    show_default=True,
    help="How the files of folders find each other.",
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@model_options
@picture_options
@talk_options
def command(a: Path, b: Path, **values: Any) -> None:
    """Draw how a model fused A (infrared, near-infrared, MRI) with B (visible, CT, PET, SPECT).

    Written paths go to stdout, everything else to stderr. Start with overview.png. If A and B are folders, the
    statistics that the model's paper makes claims about are measured on every pair, and a table says which claims hold.
    """
    arguments = ExplainArguments.taken_from(values)
    with json_document(arguments.as_json) as document:
        from polyfuse.io import find_pairs

        pairs = find_pairs(a, b, match=arguments.match)
        model_arguments = ModelArguments.taken_from(values)
        options = PictureArguments.taken_from(values).fuse_options()
        if a.is_dir():
            _explain_folders(pairs, arguments, model_arguments, options, document)
        elif arguments.draw:
            raise UsageError("--draw is for folders, a pair is always drawn: drop it.")
        else:
            _explain_pair(a, b, arguments, model_arguments, options, document)


def _explain_pair(
    a: Path,
    b: Path,
    arguments: ExplainArguments,
    model_arguments: ModelArguments,
    options: FuseOptions,
    document: dict[str, Any],
) -> None:
    """Draw one pair; `document` gets what `--json` prints."""
    from polyfuse.explain import check_ready

    say, out = speaker(arguments.quiet), arguments.out or DEFAULT_OUT
    check_ready(out, overwrite=arguments.overwrite)
    model = model_arguments.load(say)
    numbers, notes, paths = _drawn(a, b, out, model, options, arguments)
    for note in notes:
        say(note)
    document.update(numbers)
    document["files"] = []
    for path in paths:
        document["files"].append(str(path))
        if not arguments.as_json:
            click.echo(path)


def _drawn(
    a: Path, b: Path, out: Path, model: FusionModel, options: FuseOptions, arguments: ExplainArguments
) -> tuple[dict[str, Any], tuple[str, ...], Any]:
    """Numbers and notes of one pair, and the paths of its pictures, each drawn when it is asked for."""
    from polyfuse.explain import explain, save

    explanation = explain(a, b, model=model, options=options, max_side=arguments.max_side or None)
    return (
        explanation.numbers(),
        explanation.notes,
        save(explanation, out, overwrite=arguments.overwrite, inputs=(a, b)),
    )


def _explain_folders(
    pairs: Sequence[Pair],
    arguments: ExplainArguments,
    model_arguments: ModelArguments,
    options: FuseOptions,
    document: dict[str, Any],
) -> None:
    """Measure the pairs of two folders and print the table; `document` gets what `--json` prints."""
    from polyfuse.explain import check_claims_ready, check_ready, claims_text, measure_claims, save_claims
    from polyfuse.io import check_sizes

    say, out = speaker(arguments.quiet), arguments.out
    if arguments.draw and out is None:
        raise UsageError("--draw has nowhere to draw to: name a folder with --out.")
    if out is not None:
        check_claims_ready(out, overwrite=arguments.overwrite)
        for pair in pairs if arguments.draw else ():
            check_ready(out / pair.name, overwrite=arguments.overwrite)
    if options.resize is None:
        check_sizes(pairs, page=options.page, max_pixels=options.max_pixels)
    model = model_arguments.load(say)
    with progress(len(pairs), say, tell_failures=False, quiet=arguments.quiet) as shown:
        report = measure_claims(pairs, model, options=options, max_side=arguments.max_side or None, tell=shown.done)
    document.update(report.numbers())
    if not arguments.as_json:
        click.echo(claims_text(report), nl=False)
    if out is None:
        return
    inputs = [path for pair in pairs for path in (pair.a, pair.b)]
    paths = list(save_claims(report, out, overwrite=arguments.overwrite, inputs=inputs))
    for pair in pairs if arguments.draw else ():
        paths += _drawn(pair.a, pair.b, out / pair.name, model, options, arguments)[2]
    document["files"] = [str(path) for path in paths]
    say(f"{len(paths)} files in {out}")


command.params = [parameter for parameter in command.params if parameter.name not in WITHOUT_MEANING]
