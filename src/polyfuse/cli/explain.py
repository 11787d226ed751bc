"""`polyfuse explain`: how a model came to its result, as pictures; over folders, whether its paper's claims hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.options import (
    Arguments,
    ModelArguments,
    PictureArguments,
    model_options,
    picture_options,
    talk_options,
)
from polyfuse.cli.output import json_document, speaker
from polyfuse.cli.progress import progress
from polyfuse.cli.values import PATH
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
    max_side: int | None
    lost: bool
    fused: Path | None
    overwrite: bool
    as_json: bool
    quiet: bool

    @property
    def side(self) -> int | None:
        """Longest side in pixels; None for no limit."""
        if self.max_side is None:
            return None if self.lost else DEFAULT_MAX_SIDE
        return self.max_side or None


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
    metavar="N",
    help=f"Reduce larger pictures to this many pixels, {DEFAULT_MAX_SIDE} unless given; 0 takes them as they are, "
    "at up to 6 kB of memory per pixel. --lost takes them as they are unless told otherwise.",
)
@click.option("--lost", is_flag=True, help="Draw which structure of A and B is gone instead; works with every model.")
@click.option(
    "--fused", type=PATH, metavar="FILE", help="With --lost: judge this fused picture, made by whatever, not a model's."
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@model_options
@picture_options
@talk_options
def command(a: Path, b: Path, **values: Any) -> None:
    """Draw how a model fused A (infrared, near-infrared, MRI) with B (visible, CT, PET, SPECT), or what got lost.

    Written paths go to stdout, everything else to stderr. Start with overview.png. If A and B are folders, the
    statistics that the model's paper makes claims about are measured on every pair, and a table says which claims hold.
    """
    arguments = ExplainArguments.taken_from(values)
    with json_document(arguments.as_json) as document:
        from polyfuse.io import find_pairs

        pairs = find_pairs(a, b, match=arguments.match)
        model_arguments = ModelArguments.taken_from(values)
        _check_together(arguments, a, model_arguments)
        options = PictureArguments.taken_from(values).fuse_options()
        if a.is_dir():
            _explain_folders(pairs, arguments, model_arguments, options, document)
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
    model = None
    if arguments.fused is None:
        model = model_arguments.load(say)
    else:
        model_arguments.set_threads()
    numbers, notes, paths = _drawn(a, b, out, model, options, arguments, model_arguments.weights)
    for note in notes:
        say(note)
    document.update(numbers)
    document["files"] = []
    for path in paths:
        document["files"].append(str(path))
        if not arguments.as_json:
            click.echo(path)


def _drawn(
    a: Path,
    b: Path,
    out: Path,
    model: FusionModel | None,
    options: FuseOptions,
    arguments: ExplainArguments,
    weights: Path | None,
) -> tuple[dict[str, Any], tuple[str, ...], Iterator[Path]]:
    """Numbers and notes of one pair, and the paths of its pictures, each drawn when it is asked for.

    Without a model the picture of `--fused` is looked at.
    """
    from polyfuse.explain import explain, explain_lost, save

    inputs = [path for path in (a, b, arguments.fused, weights) if path]
    if model is None:
        explanation = explain_lost(a, b, fused=arguments.fused, options=options, max_side=arguments.side)
    else:
        how = explain_lost if arguments.lost else explain
        explanation = how(a, b, model=model, options=options, max_side=arguments.side)
    return (
        explanation.numbers(),
        explanation.notes,
        save(explanation, out, overwrite=arguments.overwrite, inputs=inputs),
    )


def _explain_folders(
    pairs: Sequence[Pair],
    arguments: ExplainArguments,
    model_arguments: ModelArguments,
    options: FuseOptions,
    document: dict[str, Any],
) -> None:
    """Measure the pairs of two folders and print the table; `document` gets what `--json` prints."""
    from polyfuse.alignment.apply import check_pairs_fit
    from polyfuse.explain import check_claims_ready, check_ready, claims_text, measure_claims, save_claims
    from polyfuse.io import check_sizes

    say, out = speaker(arguments.quiet), arguments.out
    if arguments.draw and out is None:
        raise UsageError("--draw has nowhere to draw to: name a folder with --out.")
    if out is not None:
        check_claims_ready(out, overwrite=arguments.overwrite)
        for pair in pairs if arguments.draw else ():
            check_ready(out / pair.name, overwrite=arguments.overwrite)
    if options.warp is not None:
        in_roles = [pair.swapped() if options.swap else pair for pair in pairs]
        check_pairs_fit(options.aligning, in_roles, page=options.page, max_pixels=options.max_pixels)
    elif options.resize is None:
        check_sizes(pairs, page=options.page, max_pixels=options.max_pixels)
    model = model_arguments.load(say)
    with progress(len(pairs), say, tell_failures=False, quiet=arguments.quiet) as shown:
        report = measure_claims(pairs, model, options=options, max_side=arguments.side, tell=shown.done)
    document.update(report.numbers())
    if not arguments.as_json:
        click.echo(claims_text(report), nl=False)
    if out is None:
        return
    weights = model_arguments.weights
    inputs = [path for pair in pairs for path in (pair.a, pair.b)] + ([weights] if weights else [])
    paths = list(save_claims(report, out, overwrite=arguments.overwrite, inputs=inputs))
    for pair in pairs if arguments.draw else ():
        paths += _drawn(pair.a, pair.b, out / pair.name, model, options, arguments, weights)[2]
    document["files"] = [str(path) for path in paths]
    say(f"{len(paths)} files in {out}")


def _check_together(arguments: ExplainArguments, a: Path, model: ModelArguments) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: If an option is for folders and A is none, or the reverse; or a fused picture is given without
            --lost, or beside a model.
    """
    if arguments.lost and a.is_dir():
        raise UsageError("--lost looks at one pair: name two files, or score folders with `polyfuse evaluate`.")
    if arguments.draw and not a.is_dir():
        raise UsageError("--draw is for folders, a pair is always drawn: drop it.")
    if arguments.fused is None:
        return
    if not arguments.lost:
        raise UsageError("--fused gives a picture whose losses are drawn: pass --lost as well.")
    runs = model.model.lower() != "auto" or model.weights is not None or model.device != "cpu"
    if runs or model.border is not None or model.config:
        raise UsageError(
            "--fused is made already and no model runs: drop --model, --weights, --device, --border and --config."
        )


command.params = [parameter for parameter in command.params if parameter.name not in WITHOUT_MEANING]
