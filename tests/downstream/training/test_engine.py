"""The training loop: equal conditions for every row, and a run that was stopped ends as one that was not."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from polyfuse.downstream.training.draws import Draw, Draws
from polyfuse.downstream.training.engine import Budget, Lessons, as_input, train_network
from polyfuse.errors import OutputError, TrainingError, UsageError

SIZES = ((20, 30), (24, 18), (40, 40))


@dataclass
class Brightness:
    """Learns the mean of a crop, which its truth is."""

    factor: float = 1.0
    seen: list[tuple[int, ...]] = field(default_factory=list)
    stop_at: int | None = None

    def facts(self) -> dict[str, Any]:
        return {"kind": "brightness"}

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.2), nn.Conv2d(4, 1, 1))

    def cut(self, truth: float, draw: Draw, height: int, width: int) -> float:
        self.seen.append((draw.index, draw.top, draw.left, int(draw.mirrored)))
        return truth

    def digest(self, truth: float) -> bytes:
        return repr(truth).encode()

    def loss(self, network: nn.Module, pictures: Tensor, truths: Sequence[float]) -> Tensor:
        if self.stop_at is not None and len(self.seen) >= self.stop_at:
            signal.raise_signal(signal.SIGINT)
        means = network(pictures).mean(dim=(1, 2, 3))
        return self.factor * ((means - torch.tensor(truths, dtype=torch.float32)) ** 2).mean()


def lessons(seed: int) -> Lessons[float]:
    rng = np.random.default_rng(seed)
    return Lessons([rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES], [0.1, 0.5, 0.9])


BUDGET = Budget(steps=6, batch=2, crop=16, rate=1e-2)


def weights(network: nn.Module) -> list[Tensor]:
    return list(network.state_dict().values())


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_all_pictures_come_before_any_comes_again() -> None:
    draws = Draws.of([(*size, 3) for size in SIZES], batch=3, crop=16, seed=1)
    assert [sorted(draw.index for draw in draws.at(step)) for step in range(4)] == [[0, 1, 2]] * 4
    assert len({tuple(draw.index for draw in draws.at(step)) for step in range(20)}) > 1


def test_crops_are_of_one_size_and_inside_their_pictures() -> None:
    draws = Draws.of([(*size, 3) for size in SIZES], batch=3, crop=19, seed=1)
    assert (draws.height, draws.width) == (19, 18)
    for step in range(30):
        for draw in draws.at(step):
            height, width = SIZES[draw.index]
            assert 0 <= draw.top <= height - 19
            assert 0 <= draw.left <= width - 18


def test_rows_see_the_same_crops_and_another_seed_sees_others(tmp_path: Path) -> None:
    tasks = [Brightness(), Brightness(), Brightness()]
    for number, (task, pictures, seed) in enumerate(zip(tasks, (1, 2, 1), (5, 5, 6), strict=True)):
        train_network(task, lessons(pictures), BUDGET, seed, tmp_path / str(number))
    assert tasks[0].seen == tasks[1].seen
    assert tasks[0].seen != tasks[2].seen


def test_same_seed_gives_the_same_bits_and_leaves_the_callers_generator(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one = train_network(Brightness(), lessons(1), BUDGET, 5, tmp_path / "one")
    other = train_network(Brightness(), lessons(1), BUDGET, 5, tmp_path / "other")
    assert equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert not equal(one, train_network(Brightness(), lessons(1), BUDGET, 6, tmp_path / "third"))


def test_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(tmp_path: Path) -> None:
    whole = train_network(Brightness(), lessons(1), BUDGET, 5, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_network(Brightness(stop_at=6), lessons(1), BUDGET, 5, tmp_path / "stopped")
    task = Brightness()
    resumed = train_network(task, lessons(1), BUDGET, 5, tmp_path / "stopped")
    assert len(task.seen) == 6  # three of six steps were left
    assert equal(whole, resumed)


def test_finished_run_is_loaded_and_not_trained_again(tmp_path: Path) -> None:
    first = train_network(Brightness(), lessons(1), BUDGET, 5, tmp_path)
    task = Brightness()
    again = train_network(task, lessons(1), BUDGET, 5, tmp_path)
    assert task.seen == []
    assert equal(first, again)


def test_folder_with_another_training_is_refused(tmp_path: Path) -> None:
    train_network(Brightness(), lessons(1), BUDGET, 5, tmp_path)
    with pytest.raises(OutputError, match="holds a training with other pictures"):
        train_network(Brightness(), lessons(2), BUDGET, 5, tmp_path)
    with pytest.raises(OutputError, match="holds a training with other pictures"):
        train_network(Brightness(), lessons(1), Budget(steps=7, batch=2, crop=16, rate=1e-2), 5, tmp_path)


def test_loss_that_is_not_finite_ends_the_training_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not finite at step 0: lower --rate"):
        train_network(Brightness(factor=float("inf")), lessons(1), BUDGET, 5, tmp_path)


@pytest.mark.parametrize("field_name", ["steps", "batch", "crop", "rate"])
def test_budget_of_nothing_is_refused(field_name: str) -> None:
    with pytest.raises(UsageError, match=f"{field_name} is 0: give a positive number"):
        Budget(**{field_name: 0})


def test_input_of_a_network_is_centred_and_in_rgb_order() -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[..., 0] = 255
    value = as_input([picture], torch.device("cpu"))
    assert value.shape == (1, 3, 2, 3)
    assert value[0, :, 0, 0].tolist() == [2.0, -2.0, -2.0]
