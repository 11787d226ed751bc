"""Which parts of DAE-Fuse get a gradient in which phase, and that it learns to reconstruct."""

import math
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig, Discriminator
from polyfuse.families.daefuse.adversarial import discriminator_loss, generator_loss, shown
from polyfuse.families.daefuse.losses import fusion_terms, reconstruction_terms

CONFIG = DAEFuseConfig.of_size("tiny")


class Game:
    """A fresh network and its two discriminators with plain optimisers."""

    def __init__(self) -> None:
        torch.manual_seed(7)
        self.network = DAEFuse(CONFIG).train()
        self.discs = nn.ModuleDict({f"disc_{source}": Discriminator(CONFIG.disc_channels) for source in "ab"})
        self.pair = torch.rand(2, 2, 1, 24, 32, generator=torch.Generator().manual_seed(1))
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        self.disc_optimiser = torch.optim.RMSprop(self.discs.parameters(), lr=1e-3)

    def made(self, phase: int) -> tuple[Tensor, Tensor]:
        """What each discriminator has to judge."""
        if phase == 1:
            return self.network.reconstruct(*self.pair)
        fused = self.network(*self.pair)
        return fused, fused

    def generator_step(self, phase: int) -> None:
        self.optimiser.zero_grad()
        made = self.made(phase)
        terms = reconstruction_terms(*made, *self.pair) if phase == 1 else fusion_terms(made[0], *self.pair)
        fooled = (
            generator_loss(disc(shown(x, source, "image")))
            for disc, x, source in zip(self.discs.values(), made, "ab", strict=True)
        )
        cast(Tensor, sum(terms.values()) + 0.1 * sum(fooled)).backward()
        self.optimiser.step()

    def discriminator_step(self, phase: int) -> None:
        self.disc_optimiser.zero_grad()
        for disc, real, fake in zip(self.discs.values(), self.pair, self.made(phase), strict=True):
            discriminator_loss(disc(real), disc(fake.detach())).backward()
        self.disc_optimiser.step()

    def gradients(self) -> dict[str, bool]:
        """Whether each parameter of the network has a gradient that is not zero."""
        named = self.network.named_parameters()
        return {name: p.grad is not None and bool(p.grad.count_nonzero()) for name, p in named}


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture
def game() -> Game:
    return Game()


def test_phase_1_reaches_all_but_the_fusion(game) -> None:
    fusion = state(game.network.fusion)
    game.generator_step(1)
    found = game.gradients()
    # the first convolution of a block has no gradient while the second is zero
    silent = {name for name in found if name.startswith("fusion.") or (".first." in name)}
    assert {name for name, reached in found.items() if not reached} == silent
    game.generator_step(1)
    assert {name for name, reached in game.gradients().items() if not reached} == {
        name for name in found if name.startswith("fusion.")
    }
    assert same(fusion, game.network.fusion.state_dict())


def test_phase_2_reaches_the_outputs_of_the_fusion_first(game) -> None:
    game.generator_step(1)  # the residual blocks are past their zeros
    game.generator_step(2)
    found = {name.removeprefix("fusion."): on for name, on in game.gradients().items() if name.startswith("fusion.")}
    outputs = {f"cross.{source}.project_out" for source in "ab"} | {"gate.reduce"}
    expected = {f"{layer}.{kind}" for layer in outputs for kind in ("weight", "bias")}
    assert {name for name, reached in found.items() if reached} == expected
    game.generator_step(2)
    assert {name for name, reached in game.gradients().items() if not reached} == set()


@pytest.mark.parametrize("phase", [1, 2])
def test_each_step_changes_its_own_side_alone(phase: int, game) -> None:
    network, discs = state(game.network), state(game.discs)
    game.generator_step(phase)
    assert same(discs, game.discs.state_dict())
    assert not same(network, game.network.state_dict())
    network = state(game.network)
    game.discriminator_step(phase)
    assert same(network, game.network.state_dict())
    assert not any(torch.equal(value, discs[name]) for name, value in game.discs.state_dict().items())


def test_attention_of_bf16_and_float32_has_like_gradients(game) -> None:
    game.generator_step(2)
    game.generator_step(2)
    gradients = []
    for precision in ("float32", "bf16"):
        game.network.precision = precision
        game.optimiser.zero_grad()
        cast(Tensor, sum(fusion_terms(game.network(*game.pair), *game.pair).values())).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in game.network.parameters()]))
    assert torch.nn.functional.cosine_similarity(gradients[0], gradients[1], dim=0) > 0.98


@pytest.mark.slow
def test_one_pair_is_learned_by_heart() -> None:
    torch.manual_seed(0)
    network = DAEFuse(CONFIG).train()
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    a = 0.5 + 0.3 * torch.sin(0.17 * columns + 0.05 * rows) + 0.2 * torch.cos(0.11 * rows - 0.03 * columns)
    b = 0.5 + 0.3 * torch.cos(0.13 * columns - 0.07 * rows) * torch.sin(0.9 * rows)
    a, b = a.expand(1, 1, -1, -1), b.expand(1, 1, -1, -1)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(200):
        optimiser.zero_grad()
        cast(Tensor, sum(reconstruction_terms(*network.reconstruct(a, b), a, b).values())).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    with torch.no_grad():
        found = network.reconstruct(a, b)
    errors = [(x - y).square().mean().item() for x, y in zip(found, (a, b), strict=True)]
    assert -10 * math.log10(sum(errors) / 2) > 30  # decibels
