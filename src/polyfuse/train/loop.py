"""The training loop of all families. It runs stages and turns, logs, validates and saves; a family gives the stages.

A run folder holds recipe.json (as run), environment.json, a log per stage, curves, samples, checkpoints, and weights:
best.safetensors (lowest validation loss of the last stage), checkpoint.safetensors (those of the newest checkpoint) and
weights.safetensors (the end), all averaged.
"""

from __future__ import annotations

import json
import math
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from polyfuse._version import __version__
from polyfuse.data.ahead import Ahead
from polyfuse.data.batches import Batches
from polyfuse.data.pack import Pack
from polyfuse.errors import DependencyError, InputError, Stopped, TrainingError, UsageError
from polyfuse.io import write_text
from polyfuse.ops.devices import check_device
from polyfuse.train.capture import CapturedTurn
from polyfuse.train.checkpoint import NEWEST, check_new, load_checkpoint, save_checkpoint
from polyfuse.train.curves import draw_curves
from polyfuse.train.export import export, start_from
from polyfuse.train.journal import Journal, Means
from polyfuse.train.monitoring import Monitoring
from polyfuse.train.optimiser import rate_at
from polyfuse.train.recipe import Recipe
from polyfuse.train.stage import FUSER, Batch, Configured, LoadFrozen, Training, Turn
from polyfuse.train.state import RunState, Undo, seeded, step_seed
from polyfuse.train.turns import take_turn
from polyfuse.train.validation import (
    NUM_SAMPLES,
    NUM_SCORED,
    draw_samples,
    middles,
    score_samples,
    to_batch,
    validate,
    validation_batches,
)

BEST, LAST, SO_FAR = "best.safetensors", "weights.safetensors", "checkpoint.safetensors"
RECIPE, ENVIRONMENT = "recipe.json", "environment.json"
Item = TypeVar("Item")


def end_of(stage: str) -> str:
    """File of the averaged weights with which a stage ended that is not the last; the last one's is `LAST`."""
    return f"weights-{stage}.safetensors"


def run(
    training: Training,
    recipe: Recipe,
    out: Path,
    load_frozen: LoadFrozen,
    *,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 0,
    graphs: bool = True,
    minutes: float | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Run a recipe to its end; `polyfuse.train.train` says what the arguments mean and what is raised.

    Args:
        training: How the recipe's family is trained.
        recipe: What to do.
        out: The run folder.
        load_frozen: Loads networks that stages learn from.
        resume: Go on from its newest good checkpoint.
        device: Where to train.
        workers: Processes that cut crops ahead.
        graphs: Whether one process on a GPU starts the kernels of a turn together.
        minutes: After how long to stop with a checkpoint, at least one step later.
        say: Gets a line of progress now and then.

    Returns:
        The weights files written.
    """
    end = math.inf if minutes is None else time.monotonic() + 60 * minutes
    current = _Run(training, recipe, out, load_frozen, device, workers, graphs, say)
    current.begin(resume)
    try:
        with Interrupts() as interrupts:
            current.go(interrupts, end)
    finally:
        for batches in current.batches:
            batches.close()
        current.journal.close()
    return current.finish()


def _accelerator(device: str) -> Any:
    """An Accelerator, which knows the device and the other processes of the run."""
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise DependencyError('training needs Accelerate: pip install "polyfuse[train]".') from error
    check_device(device)
    return Accelerator(cpu=device == "cpu", mixed_precision="no")


class _Run:
    """A run in progress: its data, its state and its log."""

    def __init__(
        self,
        training: Training,
        recipe: Recipe,
        out: Path,
        load_frozen: LoadFrozen,
        device: str,
        workers: int,
        graphs: bool,
        say: Callable[[str], None],
    ) -> None:
        if not recipe.data.train:
            raise UsageError(
                "the recipe names no data: name two folders, or pass --set data.train=FILE, made by "
                "`polyfuse data pack`."
            )
        self.accelerator = _accelerator(device)
        self.is_main = bool(self.accelerator.is_main_process)
        self.recipe, self.out, self.say = recipe, out, say if self.is_main else lambda text: None
        self.packs = _open(recipe, recipe.data.train)
        self.val_packs = _open(recipe, recipe.data.val)
        place = {"rank": self.accelerator.process_index, "num_ranks": self.accelerator.num_processes}
        crops = [recipe.crop_of(stage) for stage in range(len(recipe.stages))]
        self.batches = [
            Ahead(Batches(self.packs, crop, recipe.data.batch, recipe.seed), workers, **place) for crop in crops
        ]
        self.val_batches = validation_batches(recipe, self.val_packs, self.accelerator.device)
        hashes = [pack.sha256 for pack in self.packs]
        self.state = RunState(training, recipe, hashes, self.accelerator.device, load_frozen)
        self.captures = graphs and self.accelerator.device.type == "cuda" and self.accelerator.num_processes == 1
        self.captured: dict[str, CapturedTurn] = {}
        self.logged, self.watched = Means(), Means()

    def begin(self, resume: bool) -> None:
        """Load the checkpoint or make the folder ready."""
        if resume:
            load_checkpoint(self.out, self.say, self.state.load_dict)
            self.say(f"resumed at step {self.state.step} of {self.state.num_steps}")
        else:
            check_new(self.out)
            if self.recipe.start is not None:
                for network in (self.state.parts[FUSER], self.state.average.network):
                    start_from(Path(self.recipe.start), network, self.recipe)
        if self.is_main:
            write_text(self.out / RECIPE, json.dumps(self.recipe.to_json(), indent=2) + "\n", overwrite=True)
            write_text(self.out / ENVIRONMENT, json.dumps(self._environment(), indent=2) + "\n", overwrite=True)
        self.journal = Journal(
            self.out, self.state.step, active=self.is_main, passes_due=self.state.passes_due, note=self.say
        )
        self.monitoring = Monitoring(self.out, self.journal, self.say)
        self.saved_at = self.logged_at = time.monotonic()

    def _environment(self) -> dict[str, Any]:
        """Versions, device and data that the run is made with."""
        return {
            "polyfuse": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "device": str(self.accelerator.device),
            "processes": self.accelerator.num_processes,
            "threads": torch.get_num_threads(),
            "data": [{"pairs": len(pack.items), "luma": pack.luma, "sha256": pack.sha256} for pack in self.packs],
        }

    def go(self, interrupts: Interrupts, end: float) -> None:
        """Take steps until all stages are done, or the clock is past `end`."""
        state = self.state
        while not state.finished:
            if not state.passes_due:
                self._advance()
            state.passes_due = not self._passes(interrupts)
            if state.stage_step == state.stage.steps and not state.passes_due:
                if self.is_main and state.stage_index + 1 < len(state.stages):
                    self._export(self.out / end_of(state.stage.name))
                state.stage_index, state.stage_step = state.stage_index + 1, 0
                state.enter_stage()
                self.captured.clear()
                self.save()
            elif time.monotonic() - self.saved_at >= 60 * self.recipe.rhythm.checkpoint_minutes:
                self.save()
            if self._anyone(interrupts.pending):
                self.save()
                raise interrupts.ending()
            if end < math.inf and not state.finished and self._anyone(time.monotonic() >= end):
                self.save()
                self.say(f"time is up at step {state.step} of {state.num_steps}: go on with --resume")
                return

    def _advance(self) -> None:
        """Take one step, and log it.

        Raises:
            TrainingError: If a loss or gradient is not finite; a checkpoint of the state before the step is left.
        """
        state = self.state
        started, undo = time.monotonic(), Undo(state)
        try:
            values = self._step()
        except TrainingError as error:
            undo.put_back()
            self.save()
            raise TrainingError(
                f"{error} at step {state.step} of stage {state.stage.name}: the state before it is in "
                f"{self.out / NEWEST}; train anew with a lower rate or a smaller clip."
            ) from error
        state.seconds += time.monotonic() - started
        state.stage_step += 1
        self.logged.add(values)
        self.watched.add(values)
        if self._is_due(self.recipe.rhythm.log_every):
            self._log(self.logged.take())
        if self.is_main and self.val_batches and self._is_due(self.recipe.rhythm.monitor_every):
            share, means = state.stage_step / state.stage.steps, self.watched.take()
            self.monitoring.read(state.stage, state.parts, self.val_batches[0], state.step, share, means)

    def _is_due(self, interval: int) -> bool:
        """Whether what is done every `interval` steps, and at the end of a stage, is to be done now."""
        return self.state.stage_step % interval == 0 or self.state.stage_step == self.state.stage.steps

    def _step(self) -> dict[str, float]:
        """Take all turns of the stage on the next batch; returns the numbers for the log."""
        state, accelerator = self.state, self.accelerator
        rank = accelerator.process_index
        batch = to_batch(*self.batches[state.stage_index].get(state.step), accelerator.device)
        batch = Batch(batch.a, batch.b, self._mean)
        values: dict[str, float] = {}
        for index, turn in enumerate(state.stage.turns):
            rate = rate_at(turn.optimiser, state.stage_step, state.stage.steps)
            with seeded(step_seed(self.recipe.seed, state.step, index, rank), accelerator.device):
                compute = self._captured(turn, batch) if self.captures else None
                numbers = take_turn(state.parts, turn, state.optimisers[turn.name], rate, batch, self._mean, compute)
            prefix = f"{turn.name}." if len(state.stage.turns) > 1 else ""
            values |= {f"{prefix}{name}": value for name, value in (numbers | {"rate": rate}).items()}
        state.average.update(state.parts[FUSER])
        return values

    def _captured(self, turn: Turn, batch: Batch) -> CapturedTurn:
        """The turn as one CUDA graph, recorded when it is first taken."""
        if turn.name not in self.captured:
            self.captured[turn.name] = CapturedTurn(self.state.parts, turn, batch)
        return self.captured[turn.name]

    def _mean(self, value: Tensor) -> Tensor:
        """Mean over all processes."""
        if self.accelerator.num_processes == 1:
            return value
        averaged: Tensor = self.accelerator.reduce(value, reduction="mean")
        return averaged

    def _anyone(self, flag: bool) -> bool:
        """Whether `flag` is true in any process; every process gets the same answer."""
        if self.accelerator.num_processes == 1:
            return flag
        return bool(self._mean(torch.tensor(float(flag), device=self.accelerator.device)) > 0)

    def _passes(self, interrupts: Interrupts) -> bool:
        """Validate, draw and score when these are due; the main process alone does.

        Returns:
            Whether all is done; False if the run was interrupted meanwhile, which counts between pictures.

        Raises:
            TrainingError: If a validation loss or a fused picture is not finite; a checkpoint is left.
        """
        rhythm = self.recipe.rhythm
        try:
            if self.is_main and self.val_batches and self._is_due(rhythm.validate_every):
                self._validate(interrupts)
            if self.is_main and self.val_packs and self._is_due(rhythm.draw_every):
                self._draw_and_score(interrupts)
        except Interrupted:
            return False
        except TrainingError as error:
            self.state.passes_due = True
            self.save()
            raise TrainingError(
                f"{error} after step {self.state.step}: the state is in {self.out / NEWEST}; train anew with a lower "
                "rate or a smaller clip."
            ) from error
        return True

    def _log(self, means: dict[str, float]) -> None:
        """Write a line and say where the run is."""
        state = self.state
        self.journal.write("log", state.stage.name, state.step, means | {"seconds": state.seconds})
        left = (time.monotonic() - self.logged_at) / self.recipe.rhythm.log_every * (state.num_steps - state.step)
        self.logged_at = time.monotonic()
        losses = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
        self.say(f"step {state.step} of {state.num_steps}, {left / 60:.0f} min left, {state.stage.name}: {losses}")

    def _validate(self, interrupts: Interrupts) -> None:
        """The validation pass; keeps the weights if they are the best of this stage."""
        state = self.state
        scores = validate(state.stage, self._averaged(), interrupts.between(self.val_batches))
        self.journal.write("val", state.stage.name, state.step, scores)
        self.say(f"step {state.step}, validation: {', '.join(f'{name} {value:.4g}' for name, value in scores.items())}")
        if scores["total"] < state.best and state.stage_index == len(state.stages) - 1:
            state.best = scores["total"]
            self._export(self.out / BEST)

    def _draw_and_score(self, interrupts: Interrupts) -> None:
        """Draw and score validation pictures fused with the averaged weights, log the scores, and draw the curves."""
        state, device, between = self.state, self.accelerator.device, interrupts.between
        folder = self.out / "samples" / f"{state.step:06d}"
        draw_samples(state.stage, self._averaged(), between(middles(self.val_packs, NUM_SAMPLES)), folder, device)
        scores = score_samples(state.stage, self._averaged(), between(middles(self.val_packs, NUM_SCORED)), device)
        self.journal.write("metrics", state.stage.name, state.step, scores)
        self.say(f"step {state.step}, metrics: {', '.join(f'{name} {value:.4g}' for name, value in scores.items())}")
        draw_curves(self.out)

    def _averaged(self) -> dict[str, torch.nn.Module]:
        """All parts, the fuser replaced by its average."""
        return {**self.state.parts, FUSER: self.state.average.network}

    def _export(self, path: Path) -> Path:
        """Write the averaged weights."""
        network = self.state.average.network
        state = self.state
        origins = [stage.origin for stage in state.stages[: state.stage_index + 1]]
        export(path, network, cast(Configured, network).configuration(), self.recipe, self.packs, state.step, origins)
        return path

    def save(self) -> None:
        """Write a checkpoint."""
        self.saved_at = time.monotonic()
        if self.is_main:
            save_checkpoint(self.out, self.state.to_dict())
            if not self.state.finished:  # the end has a file of its own
                self._export(self.out / SO_FAR)

    def finish(self) -> list[Path]:
        """Write the last weights; of a run whose time was up those of its checkpoint are there."""
        if not self.is_main:
            return []
        draw_curves(self.out)
        if self.state.finished:
            paths = [self._export(self.out / LAST)]
            (self.out / SO_FAR).unlink(missing_ok=True)
        else:
            paths = [self.out / SO_FAR]
        return [*paths, self.out / BEST] if (self.out / BEST).exists() else paths


def _open(recipe: Recipe, paths: tuple[str, ...]) -> list[Pack]:
    """Open packs and check that they fit the recipe; test splits are refused.

    Raises:
        InputError: If a pack is missing, of another luma, or holds pictures to be tested on.
    """
    packs = [Pack(Path(path)) for path in paths]
    for path, pack in zip(paths, packs, strict=True):
        if pack.luma != recipe.data.luma:
            raise InputError(
                f"{path} has {pack.luma} luma, the recipe wants {recipe.data.luma}: pack it anew with "
                f"--luma {recipe.data.luma}, or pass --set data.luma={pack.luma}."
            )
        if any(item.split == "test" for item in pack.items):
            raise InputError(f"{path} holds a test split: pack another one, results on it would mean nothing.")
    return packs


class Interrupted(Exception):
    """A pass over validation pictures was left, because the run is interrupted."""


class Interrupts:
    """While open, SIGINT, SIGTERM and SIGHUP only set `pending`; a second one acts at once."""

    SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

    def __init__(self) -> None:
        self.pending = False
        self._number: int = signal.SIGINT
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                # Under nohup the end of the terminal is not meant for the run.
                if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def between(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, as long as nothing is pending.

        Raises:
            Interrupted: Before an item, if something is.
        """
        for item in items:
            if self.pending:
                raise Interrupted
            yield item

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.pending, self._number = True, number
        self._restore()

    def ending(self) -> KeyboardInterrupt:
        """What ends the run; another process may have got the signal that this one has not."""
        return KeyboardInterrupt() if self._number == signal.SIGINT else Stopped(self._number)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
