"""`polyfuse compare`: methods side by side on a page that opens from disk, or served from this machine; volumes too."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.compare_volumes import compare_volumes
from polyfuse.cli.completion import complete_metrics
from polyfuse.cli.evaluate import named_methods
from polyfuse.cli.options import Arguments, talk_options, two_cameras
from polyfuse.cli.output import json_document, print_path, speaker
from polyfuse.cli.progress import progress
from polyfuse.cli.values import PATH
from polyfuse.cli.volume_inputs import all_volumes, is_given, refuse
from polyfuse.errors import InputError, PartialError, UsageError

if TYPE_CHECKING:
    from polyfuse.comparison import Made, Request
    from polyfuse.families.spec import FusionModel
    from polyfuse.pages.preference import Preference

FOR_PICTURES = (
    "serve",
    "one_file",
    "metrics",
    "protocol",
    "no_maps",
    "match",
    "on_error",
    "workers",
    "max_pixels",
    "strict",
    "warp",
    "frame",
)
"""Options that have no meaning for volumes."""


@dataclass(frozen=True)
class CompareArguments(Arguments):
    """The options of `polyfuse compare`, all but `--fused`, `--models` and `--choices`."""

    out: Path | None
    metrics: str | None
    protocol: str
    title: str
    name_a: str
    name_b: str
    one_file: bool
    no_maps: bool
    match: Literal["stem", "order"]
    on_error: Literal["stop", "skip"]
    device: str
    threads: int | None
    workers: int | None
    max_pixels: int | None
    strict: bool
    overwrite: bool
    as_json: bool
    quiet: bool
    warp: Path | None
    frame: Literal["a", "b"]


@click.command("compare")
@click.argument("paths", type=PATH, nargs=-1, metavar="A B")
@click.option("--fused", "named", multiple=True, metavar="NAME=PATH", help="A method and its pictures; repeat it.")
@click.option(
    "--models",
    multiple=True,
    metavar="LIST",
    help="Models that fuse the pairs, such as "
    '"pyrfuse.road,laplacian", or NAME=WEIGHTS; the default model where nothing fused is given.',
)
@click.option("-o", "--out", type=PATH, metavar="DIR", help="Folder of the page; open its index.html.")
@click.option("--one-file", is_flag=True, help="Everything in one file, to send it: for few pictures.")
@click.option(
    "--metrics",
    metavar="LIST",
    shell_complete=complete_metrics,
    help='Names such as "VIF,Qabf,LOST", all, or none; default is a short list.',
)
@click.option("--protocol", default="cddfuse", show_default=True, metavar="NAME", help="Whose conventions to follow.")
@click.option("--title", default="", metavar="TEXT", help="Heading of the page.")
@click.option("--name-a", default="infrared", show_default=True, metavar="TEXT", help="What the page calls A.")
@click.option("--name-b", default="visible", show_default=True, metavar="TEXT", help="What the page calls B.")
@click.option("--no-maps", is_flag=True, help="Leave out the LOST and contribution maps.")
@click.option(
    "--match",
    type=click.Choice(["stem", "order"]),
    default="stem",
    show_default=True,
    help="How the files of folders find each other.",
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do about a picture that is missing or damaged.",
)
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, ...")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads of models; default is all cores.")
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Processes that score; default is one a core if worth it."
)
@click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Refuse pictures with more pixels.")
@click.option("--strict", is_flag=True, help="Refuse damaged JPEGs, which are filled in otherwise.")
@click.option(
    "--serve",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve the page on 127.0.0.1 instead of writing it, for folders too large to copy; 0 takes any free port.",
)
@click.option(
    "--choices",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="Print scores from what blind tests saved as JSON, of all files together; repeat it.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier page in --out.")
@two_cameras
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def command(
    paths: tuple[Path, ...],
    named: tuple[str, ...],
    models: tuple[str, ...],
    choices: tuple[Path, ...],
    serve: int | None,
    **values: Any,
) -> None:
    """Compare what methods made of A (infrared, MRI) and B (visible, CT, PET, SPECT), on a page to look at.

    A and B are two files, or two folders whose files are matched by stem; or A alone is a CSV file with the columns a,
    b and optionally name. The page opens from disk, without a server or network. Its path goes to stdout, everything
    else to stderr.
    """  # fmt: skip
    arguments = CompareArguments.taken_from(values)
    with json_document(arguments.as_json) as document:
        if choices:
            if paths or named or models or arguments.out or serve is not None:
                raise UsageError("--choices prints scores of blind tests by itself: drop the rest.")
            _print_choices(choices, arguments, document)
            return
        if not paths or len(paths) > 2:
            raise UsageError(f"{len(paths)} paths are given: give A and B (or a CSV file of pairs).")
        if all_volumes(paths, list(named_methods(named).values())):
            _compare_volumes(paths, named, models, arguments, document)
            return
        if serve is not None:
            _serve(paths, named, models, serve, arguments, document)
            return
        if arguments.out is None:
            raise UsageError("there is no folder for the page: pass -o DIR.")
        _compare(paths, named, models, arguments, document)


def _compare(
    paths: tuple[Path, ...],
    named: tuple[str, ...],
    models: tuple[str, ...],
    arguments: CompareArguments,
    document: dict[str, Any],
) -> None:
    """Make the page; `document` gets what `--json` prints."""
    from polyfuse.comparison import make_page
    from polyfuse.io.source import counted

    say = speaker(arguments.quiet)
    request = _request(paths, named, models, arguments)
    assert arguments.out is not None
    skip = arguments.on_error == "skip"
    with progress(0, say, tell_failures=skip, quiet=arguments.quiet, unit="step") as shown:
        made = make_page(
            request,
            arguments.out,
            overwrite=arguments.overwrite,
            one_file=arguments.one_file,
            tell=lambda name, notes, error: shown.done(name, notes, error),
            begin=lambda total: shown.frame(0, total),
        )
    say(f"{counted(made.num_pairs, 'pair')} and {counted(len(made.methods), 'method')}: open the page in a browser")
    document.update(_facts(made))
    if not arguments.as_json:
        print_path(made.index)
    if made.failures:
        failed = [name for name, _ in made.failures]
        some = ", ".join(failed[:5]) + (", ..." if len(failed) > 5 else "")
        raise PartialError(f"{len(failed)} could not be shown ({some}): see the lines above, the others are complete.")


def _compare_volumes(
    paths: tuple[Path, ...],
    named: tuple[str, ...],
    models: tuple[str, ...],
    arguments: CompareArguments,
    document: dict[str, Any],
) -> None:
    """Make the page of volumes; `document` gets what `--json` prints."""
    from polyfuse import registry
    from polyfuse.comparison.volumes import VolumeRequest

    refuse(FOR_PICTURES)
    if arguments.out is None:
        raise UsageError("there is no folder for the page: pass -o DIR.")
    request = VolumeRequest(
        paths[0],
        paths[1],
        named_methods(named),
        _models(models or (() if named else (registry.VOLUME_DEFAULT,)), arguments),
        arguments.name_a if is_given("name_a") else "",
        arguments.name_b if is_given("name_b") else "",
        arguments.title,
        shlex.join(["polyfuse", *sys.argv[1:]]),
    )
    compare_volumes(
        request,
        arguments.out,
        document,
        overwrite=arguments.overwrite,
        quiet=arguments.quiet,
        as_json=arguments.as_json,
    )


def _serve(
    paths: tuple[Path, ...],
    named: tuple[str, ...],
    models: tuple[str, ...],
    port: int,
    arguments: CompareArguments,
    document: dict[str, Any],
) -> None:
    """Serve the page until it is interrupted; its address goes to stdout at once."""
    from polyfuse.comparison.serve import serve

    say = speaker(arguments.quiet)
    if arguments.out is not None or arguments.one_file or arguments.metrics is not None or models:
        raise UsageError("--serve writes nothing, scores nothing and runs no models: drop -o, --metrics and --models.")
    if not named:
        raise UsageError("--serve shows pictures that are there: give --fused NAME=DIR.")

    def ready(address: str) -> None:
        document["address"] = address
        if not arguments.as_json:
            click.echo(address)
        say("open it in a browser on this machine; Ctrl-C ends it")

    serve(_request(paths, named, models, arguments), port, say=say, ready=ready)


def _request(
    paths: tuple[Path, ...], named: tuple[str, ...], models: tuple[str, ...], arguments: CompareArguments
) -> Request:
    """The comparison that the options ask for."""
    from polyfuse.alignment import read_warp
    from polyfuse.comparison import Request
    from polyfuse.io import DEFAULT_MAX_PIXELS

    if arguments.warp is None and arguments.frame != "b":
        raise UsageError("--frame says on whose pixels a warped pair is: pass --warp as well, or drop it.")
    metrics = None
    if arguments.metrics is not None:
        words = arguments.metrics.replace(",", " ").split()
        metrics = () if [word.lower() for word in words] == ["none"] else tuple(words)
        if arguments.metrics.strip() == "":
            raise UsageError("--metrics names none: write for example VIF,Qabf, or none.")
    return Request(
        paths[0],
        paths[1] if len(paths) == 2 else None,
        named_methods(named),
        _models(models if models or named else ("auto",), arguments),
        metrics,
        arguments.protocol,
        arguments.match,
        arguments.on_error,
        arguments.device,
        DEFAULT_MAX_PIXELS if arguments.max_pixels is None else arguments.max_pixels,
        arguments.strict,
        arguments.workers,
        None if arguments.warp is None else read_warp(arguments.warp),
        arguments.frame,
        not arguments.no_maps,
        arguments.name_a,
        arguments.name_b,
        arguments.title,
        shlex.join(["polyfuse", *sys.argv[1:]]),
    )


def _models(lists: tuple[str, ...], arguments: CompareArguments) -> dict[str, FusionModel]:
    """The models of `--models`, by the names that the page shows."""
    import torch

    from polyfuse import registry

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    loaded: dict[str, FusionModel] = {}
    for text in (part.strip() for one in lists for part in one.split(",")):
        name, sign, weights = (part.strip() for part in text.partition("="))
        if not name or (sign and not weights):
            raise UsageError(f"--models {text!r} is no model: write NAME, or NAME=WEIGHTS.")
        model = registry.load(name, weights=Path(weights) if weights else None, device=arguments.device)
        called = f"{model.provenance.name} {Path(weights).stem}" if weights else model.provenance.name
        if called in loaded:
            raise UsageError(f"--models names {called} twice: drop one.")
        loaded[called] = model
    return loaded


def _facts(made: Made) -> dict[str, Any]:
    """What `--json` says of a page."""
    from polyfuse.evaluation.records import document as report_document

    return {
        "page": str(made.index),
        "pairs": made.num_pairs,
        "methods": list(made.methods),
        "failures": [{"name": name, "message": str(error)} for name, error in made.failures],
        "scores": None if made.report is None else report_document(made.report),
    }


def _print_choices(files: tuple[Path, ...], arguments: CompareArguments, document: dict[str, Any]) -> None:
    """Print the Bradley-Terry scores of all choices together.

    Raises:
        InputError: If a file cannot be read or is no such file, or one is there twice.
    """
    from polyfuse.io.source import counted, shown
    from polyfuse.pages.preference import bradley_terry, read_choices

    choices = [choice for path in files for choice in read_choices(path)]
    first: dict[bytes, Path] = {}
    for path in files:
        if (earlier := first.setdefault(path.read_bytes(), path)) is not path:
            raise InputError(f"{shown(path)} holds the choices of {shown(earlier)} again: give each once.")
    scores = bradley_terry(choices)
    document.update(
        choices=len(choices),
        scores=[
            {
                "method": one.method, "score": one.score, "error": one.error, "chance": one.chance,
                "wins": one.wins, "losses": one.losses, "ties": one.ties,
            }
            for one in scores
        ],
    )  # fmt: skip
    if not arguments.as_json:
        speaker(arguments.quiet)(f"{counted(len(choices), 'choice')} of {counted(len(files), 'file')}")
        click.echo(_choices_table(scores))


def _choices_table(scores: list[Preference]) -> str:
    """The scores as lines of text."""
    width = max([len("method"), *(len(one.method) for one in scores)])
    head = f"{'method':<{width}}   score      ±  preferred    won   lost  neither"
    lines = [
        f"{one.method:<{width}}  {one.score:6.2f} {one.error:6.2f}     {one.chance:6.2f} "
        f"{one.wins:6d} {one.losses:6d} {one.ties:8d}"
        for one in scores
    ]
    return "\n".join([head, *lines])
