"""`polyfuse downstream detect-trained`: a small detector trained on each input from scratch."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polyfuse.cli.downstream_options import compare_options, row_options
from polyfuse.cli.downstream_training import TrainingArguments, fuse_all, run_all, training_options, warn_of_overlap
from polyfuse.cli.options import talk_options
from polyfuse.cli.output import json_document, speaker, table_width
from polyfuse.cli.values import PATH

if TYPE_CHECKING:
    from polyfuse.downstream.detection.trained.comparison import DetectionReport
    from polyfuse.downstream.detection.truth import Truth
    from polyfuse.downstream.rows import Contestants

TRUTH = "truth.json"
"""Labels of drawn scenes, taken where none are named."""


@dataclass(frozen=True)
class DetectTrainedArguments(TrainingArguments):
    """The options of `polyfuse downstream detect-trained`."""

    train_truth: Path | None
    test_truth: Path | None


@click.command("detect-trained")
@click.argument("train", type=PATH)
@click.argument("test", type=PATH)
@click.option(
    "-o",
    "--out",
    type=PATH,
    default=Path("detection-trained"),
    show_default=True,
    metavar="DIR",
    help="Folder of the comparison: fused pictures, trainings, report.",
)
@row_options
@compare_options
@click.option("--train-truth", type=PATH, metavar="PATH", help="Boxes of TRAIN; default is truth.json in it.")
@click.option("--test-truth", type=PATH, metavar="PATH", help="Boxes of TEST; default is truth.json in it.")
@training_options
@talk_options
def command(train: Path, test: Path, **values: Any) -> None:
    """Train a small detector on each input's pictures of TRAIN and score it on those of TEST.

    TRAIN and TEST are data sets of pairs with boxes: of drawn scenes, COCO, Pascal VOC, YOLO or KAIST. Inputs are
    infrared and visible alone, average, maximum, and what --models and --fused add. All get the same first weights,
    crops and steps. The same command again goes on where it stopped. The table goes to stdout.
    """
    arguments = DetectTrainedArguments.taken_from(values)
    with json_document(arguments.as_json) as document:
        _detect(train, test, arguments, document)


def _detect(train: Path, test: Path, arguments: DetectTrainedArguments, document: dict[str, Any]) -> None:
    """Find, fuse, train, score and show; `document` gets what `--json` prints."""
    from polyfuse.ablation import hold
    from polyfuse.downstream.detection.scoring import require_coco_eval
    from polyfuse.downstream.detection.trained import comparison
    from polyfuse.downstream.detection.trained.pictures import draw
    from polyfuse.downstream.folder import claim, write_tables
    from polyfuse.evaluation.documents import markdown_text

    say = speaker(arguments.quiet)
    arguments.prepare()
    published = arguments.published("detection", test, say)
    require_coco_eval()
    parts = [
        _found("train", train, arguments.train_split, arguments.train_list, arguments.train_truth, arguments),
        _found("test", test, arguments.test_split, arguments.test_list, arguments.test_truth, arguments),
    ]
    plan = comparison.make_plan(
        parts[0], parts[1], arguments.budget(), arguments.seeds, arguments.out, arguments.device
    )
    for note in dict.fromkeys(note for truth, _ in parts for note in truth.notes):
        say(note)
    claim(arguments.out, "detection")
    with hold(arguments.out):
        warn_of_overlap(parts[0][1], parts[1][1], say)
        fuse_all([rows for _, rows in parts], arguments, say)
        count = len(plan.test.contestants.rows) * plan.seeds
        trials = run_all(plan.trials, count, arguments, say)
        report = replace(comparison.make_report(plan, trials), published=published)
        document.update(comparison.document(report))
        markdown, csv = markdown_text(comparison.grid(report)), comparison.table_csv(report)
        paths = write_tables(arguments.out, markdown=markdown, csv=csv, document=comparison.document(report))
        paths += draw(report, plan.test.contestants, arguments.out / "pictures", arguments.pictures)
    document["files"] = [str(path) for path in paths]
    say(f"{len(paths)} files in {arguments.out}")
    if not arguments.as_json:
        click.echo(_text(report), nl=False)


def _found(
    part: str, folder: Path, split: str, names: Path | None, truth: Path | None, arguments: DetectTrainedArguments
) -> tuple[Truth, Contestants]:
    """Boxes and rows of the pairs of a set that are meant."""
    from polyfuse.data.layouts import find_set
    from polyfuse.downstream.detection.labels import read_truth
    from polyfuse.downstream.lists import chosen

    every = find_set(folder, split).pairs
    contestants = arguments.contestants(list(chosen(every, names)), part)
    sizes = {pair.name: contestants.size(pair) for pair in every}
    return read_truth(truth or folder / TRUTH, sizes), contestants


def _text(report: DetectionReport) -> str:
    """What goes to stdout."""
    from polyfuse.downstream.detection.trained import comparison
    from polyfuse.evaluation.terminal import terminal_text

    return terminal_text(comparison.grid(report), width=table_width(), styled=sys.stdout.isatty()) + "\n"
