"""`polyfuse fuse`: one pair, two folders of pictures or frames, a list of pairs, or two clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polyfuse.cli.clips import are_clips, fuse_clips, limit_flow
from polyfuse.cli.options import (
    PATH,
    load_model,
    model_options,
    picture_options,
    speaker,
    take_picture_options,
    talk_options,
)
from polyfuse.cli.output import json_document
from polyfuse.cli.progress import progress
from polyfuse.errors import PartialError, PolyfuseError, UsageError

if TYPE_CHECKING:
    from polyfuse.fusion import Outcome
    from polyfuse.io import Pair


@click.command("fuse")
@click.argument("a", type=PATH, required=False)
@click.argument("b", type=PATH, required=False)
@click.option("--ir", type=PATH, metavar="A", help="Another way to give A.")
@click.option("--vi", type=PATH, metavar="B", help="Another way to give B.")
@click.option("-o", "--out", type=PATH, metavar="PATH", help="File to write, or folder where several pairs are fused.")
@model_options
@picture_options
@click.option(
    "--match",
    type=click.Choice(["stem", "order"]),
    default="stem",
    show_default=True,
    help="How the files of two folders find each other.",
)
@click.option("--suffix", default=".png", show_default=True, metavar="EXT", help="Format of a folder's results.")
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="For JPEG and WebP.")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do after a pair that failed.",
)
@click.option("--resume", is_flag=True, help="Keep results that an earlier run made in the same way.")
@click.option("--overwrite", is_flag=True, help="Replace existing results.")
@click.option("--no-sidecar", is_flag=True, help="Write no .json beside the results.")
@click.option("--dry-run", is_flag=True, help="List the pairs and write nothing.")
@click.option(
    "--temporal",
    default="none",
    metavar="FILTER",
    show_default=True,
    help="Clips and folders of frames: none, exponential or flow, also as KIND:SHARE of the new frame.",
)
@click.option(
    "--codec",
    type=click.Choice(["auto", "h264", "h265", "vp9", "ffv1"]),
    default="auto",
    show_default=True,
    help="Clips: auto follows the suffix; ffv1 (.mkv) is lossless.",
)
@click.option("--crf", type=click.IntRange(0, 63), metavar="N", help="Clips: quality, lower is better.")
@click.option("--no-sound", is_flag=True, help="Clips: leave out the sound of B.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def command(a: Path | None, b: Path | None, ir: Path | None, vi: Path | None, **values: Any) -> None:
    """Fuse A (infrared, near-infrared, MRI) with B (visible, CT, PET, SPECT).

    A and B are two files, or two folders whose files are matched by stem; or A alone is a CSV file with the columns
    a, b and optionally name; or two video clips. Written paths go to stdout, everything else to stderr.
    """
    with json_document(values["as_json"]) as document:
        if (a is None) == (ir is None) or (b is not None and vi is not None):
            raise UsageError("give A and B once each, as arguments or as --ir and --vi.")
        first, second = a or ir or Path(), b or vi
        if are_clips(first, second, values) and second is not None:
            fuse_clips(first, second, values, document)
        else:
            _fuse(first, second, values, document)


def _fuse(a: Path, b: Path | None, values: dict[str, Any], document: dict[str, Any]) -> None:
    """Find the pairs and fuse them; `document` gets what became of each."""
    from polyfuse.fusion import Writing, fuse_pairs
    from polyfuse.io import check_sizes
    from polyfuse.video import fuse_frames

    quiet = values.pop("quiet")
    say = speaker(quiet)
    options = take_picture_options(values)
    pairs, many = _pairs(a, b, values["match"])
    temporal = _temporal(values, many)
    jobs = _jobs(pairs, values["out"], values["suffix"], many)
    skip = many and values["on_error"] == "skip"
    if options.resize is None and not skip:
        check_sizes(pairs, page=options.page, max_pixels=options.max_pixels)
    if values["dry_run"]:
        document["pairs"] = [_pair_json(pair, path) for pair, path in jobs]
        if not values["as_json"]:
            for pair, path in jobs:
                click.echo(f"{pair.a}  +  {pair.b}  ->  {path}")
        return
    limit_flow(temporal, values["threads"])
    model = load_model(values, say)
    document["model"] = model.provenance.name
    results = document["results"] = []
    writing = Writing(values["overwrite"], values["resume"], not values["no_sidecar"], values["quality"])
    failures: list[tuple[str, PolyfuseError]] = []
    with progress(len(jobs), say, tell_failures=skip, quiet=quiet) as shown:
        if temporal == "none":
            runs = fuse_pairs(jobs, model, options, writing=writing, on_error=values["on_error"], on_tile=shown.tile)
        else:
            runs = fuse_frames(jobs, model, options, temporal, writing=writing)
        for outcome in runs:
            shown.outcome(outcome)
            results.append(_outcome_json(outcome))
            if outcome.error is not None:
                failures.append((outcome.pair.name, outcome.error))
            elif not values["as_json"]:
                click.echo(outcome.path)
    if failures and skip:
        raise _summary([name for name, _ in failures], len(jobs))
    if failures and many:
        name, error = failures[0]
        done = f"{len(results) - len(failures)} of {len(jobs)} pairs are done, --resume keeps them"
        raise type(error)(f"{name}: {str(error).rstrip('.')}; {done}.") from error
    if failures:
        raise failures[0][1]


def _temporal(values: dict[str, Any], many: bool) -> str:
    """The filter along time, where there is a time."""
    from polyfuse.video.temporal import parse_temporal

    text: str = values["temporal"]
    if parse_temporal(text) is None:
        return text
    if not many:
        raise UsageError("--temporal is for clips and folders of frames: drop it.")
    if values["on_error"] == "skip":
        raise UsageError("--on-error skip would leave gaps in the sequence: drop it, or --temporal.")
    return text


def _pairs(a: Path, b: Path | None, match: str) -> tuple[list[Pair], bool]:
    """The pairs, and whether they were given as a folder or list."""
    from polyfuse.io import find_pairs, pairs_from_csv

    if b is None:
        if a.suffix.lower() != ".csv":
            raise UsageError(f"{a} has no partner: give two files, two folders, or one CSV file of pairs.")
        return pairs_from_csv(a), True
    return find_pairs(a, b, match=match), a.is_dir()  # type: ignore[arg-type]


def _jobs(pairs: list[Pair], out: Path | None, suffix: str, many: bool) -> list[tuple[Pair, Path]]:
    """Where each result goes: `fused.png` or the folder `fused` unless the user says otherwise."""
    from polyfuse.io import SUFFIXES

    if not many:
        target = out or Path("fused.png")
        if target.is_dir():
            target = target / f"{pairs[0].name}.png"
        if target.suffix.lower() not in SUFFIXES:
            raise UsageError(f"--out {target} ends in no picture suffix: use one of {' '.join(SUFFIXES)}.")
        return [(pairs[0], target)]
    folder = out or Path("fused")
    if folder.suffix.lower() in SUFFIXES or folder.is_file():
        raise UsageError(f"--out {folder} names a file but there are {len(pairs)} pairs: name a folder.")
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    if suffix.lower() not in SUFFIXES:
        raise UsageError(f"--suffix {suffix} is unknown: use one of {' '.join(SUFFIXES)}.")
    return [(pair, folder / f"{pair.name}{suffix}") for pair in pairs]


def _pair_json(pair: Pair, path: Path) -> dict[str, Any]:
    """One pair of `--json`, and where its result goes."""
    return {"name": pair.name, "a": str(pair.a), "b": str(pair.b), "out": str(path)}


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    """One result of `--json`."""
    return {
        **_pair_json(outcome.pair, outcome.path),
        "state": outcome.state,
        "error": None if outcome.error is None else str(outcome.error),
        "notes": list(outcome.notes),
    }


def _summary(names: list[str], total: int) -> PartialError:
    """The error that ends a run which went on after failures."""
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return PartialError(f"{len(names)} of {total} pairs failed ({some}): see the lines above, the others are complete.")
