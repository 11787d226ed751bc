"""A stage with a discriminator of its own fits the loop as it is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from polyfuse.errors import TrainingError
from polyfuse.train import load_recipe, loop, train
from polyfuse.train.checkpoint import NEWEST, load_checkpoint
from polyfuse.train.journal import read_log
from polyfuse.train.recipe import OptimiserConfig, Recipe
from polyfuse.train.stage import FUSER, Batch, LoadFrozen, Parts, Stage, Training, Turn
from polyfuse.train.turns import take_turn


class Blend(nn.Module):
    """The smallest fusion network: a weighted sum."""

    def configuration(self) -> dict[str, Any]:
        return {}

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2, 1, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        mixed: Tensor = self.mix(torch.cat([a, b], dim=1))
        return mixed


def _judge(parts: Parts, batch: Batch) -> dict[str, Tensor]:
    """Tell a from the fused picture."""
    fused = parts[FUSER](batch.a, batch.b).detach()
    return {"real": (parts["judge"](batch.a) - 1).square().mean(), "fake": parts["judge"](fused).square().mean()}


def _cheat(parts: Parts, batch: Batch) -> dict[str, Tensor]:
    """Be taken for a, and stay near b."""
    fused = parts[FUSER](batch.a, batch.b)
    return {"adversarial": (parts["judge"](fused) - 1).square().mean(), "content": (fused - batch.b).abs().mean()}


def _stages(recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
    """One stage, two optimisers."""
    turns = (
        Turn("judge", ("judge",), _judge, OptimiserConfig(rate=1e-2)),
        Turn("fuse", (FUSER,), _cheat, OptimiserConfig(rate=1e-3)),
    )
    return [Stage("duel", recipe.stages[0].steps, turns, _cheat, lambda parts, batch: parts[FUSER](batch.a, batch.b))]


@pytest.fixture
def recipe(write_recipe: Callable[..., Path], add_training: Callable[[str, Training], None]) -> Recipe:
    """Six steps of the duel, with a checkpoint after each."""
    duel = Training(lambda recipe: {FUSER: Blend(), "judge": nn.Conv2d(1, 1, 3)}, _stages)
    add_training("duel", duel)
    path = write_recipe(
        family="duel", stages=[{"kind": "duel", "steps": 6}], rhythm={"log_every": 2, "validation_crop": 16}
    )
    return load_recipe(path, ["rhythm.checkpoint_minutes=0"])


def test_each_turn_trains_its_own_parts_and_no_others(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[tuple[str, set[str]]] = []

    def watched(parts: Parts, turn: Turn, *arguments: Any) -> dict[str, float]:
        before = {name: [value.clone() for value in part.parameters()] for name, part in parts.items()}
        values = original(parts, turn, *arguments)
        after = {name: list(part.parameters()) for name, part in parts.items()}
        pairs = {name: zip(before[name], after[name], strict=True) for name in parts}
        changed.append((turn.name, {name for name in parts if not all(torch.equal(x, y) for x, y in pairs[name])}))
        return values

    original = take_turn
    monkeypatch.setattr(loop, "take_turn", watched)
    train(recipe, tmp_path / "run")
    assert changed == 6 * [("judge", {"judge"}), ("fuse", {FUSER})]


def test_losses_and_norms_of_both_turns_are_logged(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    log = read_log(tmp_path / "run/log-duel.csv")
    assert {"judge.real", "judge.norm.judge", "fuse.adversarial", "fuse.norm.fuser", "fuse.rate"} <= set(log)


def test_checkpoint_holds_both_networks_and_both_optimisers(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    state = load_checkpoint(tmp_path / "run", print)
    assert (set(state["parts"]), set(state["optimisers"])) == ({FUSER, "judge"}, {"judge", "fuse"})


class Normed(Blend):
    """The same with running statistics, which a forward pass changes."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        mixed: Tensor = self.mix(self.norm(torch.cat([a, b], dim=1)))
        return mixed


def test_checkpoint_after_a_nan_in_the_second_turn_is_the_state_before_the_step(
    recipe: Recipe, tmp_path: Path, add_training: Callable[[str, Training], None]
) -> None:
    calls = iter(range(10))

    def fail(parts: Parts, batch: Batch) -> dict[str, Tensor]:
        return _cheat(parts, Batch(batch.a * (torch.nan if next(calls) == 3 else 1), batch.b))

    def stages(recipe: Recipe, load_frozen: LoadFrozen) -> list[Stage]:
        (stage,) = _stages(recipe, load_frozen)
        judge, fuse = stage.turns
        return [replace(stage, turns=(judge, replace(fuse, step=fail)))]

    duel = Training(lambda recipe: {FUSER: Normed(), "judge": nn.Conv2d(1, 1, 3)}, stages)
    add_training("duel", duel)
    with pytest.raises(TrainingError, match=r"turn fuse is nan at step 3 of stage duel"):
        train(recipe, tmp_path / "run")
    after = load_checkpoint(tmp_path / "run", print)
    (tmp_path / "run" / NEWEST).unlink()
    before = load_checkpoint(tmp_path / "run", print)  # saved by the clock after the third step
    assert (before["step"], after["step"]) == (3, 3)
    for name in ("parts", "average", "optimisers"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)
