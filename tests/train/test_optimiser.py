"""Optimisers and rates are those of the recipe."""

import pytest
import torch

from polyfuse.errors import UsageError
from polyfuse.train import load_recipe
from polyfuse.train.optimiser import build_optimiser, rate_at
from polyfuse.train.recipe import OptimiserConfig

STEPS_PER_EPOCH = 136


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 1e-4), (19, 1e-4), (20, 5e-5), (79, 1.25e-5), (80, 1e-4), (100, 5e-5), (219, 1.5625e-6)],
)
def test_rates_of_the_paper_recipe_halve_every_20_epochs_and_begin_anew_in_phase_2(epoch: int, rate: float) -> None:
    first, second = load_recipe("daefuse-paper").stages
    stage, epoch = (first, epoch) if epoch < 80 else (second, epoch - 80)
    discriminator = OptimiserConfig(**stage.options["discriminator"])
    for config in (stage.optimiser, discriminator):
        for step in (epoch * STEPS_PER_EPOCH, (epoch + 1) * STEPS_PER_EPOCH - 1):
            assert rate_at(config, step, stage.steps) == pytest.approx(rate, rel=1e-12)


def test_halving_stops_at_the_final_share() -> None:
    config = OptimiserConfig(rate=1.0, schedule="halving", halvings=9, final=0.2)
    assert [rate_at(config, step, 10) for step in (0, 1, 2, 3, 9)] == [1.0, 0.5, 0.25, 0.2, 0.2]


def test_rmsprop_takes_the_step_of_its_formula() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimiser = build_optimiser(OptimiserConfig(kind="rmsprop", rate=0.1, eps=1e-8), [[weight]])
    mean = torch.zeros(2)
    expected = weight.detach().clone()
    for gradient in (torch.tensor([3.0, 0.5]), torch.tensor([-1.0, 0.5])):
        weight.grad = gradient
        optimiser.step()
        mean = 0.99 * mean + 0.01 * gradient**2
        expected -= 0.1 * gradient / (mean.sqrt() + 1e-8)
        torch.testing.assert_close(weight.detach(), expected)


@pytest.mark.parametrize("options", [{"kind": "rmsprop", "weight_decay": 0.1}, {"halvings": -1}])
def test_options_without_meaning_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        OptimiserConfig(**options)  # type: ignore[arg-type]
