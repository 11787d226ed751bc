"""`polyfuse downstream segment`: segmentation trained on each input from scratch, all under equal conditions."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.downstream_options import compare_options, row_options
from polyfuse.cli.downstream_training import TrainingArguments, fuse_all, run_all, training_options, warn_of_overlap
from polyfuse.cli.options import talk_options
from polyfuse.cli.output import json_document, speaker, table_width
from polyfuse.cli.values import PATH

if TYPE_CHECKING:
    from polyfuse.downstream.rows import Contestants
    from polyfuse.downstream.segmentation.comparison import SegmentationReport
    from polyfuse.downstream.segmentation.truth import LabelledSet


@dataclass(frozen=True)
class SegmentArguments(TrainingArguments):
    """The options of `polyfuse downstream segment`."""

    network: Literal["unet", "segformer-b0"]
    classes: Path | None
    ignore: int | None


@click.command("segment")
@click.argument("train", type=PATH)
@click.argument("test", type=PATH)
@click.option(
    "-o",
    "--out",
    type=PATH,
    default=Path("segmentation"),
    show_default=True,
    metavar="DIR",
    help="Folder of the comparison: fused pictures, trainings, report.",
)
@row_options
@compare_options
@click.option(
    "--network",
    type=click.Choice(["unet", "segformer-b0"]),
    default="unet",
    show_default=True,
    help="Our small U-Net, or SegFormer-B0 without any weights.",
)
@click.option("--classes", type=PATH, metavar="FILE", help="Names of the classes, one a line, if the set says none.")
@click.option("--ignore", type=click.IntRange(0, 65535), metavar="N", help="Index in masks that is not counted.")
@training_options
@talk_options
def command(train: Path, test: Path, **values: Any) -> None:
    """Train a segmentation network on each input's pictures of TRAIN and score it on those of TEST.

    TRAIN and TEST are data sets with a mask of classes for each pair: drawn scenes, MFNet, MSRS, FMB, or folders such
    as ir, vi and masks. Inputs are infrared and visible alone, average, maximum, and what --models and --fused add. All
    get the same first weights, crops and steps. The same command again goes on where it stopped. The table goes to
    stdout.
    """
    arguments = SegmentArguments.taken_from(values)
    with json_document(arguments.as_json) as document:
        _segment(train, test, arguments, document)


def _segment(train: Path, test: Path, arguments: SegmentArguments, document: dict[str, Any]) -> None:
    """Find, fuse, train, score and show; `document` gets what `--json` prints."""
    from polyfuse.ablation import hold
    from polyfuse.downstream.folder import claim, write_tables
    from polyfuse.downstream.segmentation import tables
    from polyfuse.downstream.segmentation.comparison import make_plan, make_report
    from polyfuse.downstream.segmentation.networks import build_network
    from polyfuse.downstream.segmentation.pictures import draw
    from polyfuse.evaluation.documents import markdown_text

    say = speaker(arguments.quiet)
    arguments.prepare()
    published = arguments.published("segmentation", test, say)
    sets = [_found(train, arguments.train_split, arguments.train_list, arguments)]
    sets.append(_found(test, arguments.test_split, arguments.test_list, arguments))
    build_network(arguments.network, len(sets[0].classes.names))  # refuses early what needs a package that is missing
    claim(arguments.out, "segmentation")
    with hold(arguments.out):
        parts = [_with_rows(part, labelled, arguments) for part, labelled in zip(("train", "test"), sets, strict=True)]
        warn_of_overlap(parts[0][1], parts[1][1], say)
        plan = make_plan(
            parts[0], parts[1], arguments.network, arguments.budget(), arguments.seeds, arguments.out, arguments.device
        )
        fuse_all([rows for _, rows in parts], arguments, say)
        count = len(plan.test.contestants.rows) * plan.seeds
        report = replace(make_report(plan, run_all(plan.trials, count, arguments, say)), published=published)
        document.update(tables.document(report))
        grid = tables.grid(report)
        paths = write_tables(
            arguments.out, markdown=markdown_text(grid), csv=tables.table_csv(report), document=tables.document(report)
        )
        if arguments.pictures:
            paths += draw(plan, report, arguments.out / "pictures", arguments.pictures, overwrite=True)
    document["files"] = [str(path) for path in paths]
    say(f"{len(paths)} files in {arguments.out}")
    if not arguments.as_json:
        click.echo(_text(report), nl=False)


def _found(folder: Path, split: str, names: Path | None, arguments: SegmentArguments) -> LabelledSet:
    """The pairs of a set that are meant."""
    from polyfuse.downstream.lists import chosen
    from polyfuse.downstream.segmentation.truth import find_labelled

    labelled = find_labelled(folder, split, classes=arguments.classes, ignore=arguments.ignore)
    return replace(labelled, pairs=chosen(labelled.pairs, names))


def _with_rows(part: str, labelled: LabelledSet, arguments: SegmentArguments) -> tuple[LabelledSet, Contestants]:
    """The pairs as two files each, and all rows for them."""
    from polyfuse.downstream.segmentation.truth import unpacked

    apart = unpacked(labelled, arguments.out / part / "sources")
    return apart, arguments.contestants([item.pair for item in apart.pairs], part)


def _text(report: SegmentationReport) -> str:
    """What goes to stdout."""
    from polyfuse.downstream.segmentation import tables
    from polyfuse.evaluation.terminal import terminal_text

    return terminal_text(tables.grid(report), width=table_width(), styled=sys.stdout.isatty()) + "\n"
