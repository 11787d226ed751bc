"""Which input is best to segment: networks trained on each row's pictures, scored on pairs that none has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from polyfuse.downstream.rows import Contestants, Row
from polyfuse.downstream.segmentation.classes import Classes
from polyfuse.downstream.segmentation.networks import NetworkName
from polyfuse.downstream.segmentation.scores import Counts, Scores, confusion, scores_of
from polyfuse.downstream.segmentation.task import Mask, SegmentationTask, class_weights, predict
from polyfuse.downstream.segmentation.truth import LabelledSet
from polyfuse.downstream.spread import Spread, better_source
from polyfuse.downstream.training.engine import Budget, Rgb, train_network
from polyfuse.downstream.training.trials import Split, Trial, run_folder, run_trials
from polyfuse.errors import InputError
from polyfuse.evaluation.published import PublishedTable


@dataclass(frozen=True, eq=False)
class SegmentationPlan:
    """All that a comparison is made of."""

    task: SegmentationTask
    """What is learned."""
    train: Split[Mask]
    """To learn from."""
    test: Split[Mask]
    """To be tested on."""
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
        exam = _Exam(self.test.truths, self.task.classes, torch.device(self.device))
        return run_trials(
            self.task, exam, self.train, self.test, self.budget, self.seeds, self.out,
            device=self.device, say=say, tell=tell,
        )  # fmt: skip

    def network_of(self, row: Row, seed: int) -> nn.Module:
        """The trained network of a trial that is done, on the device."""
        same = next(one for one in self.train.contestants.rows if one.name == row.name)
        folder = run_folder(self.out, row, seed)
        return train_network(self.task, self.train.lessons(same), self.budget, seed, folder, device=self.device)


@dataclass(frozen=True)
class _Exam:
    """Asks a network for the class of every pixel and counts its answers."""

    masks: tuple[Mask, ...]
    classes: Classes
    device: torch.device

    def answer(self, network: nn.Module, picture: Rgb, index: int) -> Any:
        """The confusion matrix of one picture, as lists."""
        predicted = predict(network, picture, self.classes, self.device)
        counts = confusion(self.masks[index], predicted, len(self.classes.names), ignore=self.classes.ignore)
        return counts.tolist()


def make_plan(
    train: tuple[LabelledSet, Contestants],
    test: tuple[LabelledSet, Contestants],
    network: NetworkName,
    budget: Budget,
    seeds: int,
    out: Path,
    device: str,
) -> SegmentationPlan:
    """Read all masks and check that both sets speak of the same classes.

    Raises:
        InputError: If they do not, or a mask cannot be read or does not fit.
    """
    (lessons, train_rows), (asked, test_rows) = train, test
    if lessons.classes != asked.classes:
        raise InputError("the pictures to train on and those to test on have other classes: give sets of one kind")
    classes = lessons.classes
    masks = tuple(item.mask(classes) for item in lessons.pairs)
    truths = tuple(item.mask(classes) for item in asked.pairs)
    task = SegmentationTask(classes, network, class_weights(masks, classes))
    return SegmentationPlan(task, Split(train_rows, masks), Split(test_rows, truths), budget, seeds, out, device)


@dataclass(frozen=True, eq=False)
class RowScores:
    """What the networks of one row scored."""

    row: Row
    """Whose pictures."""
    counts: NDArray[np.int64]
    """(seeds, pictures, K, K) confusion matrices."""

    @property
    def scores(self) -> list[Scores]:
        """Of each seed, over all pictures together."""
        return [scores_of(of_seed.sum(axis=0)) for of_seed in self.counts]

    @property
    def miou(self) -> Spread:
        """Mean IoU over the seeds."""
        return Spread(tuple(scores.miou for scores in self.scores))

    @property
    def macc(self) -> Spread:
        """Mean accuracy over the seeds."""
        return Spread(tuple(scores.macc for scores in self.scores))

    @property
    def pixel_accuracy(self) -> Spread:
        """Share of right pixels over the seeds."""
        return Spread(tuple(scores.pixel_accuracy for scores in self.scores))

    def iou(self, index: int) -> Spread:
        """IoU of one class over the seeds."""
        return Spread(tuple(float(scores.iou[index]) for scores in self.scores))

    def picture_miou(self, seed: int, picture: int) -> float:
        """Mean IoU of one picture alone, over the classes that it has; NaN if none of its pixels counts."""
        counts: Counts = self.counts[seed, picture]
        return scores_of(counts).miou if counts.any() else float("nan")


@dataclass(frozen=True, eq=False)
class SegmentationReport:
    """The outcome of a comparison."""

    classes: Classes
    """What the masks hold."""
    rows: tuple[RowScores, ...]
    """In the order of the contestants."""
    names: tuple[str, ...]
    """Of the test pictures."""
    num_train: int
    """Pairs that were trained on."""
    budget: Budget
    """Of each training."""
    seeds: int
    """Trainings of each row."""
    network: NetworkName
    """Which network."""
    published: tuple[PublishedTable, ...] = ()
    """What papers print of the same, below our rows."""

    @property
    def to_beat(self) -> int:
        """Index of the better single source."""
        return better_source([row.row for row in self.rows], [row.miou for row in self.rows])

    @property
    def absent(self) -> list[str]:
        """Classes that no test mask has."""
        return self.rows[0].scores[0].absent(self.classes.names)

    def gain(self, index: int) -> Spread:
        """Mean IoU of a row less that of the better single source, seed by seed."""
        return self.rows[index].miou.minus(self.rows[self.to_beat].miou)


def make_report(plan: SegmentationPlan, trials: Sequence[Trial]) -> SegmentationReport:
    """Put the answers of all trials together.

    Args:
        plan: What was done.
        trials: All of them.

    Raises:
        InputError: If answers that were stored are no confusion matrices, or no test pixel counts.
    """
    rows = []
    size = len(plan.task.classes.names)
    shape = (plan.seeds, len(plan.test.truths), size, size)
    for row in plan.test.contestants.rows:
        answers = [trial.answers for trial in trials if trial.row.name == row.name]
        try:
            counts = np.array(answers, dtype=np.int64)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(_damaged(plan, row)) from error
        if counts.shape != shape or (counts < 0).any():
            raise InputError(_damaged(plan, row))
        rows.append(RowScores(row, counts))
    names = tuple(pair.name for pair in plan.test.contestants.pairs)
    num_train = len(plan.train.truths)
    return SegmentationReport(
        plan.task.classes, tuple(rows), names, num_train, plan.budget, plan.seeds, plan.task.network
    )


def _damaged(plan: SegmentationPlan, row: Row) -> str:
    """One line about results that are no results."""
    return f"results in {run_folder(plan.out, row, 0).parent} are damaged: delete that folder and run again"
