"""Parameters and multiply-accumulates of DAE-Fuse are the tabled ones, part by part, in both sizes."""

import pytest
import torch
from torch import nn

from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig, Discriminator
from polyfuse.families.daefuse.blocks import ResidualBlock
from polyfuse.families.daefuse.config import Size

# specification, section 2.7: part, parameters of base and of tiny
PARTS = [
    ("shallow.all", 37_312, 4_800),
    ("shallow.all.0", 320, 160),
    ("high.all", 236_448, 18_832),
    ("high.all.stages", 234_880, 18_560),
    ("high.all.project_out", 1_568, 272),
    ("low.all", 801_696, 88_960),
    ("low.all.embed", 262_272, 49_200),
    ("low.all.blocks", 535_040, 38_880),
    ("low.all.blocks.1", 133_760, 19_440),
    ("low.all.norm", 256, 96),
    ("low.all.project_out", 4_128, 784),
    ("fusion", 61_384, 16_356),
    ("fusion.cross.a", 17_540, 4_674),
    ("fusion.cross.b", 17_540, 4_674),
    ("fusion.gate.norm", 256, 128),
    ("fusion.gate.expand", 16_512, 4_160),
    ("fusion.gate.mix", 1_280, 640),
    ("fusion.gate.reduce", 8_256, 2_080),
    ("decoder", 74_241, 14_049),
    ("decoder.read", 18_464, 4_624),
    ("decoder.blocks", 55_488, 9_280),
    ("decoder.write", 289, 145),
    ("", 1_211_081, 142_997),
]
VARIANTS = [({"qk_norm": False}, 1_211_073, 142_993), ({"share_directions": True}, 1_193_541, 138_323)]
# thousands of multiply-accumulates per pixel of a pair
MACS = {
    "base": {"shallow": 74, "high": 472, "low": 25, "fusion": 51, "attention": 65.5, "decoder": 74},
    "tiny": {"shallow": 9.5, "high": 37.4, "low": 2.7, "fusion": 13.4, "attention": 8.2, "decoder": 14.0},
}


def count(part: nn.Module) -> int:
    return sum(p.numel() for p in part.parameters())


@pytest.fixture(scope="module")
def networks() -> dict[str, DAEFuse]:
    return {size: DAEFuse(DAEFuseConfig.of_size(size)) for size in ("base", "tiny")}


@pytest.mark.parametrize(("place", "base", "tiny"), PARTS, ids=[row[0] or "network" for row in PARTS])
def test_part_has_its_tabled_parameters(place: str, base: int, tiny: int, networks) -> None:
    assert count(networks["base"].get_submodule(place)) == base
    assert count(networks["tiny"].get_submodule(place)) == tiny


@pytest.mark.parametrize(("change", "base", "tiny"), VARIANTS, ids=lambda value: str(value))
def test_variant_has_its_tabled_parameters(change: dict, base: int, tiny: int) -> None:
    assert DAEFuse(DAEFuseConfig.of_size("base", **change)).spec.parameters == base
    assert DAEFuse(DAEFuseConfig.of_size("tiny", **change)).spec.parameters == tiny


def test_encoders_of_their_own_are_two_copies(networks) -> None:
    own, tiny = DAEFuse(DAEFuseConfig.of_size("tiny", shared_encoder=False)), networks["tiny"]
    encoder = sum(count(part) for part in (tiny.shallow, tiny.high, tiny.low))
    assert count(own) == count(tiny) + encoder
    assert own.costs() == tiny.costs()


@pytest.mark.parametrize(("size", "parameters"), [("base", 426_977), ("tiny", 41_361)])
def test_discriminator_has_its_tabled_parameters(size: Size, parameters: int) -> None:
    assert count(Discriminator(DAEFuseConfig.of_size(size).disc_channels)) == parameters


@pytest.mark.parametrize(
    ("widths", "parameters"), [((32, 32), 18_496), ((32, 48), 36_192), ((48, 48), 41_568), ((16, 16), 4_640)], ids=str
)
def test_residual_block_has_its_tabled_parameters(widths: tuple[int, int], parameters: int) -> None:
    assert count(ResidualBlock(*widths)) == parameters


@pytest.mark.parametrize("size", ["base", "tiny"])
def test_costs_are_the_tabled_ones(size: str, networks) -> None:
    found = {name: macs / 1000 for name, macs in networks[size].costs().items()}
    assert found == pytest.approx(MACS[size], abs=0.5 if size == "base" else 0.05)
    assert networks[size].spec.macs_per_pixel == sum(networks[size].costs().values())


def test_costs_are_those_of_the_layers_that_ran(networks) -> None:
    model, total = networks["tiny"], 0

    def add(layer: nn.Conv2d | nn.Linear, _: object, output: torch.Tensor) -> None:
        nonlocal total
        places = output.numel() // output.shape[1] if isinstance(layer, nn.Conv2d) else output[..., 0].numel()
        total += places * layer.weight.numel()

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(add) for layer in layers]
    with torch.no_grad():
        model.train()(*torch.rand(2, 1, 1, 64, 64))  # no margin in training
    for handle in handles:
        handle.remove()
    costs = model.costs()
    keys = 2 * 8 * 8 * 32 * 32  # of the pooled grid, which the costs leave out
    assert total - keys == (sum(costs.values()) - costs["attention"]) * 64 * 64 - rounding(model) * 64 * 64


def rounding(model: DAEFuse) -> float:
    """What the costs of the low branch lack, since they are whole numbers."""
    assert model.low is not None
    weights = sum(p.numel() for name, p in model.low.named_parameters() if name.endswith("weight") and p.ndim > 1)
    return model.costs()["low"] - 2 * weights / 64
