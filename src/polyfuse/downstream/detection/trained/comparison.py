"""Which input is best to detect in: small detectors trained on each row's pictures, scored on pairs none has seen."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from polyfuse.downstream.detection.found import Found, found
from polyfuse.downstream.detection.scoring import FEW, RowScore, counted_classes, score_row
from polyfuse.downstream.detection.trained.network import decode
from polyfuse.downstream.detection.trained.task import DetectionTask, Marked, marked
from polyfuse.downstream.detection.truth import Truth
from polyfuse.downstream.published import published_document, with_published
from polyfuse.downstream.rows import Contestants, Row
from polyfuse.downstream.spread import Spread, better_source, gain_cells, luck, mean_cells, plain
from polyfuse.downstream.training.engine import Budget, Rgb, as_input
from polyfuse.downstream.training.trials import Split, Trial, run_folder, run_trials
from polyfuse.errors import InputError
from polyfuse.evaluation.published import PublishedTable
from polyfuse.evaluation.report import versions
from polyfuse.evaluation.tables import Cell, Grid, GridColumn, Section
from polyfuse.io.pairs import listed
from polyfuse.io.source import counted


@dataclass(frozen=True, eq=False)
class DetectionPlan:
    """All that a comparison is made of."""

    task: DetectionTask
    """What is learned."""
    train: Split[Marked]
    """To learn from."""
    test: Split[Marked]
    """To be tested on."""
    truth: Truth
    """Of the test pictures, for scoring."""
    budget: Budget
    """The same for every row."""
    seeds: int
    """How often each row is trained."""
    out: Path
    """Folder of the comparison."""
    device: str = "cpu"
    """Where networks are."""

    def trials(self, say: Callable[[str], None], tell: Callable[[Row, int, int, float], None]) -> Iterator[Trial]:
        """Train and test every row; see `run_trials`."""
        return run_trials(
            self.task, _Exam(torch.device(self.device)), self.train, self.test, self.budget, self.seeds, self.out,
            device=self.device, say=say, tell=tell,
        )  # fmt: skip


@dataclass(frozen=True)
class _Exam:
    """Asks a network for the boxes of a picture."""

    device: torch.device

    @torch.inference_mode()
    def answer(self, network: nn.Module, picture: Rgb, index: int) -> Any:
        """Lists x0, y0, x1, y1, score, place of the class; pixels to a hundredth."""
        boxes = decode(network(as_input([picture], self.device)), (picture.shape[0], picture.shape[1]))
        edges, scores, classes = np.round(boxes.edges, 2).tolist(), boxes.scores.tolist(), boxes.classes.tolist()
        return [[*edge, score, label] for edge, score, label in zip(edges, scores, classes, strict=True)]


def make_plan(
    train: tuple[Truth, Contestants],
    test: tuple[Truth, Contestants],
    budget: Budget,
    seeds: int,
    out: Path,
    device: str,
) -> DetectionPlan:
    """Check that there is something to learn and something to score.

    Raises:
        InputError: If pairs have no labels, or no class has boxes both in what is trained on and in what is tested on.
    """
    (known, train_rows), (asked, test_rows) = train, test
    for truth, rows in (train, test):
        bare = [pair.name for pair in rows.pairs if pair.name not in truth.boxes]
        if bare:
            raise InputError(f"{counted(len(bare), 'pair')} without labels ({listed(bare)}): label or remove them")
    labels = tuple(label for label in known.classes if known.num_boxes(label) and asked.num_boxes(label))
    if not labels:
        raise InputError("no class has true boxes both to train on and to test on: check the labels")
    known, asked = known.chosen(labels), asked.chosen(labels)
    asked = asked.of([pair.name for pair in test_rows.pairs])
    splits = [
        Split(rows, tuple(marked(truth.boxes[pair.name], labels) for pair in rows.pairs))
        for truth, rows in ((known, train_rows), (asked, test_rows))
    ]
    return DetectionPlan(DetectionTask(labels), splits[0], splits[1], asked, budget, seeds, out, device)


@dataclass(frozen=True, eq=False)
class RowDetections:
    """What the detectors of one row found and scored."""

    row: Row
    """Whose pictures."""
    found: tuple[dict[str, Found], ...]
    """Of each seed, by picture."""
    scores: tuple[RowScore, ...]
    """Of each seed."""

    @property
    def ap50(self) -> Spread:
        """Mean AP50 over the seeds."""
        return Spread(tuple(score.means.ap50 for score in self.scores))

    @property
    def ap(self) -> Spread:
        """Mean AP over the seeds."""
        return Spread(tuple(score.means.ap for score in self.scores))

    def class_ap50(self, label: str) -> Spread:
        """AP50 of one class over the seeds."""
        return Spread(tuple(score.classes[label].ap50 for score in self.scores))


@dataclass(frozen=True, eq=False)
class DetectionReport:
    """The outcome of a comparison."""

    rows: tuple[RowDetections, ...]
    """In the order of the contestants."""
    labels: tuple[str, ...]
    """Classes that were learned."""
    counted: tuple[str, ...]
    """Classes that means are taken over."""
    truth: Truth
    """Of the test pictures."""
    num_train: int
    """Pairs that were trained on."""
    budget: Budget
    """Of each training."""
    seeds: int
    """Trainings of each row."""
    published: tuple[PublishedTable, ...] = ()
    """What papers print of the same, below our rows."""

    @property
    def to_beat(self) -> int:
        """Index of the better single source by AP50."""
        return better_source([row.row for row in self.rows], [row.ap50 for row in self.rows])

    def gain(self, index: int) -> Spread:
        """AP50 of a row less that of the better single source, seed by seed."""
        return self.rows[index].ap50.minus(self.rows[self.to_beat].ap50)


def make_report(plan: DetectionPlan, trials: Sequence[Trial]) -> DetectionReport:
    """Score the answers of all trials.

    Raises:
        InputError: If answers that were stored are no boxes.
        DependencyError: If faster-coco-eval is missing.
    """
    chosen = counted_classes(plan.truth)
    names = [pair.name for pair in plan.test.contestants.pairs]
    rows = []
    for row in plan.test.contestants.rows:
        finds = tuple(
            {name: _read(answer, plan, row) for name, answer in zip(names, trial.answers, strict=True)}
            for trial in trials
            if trial.row.name == row.name
        )
        scores = tuple(score_row(of_seed, plan.truth, counted=chosen) for of_seed in finds)
        rows.append(RowDetections(row, finds, scores))
    return DetectionReport(
        tuple(rows), plan.task.labels, chosen, plan.truth, len(plan.train.truths), plan.budget, plan.seeds
    )


def _read(answer: Any, plan: DetectionPlan, row: Row) -> Found:
    """Boxes from an answer."""
    where = str(run_folder(plan.out, row, 0).parent)
    try:
        values = np.array(answer, dtype=np.float64).reshape(-1, 6)
        labels = tuple(plan.task.labels[int(place)] for place in values[:, 5])
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise InputError(f"results in {where} are damaged: delete that folder and run again") from error
    return found(values[:, :4], values[:, 4], labels, where=where)


def grid(report: DetectionReport) -> Grid:
    """Lay out the table: mean±sd over the seeds, best and second best of each column marked."""
    columns: list[tuple[str, list[Cell]]] = [("AP50 ↑", mean_cells([row.ap50 for row in report.rows], spread=True))]
    gains = [report.gain(index) for index in range(len(report.rows))]
    columns.append(("Δ better source", gain_cells(gains, report.to_beat)))
    columns.append(("AP ↑", mean_cells([row.ap for row in report.rows], spread=True)))
    columns += [
        (f"{label} AP50 ↑", mean_cells([row.class_ap50(label) for row in report.rows])) for label in report.labels
    ]
    rows = tuple((row.row.name, tuple(cells[place] for _, cells in columns)) for place, row in enumerate(report.rows))
    headings = tuple(GridColumn(heading, heading) for heading, _ in columns)
    table = Grid(headings, (Section("", rows),), tuple(_footer(report)), names="input")
    return with_published(table, report.published)


def _footer(report: DetectionReport) -> list[str]:
    """Lines below the table."""
    budget = report.budget
    boxes = ", ".join(f"{label} {report.truth.num_boxes(label)}" for label in report.labels)
    lines = [
        f"a small detector from scratch on each row's pictures of {counted(report.num_train, 'pair')}, "
        f"{counted(budget.steps, 'step')} of {counted(budget.batch, 'crop')} of up to {budget.crop} pixels, "
        f"{counted(report.seeds, 'seed')}; tested on {counted(len(report.truth.boxes), 'pair')}, true boxes: {boxes}",
        "AP50 at overlap 0.5, AP over overlaps 0.5 to 0.95",
        f"Δ: AP50 less that of {report.rows[report.to_beat].row.name}, the better single source, seed by seed; "
        f"(in brackets): {luck(report.seeds)}",
    ]
    left = [label for label in report.labels if label not in report.counted]
    if left:
        lines.append(f"fewer than {FEW} true boxes, in no mean: {', '.join(left)}")
    return lines


def table_csv(report: DetectionReport) -> str:
    """One line for each row and seed, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["input", "kind", "seed", "AP50", "AP", *(f"{label} AP50" for label in report.labels)])
    for row in report.rows:
        for seed, score in enumerate(row.scores):
            values = [score.means.ap50, score.means.ap, *(score.classes[label].ap50 for label in report.labels)]
            writer.writerow([row.row.name, row.row.kind, seed, *map(repr, values)])
    return text.getvalue()


def document(report: DetectionReport) -> dict[str, Any]:
    """The whole outcome as plain values; NaN is null."""
    return {
        "task": "detection",
        "budget": asdict(report.budget),
        "seeds": report.seeds,
        "classes": list(report.labels),
        "counted": list(report.counted),
        "train_pairs": report.num_train,
        "test_pairs": list(report.truth.boxes),
        "better_source": report.rows[report.to_beat].row.name,
        "published": published_document(report.published),
        "rows": [
            {
                "name": row.row.name,
                "kind": row.row.kind,
                "AP50": plain(row.ap50),
                "AP": plain(row.ap),
                "class_AP50": {label: plain(row.class_ap50(label)) for label in report.labels},
                "gain": {**plain(report.gain(index)), "is_clear": report.gain(index).is_clear},
            }
            for index, row in enumerate(report.rows)
        ],
        "versions": versions(),
    }
