"""`polyfuse downstream targets`: how well each input shows targets whose pixels are known."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polyfuse.cli.downstream_options import RowArguments, row_options
from polyfuse.cli.downstream_training import prepare
from polyfuse.cli.options import talk_options
from polyfuse.cli.output import json_document, speaker, table_width
from polyfuse.cli.progress import progress
from polyfuse.cli.values import PATH
from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.downstream.rows import Contestants
    from polyfuse.downstream.targets.comparison import TargetReport
    from polyfuse.downstream.targets.measures import Mask


@dataclass(frozen=True)
class TargetArguments(RowArguments):
    """The options of `polyfuse downstream targets`."""

    masks: Path
    out: Path
    pictures: int
    device: str
    threads: int | None
    as_json: bool
    quiet: bool


@click.command("targets")
@click.argument("paths", type=PATH, nargs=-1, metavar="A B")
@click.option("--masks", type=PATH, required=True, metavar="DIR", help="A mask for each pair; what is not 0 is target.")
@click.option(
    "-o",
    "--out",
    type=PATH,
    default=Path("targets"),
    show_default=True,
    metavar="DIR",
    help="Folder of the comparison: fused pictures, report.",
)
@row_options
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, ...: where models fuse.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads; default is all cores.")
@click.option(
    "--pictures",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    metavar="N",
    help="Pairs to draw, those on which rows differ most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def command(paths: tuple[Path, ...], **values: Any) -> None:
    """Measure how well each input shows targets whose pixels are known.

    A and B are the folders of infrared and visible pictures, or A alone is a CSV file with the columns a, b and name.
    Masks find pairs by their names. Nothing is trained: the measures are contrast against a ring, entropy, and whether
    local contrast finds the target. The table goes to stdout.
    """
    arguments = TargetArguments.taken_from(values)
    with json_document(arguments.as_json) as document:
        sources = 1 if paths and paths[-1].suffix.lower() == ".csv" else 2
        if len(paths) != sources:
            raise UsageError(f"{len(paths)} paths are given: give A and B, or a CSV file of pairs.")
        _measure(paths[0], paths[1] if sources == 2 else None, arguments, document)


def _measure(a: Path, b: Path | None, arguments: TargetArguments, document: dict[str, Any]) -> None:
    """Find, fuse, measure and show; `document` gets what `--json` prints."""
    from polyfuse.ablation import hold
    from polyfuse.downstream.folder import claim, write_tables
    from polyfuse.downstream.rows import find_contestants
    from polyfuse.downstream.targets import comparison
    from polyfuse.downstream.targets.pictures import draw
    from polyfuse.evaluation.documents import markdown_text
    from polyfuse.io import check_sizes, peek_size

    say = speaker(arguments.quiet)
    prepare(arguments.threads, arguments.device, arguments.pictures)
    masked = comparison.masked_pairs(a, b, arguments.masks)
    check_sizes(pair for pair, _ in masked)
    masks = {pair.name: comparison.read_target(path, peek_size(pair.a)) for pair, path in masked}
    claim(arguments.out, "targets")
    with hold(arguments.out):
        contestants = find_contestants(
            [pair for pair, _ in masked],
            arguments.out,
            fused=arguments.folders(),
            models=arguments.model_names,
            options=arguments.fuse_options(),
        )
        report = _carry_out(contestants, masks, arguments, say)
        document.update(comparison.document(report))
        markdown = markdown_text(comparison.grid(report))
        csv = comparison.table_csv(report)
        paths = write_tables(arguments.out, markdown=markdown, csv=csv, document=comparison.document(report))
        paths += draw(report, contestants, masks, arguments.out / "pictures", arguments.pictures)
    document["files"] = [str(path) for path in paths]
    say(f"{len(paths)} files in {arguments.out}")
    if not arguments.as_json:
        click.echo(_text(report), nl=False)


def _carry_out(
    contestants: Contestants, masks: dict[str, Mask], arguments: TargetArguments, say: Callable[[str], None]
) -> TargetReport:
    """Let the models fuse what is not there yet, and measure every row, telling progress."""
    from polyfuse.downstream.targets.comparison import TargetReport, measure_rows
    from polyfuse.downstream.targets.measures import TargetScore

    num_models = sum(row.kind == "model" for row in contestants.rows)
    total = (num_models + len(contestants.rows)) * len(contestants.pairs)
    scores: dict[str, list[TargetScore]] = {row.name: [] for row in contestants.rows}
    with progress(total, say, tell_failures=False, quiet=arguments.quiet, unit="picture") as shown:
        for outcome in contestants.fuse(device=arguments.device, precision=arguments.precision):
            shown.outcome(outcome)
        for row, pair, score in measure_rows(contestants, masks):
            scores[row.name].append(score)
            shown.done(pair.name)
    names = tuple(pair.name for pair in contestants.pairs)
    return TargetReport(names, contestants.rows, {name: tuple(values) for name, values in scores.items()})


def _text(report: TargetReport) -> str:
    """What goes to stdout."""
    from polyfuse.downstream.targets import comparison
    from polyfuse.evaluation.terminal import terminal_text

    return terminal_text(comparison.grid(report), width=table_width(), styled=sys.stdout.isatty()) + "\n"
