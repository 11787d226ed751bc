"""The families that can be trained: from a recipe to a run."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from polyfuse.errors import UsageError
from polyfuse.registry.catalogue import FAMILIES, names_with
from polyfuse.registry.loading import load
from polyfuse.train.attached import stages_of
from polyfuse.train.folder import check_inputs_stay
from polyfuse.train.loop import run
from polyfuse.train.recipe import Recipe
from polyfuse.train.stage import Training


def training_of(name: str) -> Training:
    """How the family `name` is trained.

    Raises:
        UsageError: If it cannot be trained, with the nearest names.
    """
    known = names_with("training")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4) or sorted(known)
        raise UsageError(f"there is no way to train a family {name!r}: did you mean {' or '.join(near)}?")
    training: Training = FAMILIES[name].module("training").TRAINING
    return training


def load_frozen(path: Path) -> nn.Module:
    """The network in a weights file, frozen, for stages that learn from one."""
    return load("auto", weights=path)


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that does not fit its family; builds its networks once and drops them.

    Raises:
        UsageError: If the family is unknown, or has no stage, loss or option that the recipe names.
    """
    training = training_of(recipe.family)
    stages_of(training, recipe, load_frozen)
    with torch.random.fork_rng([]):
        training.build(recipe)


def train(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 0,
    graphs: bool = True,
    minutes: float | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Run a recipe to its end.

    Args:
        recipe: What to do, from `load_recipe`.
        out: The run folder.
        resume: Go on from its newest good checkpoint.
        device: "cpu" or "cuda"; with several processes, started by torchrun, each takes its own.
        workers: Processes that cut crops ahead, so that a fast device need not wait; the crops are the same.
        graphs: Whether one process on a GPU starts the kernels of a turn together; False for turns of
            one's own that read the value of a tensor.
        minutes: After how long to stop with a checkpoint, at least one step later; a run goes on from there as after
            an interruption.
        say: Gets a line of progress now and then.

    Returns:
        The weights files written: those of the end, or of the checkpoint if the time was up before.

    Raises:
        UsageError: If the recipe contradicts itself, or does not fit its family, the data or the checkpoint.
        InputError: If data are missing or unfit.
        OutputError: If the folder holds another run, cannot be written, or a file of the run would replace an input.
        TrainingError: If a loss, a gradient or a validation picture is not finite; a checkpoint is left.
        KeyboardInterrupt: After a checkpoint, if interrupted.
    """
    check_inputs_stay(recipe, out)
    return run(
        training_of(recipe.family),
        recipe,
        out,
        load_frozen,
        resume=resume,
        device=device,
        workers=workers,
        graphs=graphs,
        minutes=minutes,
        say=say,
    )
