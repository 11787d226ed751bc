"""`polyfuse downstream detect`: how well a detector does on each source, on baselines and on fused pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.downstream_options import NamedFile, RowArguments, by_name, compare_options, given_pairs, row_options
from polyfuse.cli.options import Arguments, talk_options
from polyfuse.cli.output import json_document, speaker, table_width
from polyfuse.cli.progress import progress
from polyfuse.cli.values import PATH
from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.downstream.detection.found import Found
    from polyfuse.downstream.detection.onnx_detector import OnnxDetector
    from polyfuse.downstream.detection.run import Comparison
    from polyfuse.downstream.detection.truth import Truth
    from polyfuse.downstream.rows import Contestants
    from polyfuse.io import Pair

Say = Callable[[str], None]


@dataclass(frozen=True)
class DetectArguments(Arguments):
    """The options of `polyfuse downstream detect` beside those of the rows."""

    truth: Path | None
    split: Literal["train", "val", "test", "all"] | None
    at_random: bool
    check_leaks: bool
    detectors: tuple[tuple[str, Path], ...]
    predictions: tuple[tuple[str, Path], ...]
    classes: str | None
    merge: tuple[str, ...]
    score: float
    out: Path
    pictures: int
    absent: Literal["stop", "skip"]
    as_json: bool
    overwrite: bool
    device: str
    threads: int | None
    workers: int
    quiet: bool
    compare: tuple[str, ...]
    dataset: str | None

    @property
    def detector(self) -> tuple[str, Path] | None:
        """Description and file of the detector, if there is one.

        Raises:
            UsageError: If there are more.
        """
        if len(self.detectors) > 1:
            raise UsageError("a run has one --detector: run the command once for each, with another --out.")
        return self.detectors[0] if self.detectors else None

    def merges(self) -> dict[str, str]:
        """New name of a class by its old one.

        Raises:
            UsageError: If an entry is no NAME=LIST.
        """
        names: dict[str, str] = {}
        for text in self.merge:
            name, _, members = (part.strip() for part in text.partition("="))
            old = [member.strip() for member in members.split(",") if member.strip()]
            if not name or not old:
                raise UsageError(f"--merge {text} is no NAME=LIST: write for example car=bus,truck.")
            names.update(dict.fromkeys(old, name))
        return names


@click.command("detect")
@click.argument("a", type=PATH)
@click.argument("b", type=PATH, required=False)
@click.option(
    "--truth", type=PATH, metavar="PATH", help="True boxes: COCO JSON, or a folder of VOC, YOLO or KAIST labels."
)
@click.option(
    "--detector",
    "detectors",
    type=NamedFile(),
    multiple=True,
    metavar="NAME=FILE",
    help="Description and ONNX file, centernet=FILE.onnx; a description of your own ends in .toml.",
)
@click.option(
    "--predictions",
    type=NamedFile(),
    multiple=True,
    metavar="NAME=FILE",
    help="A row's boxes found elsewhere, as COCO JSON; repeat it.",
)
@row_options
@compare_options
@click.option(
    "-o",
    "--out",
    type=PATH,
    default=Path("detection"),
    show_default=True,
    metavar="DIR",
    help="Where fused pictures, found boxes and the report go.",
)
@click.option("--classes", metavar="LIST", help="Score these alone, such as person,car; all count in the means.")
@click.option(
    "--merge", multiple=True, metavar="NAME=LIST", help="Classes under one name, such as car=bus,truck; repeat it."
)
@click.option(
    "--score",
    type=click.FloatRange(0),
    default=0.3,
    show_default=True,
    metavar="S",
    help="Least score of what recall and pictures count.",
)
@click.option(
    "--pictures",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    metavar="N",
    help="Pairs to draw, those on which rows differ most.",
)
@click.option(
    "--split", type=click.Choice(["train", "val", "test", "all"]), help="Which split of a data set; default is test."
)
@click.option("--random-split", "at_random", is_flag=True, help="Part M3FD at random though lists of scenes are there.")
@click.option("--check-leaks", is_flag=True, help="Warn of near twins of test pairs in the split train of a data set.")
@click.option(
    "--absent",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do about labelled pictures that are not there.",
)
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu or cuda.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads; default is all cores.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Pictures in which is detected at a time.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier report in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def detect(a: Path, b: Path | None, **values: Any) -> None:
    """Run a detector on A (infrared), B (visible), their average, their maximum and fused pictures, and score it.

    A and B are two folders matched by stem, or A alone is a CSV file of pairs, or the folder of a data set with boxes
    (M3FD, LLVIP, MSRS, KAIST, FLIR, YOLO layout). The table goes to stdout. A run that was killed goes on with the same
    command.
    """
    arguments = DetectArguments.taken_from(values)
    with json_document(arguments.as_json) as document:
        _detect(a, b, arguments, RowArguments.taken_from(values), document)


def _detect(a: Path, b: Path | None, arguments: DetectArguments, rows: RowArguments, document: dict[str, Any]) -> None:
    """Find pairs and labels, detect, score and show; `document` gets what `--json` prints."""
    import torch

    from polyfuse.downstream.detection.report import check_ready
    from polyfuse.downstream.detection.run import compare
    from polyfuse.downstream.detection.scoring import require_coco_eval
    from polyfuse.downstream.published import find_published
    from polyfuse.downstream.rows import find_contestants
    from polyfuse.drawing.canvas import require_matplotlib

    say = speaker(arguments.quiet)
    if arguments.detector is None and not arguments.predictions:
        raise UsageError("nothing detects: pass --detector NAME=FILE.onnx, or --predictions NAME=FILE.json.")
    if arguments.compare and arguments.detector is not None:
        raise UsageError(
            "papers trained a detector for each method, and a frozen one compares with none of their numbers: drop "
            "--compare, or pass --predictions of detectors that were trained so."
        )
    published, told_by_papers = find_published(arguments.compare, "detection", arguments.dataset, a)
    merge = arguments.merges()
    require_coco_eval()
    if arguments.pictures:
        require_matplotlib()
    check_ready(arguments.out, overwrite=arguments.overwrite)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    pairs, truth, notes = _labelled_pairs(a, b, arguments)
    truth = truth.merged(merge)
    wanted = None if arguments.classes is None else tuple(arguments.classes.replace(",", " ").split())
    detector = _open(arguments, truth, merge)
    truth, more = _classes(truth, wanted, detector, merge)
    notes += more
    for note in (*notes, *truth.notes):
        say(note)
    contestants = find_contestants(
        pairs,
        arguments.out,
        fused=rows.folders(),
        models=rows.model_names if detector is not None else (),
        options=rows.fuse_options(),
    )
    found, told = _found(contestants, truth, detector, arguments, rows, say)
    settings = {
        "a": str(a),
        "b": None if b is None else str(b),
        "truth": None if arguments.truth is None else str(arguments.truth),
        "detector": None if arguments.detector is None else arguments.detector[0],
        "onnx_sha256": None if detector is None else detector.digest,
        "precision": rows.precision,
        "merge": merge,
    }
    comparison = compare(
        found,
        truth,
        counted=wanted,
        recall_score=arguments.score,
        settings=settings,
        notes=(*notes, *told, *told_by_papers),
    )
    _show(replace(comparison, published=published), contestants, arguments, document, say)


def _labelled_pairs(a: Path, b: Path | None, arguments: DetectArguments) -> tuple[list[Pair], Truth, tuple[str, ...]]:
    """The pairs that are labelled, their labels, and notes."""
    from polyfuse.downstream.detection.datasets import find_labelled
    from polyfuse.downstream.detection.labels import read_truth
    from polyfuse.io import check_sizes, peek_size

    if b is None and a.is_dir():
        if arguments.truth is not None:
            raise UsageError(
                f"{a} is given alone, as a data set with labels of its own: drop --truth, or give A and B."
            )
        group = find_labelled(a, arguments.split or "test", by_scene=not arguments.at_random)
        check_sizes(group.pairs)
        truth = group.truth({pair.name: peek_size(pair.a) for pair in group.pairs})
        notes = (f"{group.layout}, split {group.split}: {len(group.pairs)} labelled pairs", *group.notes)
        return list(group.pairs), truth, (*notes, *_leaks(a, list(group.pairs), arguments))
    if arguments.truth is None:
        raise UsageError("nothing says what is in the pictures: pass --truth, or the folder of a data set alone.")
    for option, given in (("--split", arguments.split), ("--check-leaks", arguments.check_leaks)):
        if given:
            raise UsageError(f"{option} is for the folder of a data set: drop it, or give that folder alone.")
    pairs = given_pairs(a, b)
    check_sizes(pairs)
    sizes = {pair.name: peek_size(pair.a) for pair in pairs}
    truth = read_truth(arguments.truth, sizes, skip_absent=arguments.absent == "skip")
    labelled = [pair for pair in pairs if pair.name in truth.boxes]
    told: tuple[str, ...] = ()
    if len(labelled) < len(pairs):
        told = (f"{len(labelled)} of {len(pairs)} pairs are labelled: these alone are scored",)
    return labelled, truth.of([pair.name for pair in labelled]), told


def _leaks(folder: Path, test: list[Pair], arguments: DetectArguments) -> tuple[str, ...]:
    """A warning if test pairs have near twins in the split train."""
    from polyfuse.downstream.detection.datasets import find_labelled
    from polyfuse.downstream.detection.leaks import LEAST, near_twins

    if not arguments.check_leaks:
        return ()
    if arguments.split in ("train", "all"):
        raise UsageError(f"--check-leaks compares with the split train: it says nothing about {arguments.split}.")
    train = find_labelled(folder, "train", by_scene=not arguments.at_random).pairs
    twins = near_twins(train, test)
    if not twins:
        return (f"no near twin of a test pair among {len(train)} to train on (correlation {LEAST:g})",)
    first = max(twins, key=lambda twin: twin.correlation)
    return (
        f"warning: {len(twins)} of {len(test)} test pairs have a near twin among {len(train)} to train on, such as "
        f"{first.test} and {first.train} (correlation {first.correlation:.3f}): what is trained there knows them",
    )


def _open(arguments: DetectArguments, truth: Truth, merge: dict[str, str]) -> OnnxDetector | None:
    """The detector, if there is one."""
    from polyfuse.downstream.detection.run import open_detector

    if arguments.detector is None:
        return None
    name, path = arguments.detector
    if name.lower().endswith(".onnx"):
        raise UsageError(f"--detector {name}={path} is the wrong way round: write DESCRIPTION=FILE.onnx.")
    threads = arguments.threads
    if threads is not None and arguments.workers > 1:
        threads = max(1, threads // arguments.workers)
    return open_detector(name, path, truth, merge=merge, device=arguments.device, threads=threads)


def _classes(
    truth: Truth, wanted: tuple[str, ...] | None, detector: OnnxDetector | None, merge: dict[str, str]
) -> tuple[Truth, tuple[str, ...]]:
    """The labels with the classes that are scored, merged as the detector's are, and notes."""
    if wanted is not None:
        truth = truth.chosen(wanted)
    if detector is None:
        return truth, ()
    unknown = [label for label in truth.classes if label not in detector.classes]
    if not unknown:
        return truth, ()
    if wanted is not None:
        raise UsageError(f"the detector knows no class {unknown[0]!r}: leave it out of --classes, or pass --merge.")
    kept = truth.chosen(label for label in truth.classes if label not in unknown)
    return kept, (f"classes that the detector does not know, not scored: {', '.join(unknown)}",)


def _found(
    contestants: Contestants,
    truth: Truth,
    detector: OnnxDetector | None,
    arguments: DetectArguments,
    rows: RowArguments,
    say: Say,
) -> tuple[dict[str, tuple[str, dict[str, Found]]], tuple[str, ...]]:
    """Kind and found boxes of each row, and notes: fuse, detect, and read predictions."""
    from polyfuse.downstream.detection.predictions import read_predictions
    from polyfuse.downstream.detection.run import find_in_row

    found: dict[str, tuple[str, dict[str, Found]]] = {}
    notes: tuple[str, ...] = ()
    elsewhere = {}
    for name, path in by_name(arguments.predictions, "--predictions").items():
        boxes, told = read_predictions(path, truth)
        elsewhere[name], notes = boxes, (*notes, *told)
    if detector is None:
        return {name: ("predictions", boxes) for name, boxes in elsewhere.items()}, notes
    taken = [row.name for row in contestants.rows if row.name in elsewhere]
    if taken:
        raise UsageError(f"--predictions names the row {taken[0]}, in which --detector looks: choose another name.")
    num_models = sum(row.kind == "model" for row in contestants.rows)
    with progress(
        num_models * len(contestants.pairs), say, tell_failures=False, quiet=arguments.quiet, unit="picture"
    ) as shown:
        for outcome in contestants.fuse(device=arguments.device, precision=rows.precision):
            shown.outcome(outcome)
    total = len(contestants.rows) * len(contestants.pairs)
    with progress(total, say, tell_failures=False, quiet=arguments.quiet, unit="picture") as shown:
        for row in contestants.rows:
            boxes = find_in_row(
                contestants, row, detector, arguments.out, workers=arguments.workers,
                on_picture=lambda row, pair: shown.done(f"{row}, {pair}"),
            )  # fmt: skip
            found[row.name] = (row.kind, boxes)
    found.update({name: ("predictions", boxes) for name, boxes in elsewhere.items()})
    return found, notes


def _show(
    comparison: Comparison, contestants: Contestants, arguments: DetectArguments, document: dict[str, Any], say: Say
) -> None:
    """Write the report and print the table."""
    from polyfuse.downstream.detection.drawing import draw
    from polyfuse.downstream.detection.report import document as report_document
    from polyfuse.downstream.detection.report import grid, save
    from polyfuse.evaluation.terminal import terminal_text
    from polyfuse.io.source import counted

    document.update(report_document(comparison))
    paths = list(save(comparison, arguments.out, overwrite=arguments.overwrite))
    if arguments.pictures:
        paths += draw(comparison, contestants, arguments.out, arguments.pictures, overwrite=True)
    document["files"] = [str(path) for path in paths]
    say(f"{counted(len(paths), 'file')} in {arguments.out}")
    if not arguments.as_json:
        click.echo(terminal_text(grid(comparison), width=table_width(), styled=sys.stdout.isatty()) + "\n", nl=False)
