"""What the commands that train on each input do alike: warn of shared pictures, let models fuse, run all trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from polyfuse.cli.downstream_options import TrainingArguments
from polyfuse.cli.progress import progress

if TYPE_CHECKING:
    from polyfuse.downstream.rows import Contestants, Row
    from polyfuse.downstream.training.trials import Trial

    Tell = Callable[[Row, int, int, float], None]
    Trials = Callable[[Callable[[str], None], Tell], Iterator[Trial]]


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
            for outcome in rows.fuse(device=arguments.device):
                shown.outcome(outcome)


def run_all(
    trials: Trials, steps: int, count: int, arguments: TrainingArguments, say: Callable[[str], None]
) -> list[Trial]:
    """Train and test every row, telling progress.

    Args:
        trials: Of the plan.
        steps: Of each training.
        count: How many trainings there are.
        arguments: What the user asked for.
        say: Prints one line, or nothing.
    """
    done: list[Trial] = []
    with progress(count * steps, say, tell_failures=False, quiet=arguments.quiet, unit="step") as shown:
        for trial in trials(say, lambda row, seed, step, loss: shown.done(row.name)):
            done.append(trial)
            words = "was there" if trial.was_there else "trained and tested"
            note = f"{trial.row.name}, seed {trial.seed} {words}"
            shown.done(f"run {len(done)} of {count}", [note], advance=steps if trial.was_there else 0)
    return done
