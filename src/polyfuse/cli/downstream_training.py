"""What the commands share that train on each input: options, a warning of shared pictures, fusing, running trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyfuse.cli.downstream_options import RowArguments
from polyfuse.cli.options import Command, stack
from polyfuse.cli.progress import progress
from polyfuse.cli.values import PATH

if TYPE_CHECKING:
    from polyfuse.downstream.published import Task
    from polyfuse.downstream.rows import Contestants, Row
    from polyfuse.downstream.training.engine import Budget
    from polyfuse.downstream.training.trials import Trial
    from polyfuse.evaluation.published import PublishedTable
    from polyfuse.io import Pair

    Tell = Callable[[Row, int, int, float], None]
    Trials = Callable[[Callable[[str], None], Tell], Iterator[Trial]]


def training_options(command: Command) -> Command:
    """How a network is trained on each contestant's pictures, and what is shown of it."""
    return stack(
        command,
        [
            click.option("--train-split", default="train", show_default=True, metavar="NAME",
                         help="Split of TRAIN, where it has splits."),
            click.option("--test-split", default="test", show_default=True, metavar="NAME", help="The same of TEST."),
            click.option("--train-list", type=PATH, metavar="FILE", help="Only the pairs named there, a name a line."),
            click.option("--test-list", type=PATH, metavar="FILE", help="The same of TEST."),
            click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, metavar="N",
                         help="Trainings of each row."),
            click.option("--steps", type=click.IntRange(1), default=300, show_default=True, metavar="N",
                         help="Steps of each training."),
            click.option("--batch", type=click.IntRange(1), default=4, show_default=True, metavar="N",
                         help="Crops of a step."),
            click.option("--crop", type=click.IntRange(16), default=160, show_default=True, metavar="SIZE",
                         help="Longest side of a crop in pixels."),
            click.option("--rate", type=click.FloatRange(0, 1, min_open=True), default=3e-3, show_default=True,
                         metavar="RATE", help="Highest learning rate."),
            click.option("--pictures", type=click.IntRange(0), default=3, show_default=True, metavar="N",
                         help="Pairs to draw, those on which rows differ most."),
            click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, ..."),
            click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads; default is all cores."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout."),
        ],
    )  # fmt: skip


@dataclass(frozen=True)
class TrainingArguments(RowArguments):
    """What `training_options` and `row_options` ask for, the folder, and whether to be quiet."""

    out: Path
    train_split: str
    test_split: str
    train_list: Path | None
    test_list: Path | None
    seeds: int
    steps: int
    batch: int
    crop: int
    rate: float
    pictures: int
    device: str
    threads: int | None
    as_json: bool
    quiet: bool
    compare: tuple[str, ...]
    dataset: str | None

    def published(self, task: Task, folder: Path, say: Callable[[str], None]) -> tuple[PublishedTable, ...]:
        """What papers print of the same, once it is said what their numbers are."""
        from polyfuse.downstream.published import find_published

        tables, notes = find_published(self.compare, task, self.dataset, folder)
        for note in notes:
            say(note)
        return tables

    def budget(self) -> Budget:
        """The same for every row."""
        from polyfuse.downstream.training.engine import Budget

        return Budget(self.steps, self.batch, self.crop, self.rate)

    def contestants(self, pairs: list[Pair], part: str) -> Contestants:
        """All rows for some pairs; what models fuse goes below `out/part`.

        Args:
            pairs: Which.
            part: "train" or "test": such a folder below the one of `--fused` is taken where there is one.
        """
        from polyfuse.downstream.rows import find_contestants

        places = self.folders().items()
        fused = {name: path / part if (path / part).is_dir() else path for name, path in places}
        return find_contestants(
            pairs, self.out / part, fused=fused, models=self.model_names, options=self.fuse_options()
        )

    def prepare(self) -> None:
        """Set the number of threads; refuse a device that is not there and drawings that cannot be made."""
        prepare(self.threads, self.device, self.pictures)


def prepare(threads: int | None, device: str, pictures: int) -> None:
    """Set the number of threads, and refuse early what cannot be done.

    Raises:
        UsageError: If the device cannot be used.
        DependencyError: If pictures are wanted and matplotlib is missing.
    """
    import torch

    from polyfuse.drawing.canvas import require_matplotlib
    from polyfuse.ops.devices import check_device

    if threads is not None:
        torch.set_num_threads(threads)
    check_device(device)
    if pictures:
        require_matplotlib()


def warn_of_overlap(train: Contestants, test: Contestants, say: Callable[[str], None]) -> None:
    """Say which test pairs are trained on too, if any are."""
    from polyfuse.downstream.training.trials import shared_pictures
    from polyfuse.io.pairs import listed

    shared = shared_pictures(train, test)
    if shared:
        say(
            f"warning: {len(shared)} of {len(test.pairs)} test pairs are trained on too ({listed(shared)}): scores on "
            "them say nothing, take other pictures"
        )


def fuse_all(contestants: Sequence[Contestants], arguments: TrainingArguments, say: Callable[[str], None]) -> None:
    """Let the models fuse what is not there yet."""
    models = [row for row in contestants[0].rows if row.kind == "model"]
    total = len(models) * sum(len(rows.pairs) for rows in contestants)
    with progress(total, say, tell_failures=False, quiet=arguments.quiet) as shown:
        for rows in contestants:
            for outcome in rows.fuse(device=arguments.device, precision=arguments.precision):
                shown.outcome(outcome)


def run_all(trials: Trials, count: int, arguments: TrainingArguments, say: Callable[[str], None]) -> list[Trial]:
    """Train and test every row, telling progress.

    Args:
        trials: Of the plan.
        count: How many trainings there are.
        arguments: What the user asked for.
        say: Prints one line, or nothing.
    """
    done: list[Trial] = []
    total = count * arguments.steps
    with progress(total, say, tell_failures=False, quiet=arguments.quiet, unit="step") as shown:
        for trial in trials(say, lambda row, seed, step, loss: shown.done(row.name)):
            done.append(trial)
            words = "was there" if trial.was_there else "trained and tested"
            shown.note(f"run {len(done)} of {count}: {trial.row.name}, seed {trial.seed} {words}")
            shown.done(trial.row.name, advance=arguments.steps if trial.was_there else 0)
    return done
