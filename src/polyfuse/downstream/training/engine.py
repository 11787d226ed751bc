"""The one loop in which small networks are trained: segmentation and detection alike, each row under equal conditions.

AdamW with a linear rise of the rate over the first tenth of the steps and half a cosine to zero, gradients cut at norm
5. Crops and mirroring are the only changes of a picture: others would hide how inputs differ. Source: ours; the parts
are usual.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from polyfuse.downstream.training.draws import Draw, Draws
from polyfuse.errors import InputError, OutputError, TrainingError, UsageError
from polyfuse.io.atomic import delete
from polyfuse.train.checkpoint import PREVIOUS, has_checkpoint, load_checkpoint, save_checkpoint
from polyfuse.train.loop import Interrupts
from polyfuse.train.optimiser import rate_at
from polyfuse.train.recipe import OptimiserConfig
from polyfuse.train.state import seeded, step_seed

Truth = TypeVar("Truth")
Rgb = NDArray[np.uint8]
_CENTRE, _SPREAD = 0.5, 0.25
"""What a network's input in [0, 1] is shifted and divided by: about -2 to 2, the same for every row."""
MAX_NORM = 5.0
WEIGHT_DECAY = 0.01
SAVE_SECONDS = 60.0
"""How often a run that goes on leaves a checkpoint."""


@dataclass(frozen=True)
class Budget:
    """How long and on what crops every network is trained.

    Raises:
        UsageError: If a field is not positive.
    """

    steps: int = 300
    """Steps of the optimiser."""
    batch: int = 4
    """Crops of a step."""
    crop: int = 160
    """Longest side of a crop in pixels."""
    rate: float = 3e-3
    """Highest learning rate."""

    def __post_init__(self) -> None:
        """Refuse what trains nothing."""
        for name, value in asdict(self).items():
            if not value > 0:
                raise UsageError(f"{name} is {value}: give a positive number.")

    def optimiser(self) -> OptimiserConfig:
        """The rate over the steps, for `rate_at`."""
        return OptimiserConfig(rate=self.rate, warmup=self.steps // 10, schedule="cosine", final=0.0)


class Task(Protocol[Truth]):
    """What is learned: a network and its loss."""

    def facts(self) -> dict[str, Any]:
        """Plain values that the outcome of a training depends on, beside pictures, budget and seed."""

    def build(self) -> nn.Module:
        """A new network, from torch's generator."""

    def cut(self, truth: Truth, draw: Draw, height: int, width: int) -> Truth:
        """The truth of a crop."""

    def loss(self, network: nn.Module, pictures: Tensor, truths: Sequence[Truth]) -> Tensor:
        """A scalar; pictures are (N, 3, H, W) from `as_input`."""

    def digest(self, truth: Truth) -> bytes:
        """The truth as bytes, by which a change of it is seen."""


@dataclass(frozen=True, eq=False)
class Lessons(Generic[Truth]):
    """What a row's network is trained on."""

    pictures: Sequence[Rgb]
    """(H, W, 3) RGB each."""
    truths: Sequence[Truth]
    """What is known of each."""

    def sha256(self, task: Task[Truth]) -> str:
        """Hash of all pixels and all truth."""
        digest = hashlib.sha256()
        for picture, truth in zip(self.pictures, self.truths, strict=True):
            digest.update(repr(picture.shape).encode() + picture.tobytes() + task.digest(truth))
        return digest.hexdigest()


def as_input(pictures: Sequence[Rgb], device: torch.device) -> Tensor:
    """Pictures of one size as a network sees them: (N, 3, H, W), about -2 to 2."""
    stacked = torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2)
    return (stacked.float() / 255 - _CENTRE) / _SPREAD


def identity(task: Task[Truth], lessons: Lessons[Truth], budget: Budget, seed: int) -> str:
    """What tells one training from another: a hash of all that its outcome depends on."""
    facts = {"task": task.facts(), "data": lessons.sha256(task), "budget": asdict(budget), "seed": seed}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def train_network(
    task: Task[Truth],
    lessons: Lessons[Truth],
    budget: Budget,
    seed: int,
    folder: Path,
    *,
    device: str = "cpu",
    say: Callable[[str], None] = lambda text: None,
    tell: Callable[[int, float], None] = lambda step, loss: None,
) -> nn.Module:
    """Train a network, or go on where its folder says it was stopped, or load it where it was finished.

    On a CPU with the same number of threads a run that was stopped gives the bits of one that was not.

    Args:
        task: What is learned.
        lessons: On what.
        budget: How long.
        seed: Of first weights, order and crops.
        folder: Where its state lies; made if missing.
        device: Where to train.
        say: Gets a line on a checkpoint that is damaged.
        tell: Is told the steps that are done and the loss of the last.

    Returns:
        The network on `device`, in evaluation mode.

    Raises:
        OutputError: If the folder holds another training, or cannot be written.
        TrainingError: If a loss is not finite.
        KeyboardInterrupt: After a signal, with the state in the folder.
    """
    run = _Run(task, lessons, budget, seed, folder, torch.device(device), say)
    with Interrupts() as interrupts:
        while run.step < budget.steps:
            loss = run.advance()
            tell(run.step, loss)
            if interrupts.pending:
                run.save()
                raise interrupts.ending()
            if run.step < budget.steps and time.monotonic() - run.saved_at > SAVE_SECONDS:
                run.save()
    run.finish()
    return run.network.eval()


class _Run(Generic[Truth]):
    """A training between two steps."""

    def __init__(
        self,
        task: Task[Truth],
        lessons: Lessons[Truth],
        budget: Budget,
        seed: int,
        folder: Path,
        device: torch.device,
        say: Callable[[str], None],
    ) -> None:
        self.task, self.lessons, self.budget, self.folder, self.device = task, lessons, budget, folder, device
        self.draws = Draws.of([picture.shape for picture in lessons.pictures], budget.batch, budget.crop, seed)
        self.identity = identity(task, lessons, budget, seed)
        with seeded(seed, torch.device("cpu")):
            self.network = task.build().to(device)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=budget.rate, weight_decay=WEIGHT_DECAY)
        self.schedule = budget.optimiser()
        self.seed, self.step, self.is_saved, self.saved_at = seed, 0, False, time.monotonic()
        if has_checkpoint(folder):
            load_checkpoint(folder, say, self._take_up)

    def _take_up(self, state: dict[str, Any]) -> None:
        """Go on from a state.

        Raises:
            OutputError: If it is that of another training.
            InputError: If it is no state of this network.
        """
        if state.get("identity") != self.identity:
            raise OutputError(
                f"{self.folder} holds a training with other pictures, options or versions of them: choose another "
                "--out, or delete that folder."
            )
        try:
            self.network.load_state_dict(state["network"])
            if state["optimiser"] is not None:
                self.optimiser.load_state_dict(state["optimiser"])
            self.step = int(state["step"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError("it is of another network") from error
        self.is_saved = self.step == self.budget.steps

    def advance(self) -> float:
        """Take a step; returns its loss.

        Raises:
            TrainingError: If it is not finite.
        """
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.schedule, self.step, self.budget.steps)
        draws, height, width = self.draws.at(self.step), self.draws.height, self.draws.width
        pictures = [cut_array(self.lessons.pictures[draw.index], draw, height, width) for draw in draws]
        truths = [self.task.cut(self.lessons.truths[draw.index], draw, height, width) for draw in draws]
        with seeded(step_seed(self.seed, self.step), self.device):
            loss = self.task.loss(self.network, as_input(pictures, self.device), truths)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), MAX_NORM)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(f"the loss is not finite at step {self.step}: lower --rate.")
        self.optimiser.step()
        self.step += 1
        return value

    def save(self, *, is_done: bool = False) -> None:
        """Write the state; of a finished training without what only further steps need."""
        optimiser = None if is_done else self.optimiser.state_dict()
        state = {"identity": self.identity, "step": self.step, "network": self.network.state_dict()}
        save_checkpoint(self.folder, {**state, "optimiser": optimiser})
        self.saved_at = time.monotonic()

    def finish(self) -> None:
        """Leave the trained network, once."""
        if not self.is_saved:
            self.save(is_done=True)
            with suppress(OutputError):  # it only takes room
                delete(self.folder / PREVIOUS)


def cut_array(array: NDArray[Any], draw: Draw, height: int, width: int) -> NDArray[Any]:
    """A crop of an array (H, W, ...), mirrored where the draw says so."""
    crop = array[draw.top : draw.top + height, draw.left : draw.left + width]
    return np.ascontiguousarray(crop[:, ::-1] if draw.mirrored else crop)
