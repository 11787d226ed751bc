"""Parameters and multiply-accumulates of SMFNet are the tabled ones, part by part and in smaller sizes."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.families.smfnet.attention import ChannelAttention, macs_per_pixel

SMALL = SMFNetConfig(channels=16, heads=4, base_blocks=1, depth=1, mixing="depthwise")
# specification, section 7: place, parameters, multiply-accumulates of one evaluation
TABLE = [
    ("encoder.embed", 576, 576),
    ("encoder.shallow", 27_336, 27_904),
    ("encoder.base.first", 36_928, 36_864),
    ("encoder.base.blocks", 1_606_144, 1_611_264),
    ("encoder.base.blocks.0.pairs.0.0", 27_336, 27_904),
    ("encoder.base.blocks.1.pairs.1.1", 364_808, 365_568),
    ("encoder.base.blocks.0.refine", 18_784, 18_688),
    ("encoder.detail.dense", 165_312, 164_992),
    ("encoder.detail.cross", 5_192, 10_432 // 2),
    ("encoder.detail.node", 18_176, 18_112),
    ("encoder", 1_859_664, 1_870_144 - 10_432 // 2),
    ("graph.nodes_a", 221_952 // 2, 221_184 // 2),
    ("graph.gate_a", 64, 64),
    ("graph.messages_b", 49_794 // 2, 296_448 // (2 * 3 * 2)),
    ("graph.merge_b", 221_440 // 2, 221_184 // 2),
    ("graph.join", 8_256, 8_192),
    ("fuse_base", 27_336, 27_904),
    ("fuse_detail", 211_008, 210_560),
    ("decoder", 50_520, 51_088),
]
# specification, section 5: configuration, parameters, multiply-accumulates per pixel of stage II
SIZES = [
    (SMFNetConfig(), 2_650_098, 4_777_616),
    (SMFNetConfig(mixing="depthwise"), 1_329_906, 2_137_232),
    (SMFNetConfig(channels=32), 671_018, 1_205_960),
    (SMFNetConfig(channels=32, depth=1, mixing="depthwise"), 309_258, 481_864),
    (replace(SMALL, channels=32), 287_794, 441_096),
    (replace(SMALL, channels=24), 164_360, 251_478),
    (SMALL, 75_254, 114_756),
]
VARIANTS = [
    SMALL,
    replace(SMALL, mixing="dense", base_blocks=2),
    replace(SMALL, graph=False),
    replace(SMALL, cross_attention=False),
    replace(SMALL, base_residual=False),
    replace(SMALL, exchange_rounds=1, message_iterations=3, leff_channels=8),
]


@pytest.fixture(scope="module")
def published() -> SMFNet:
    return SMFNet()


@pytest.mark.parametrize(("place", "parameters", "macs"), TABLE, ids=[row[0] for row in TABLE])
def test_part_costs_what_the_table_says(place: str, parameters: int, macs: int, published) -> None:
    part = published.get_submodule(place)
    assert (sum(p.numel() for p in part.parameters()), macs_per_pixel(part)) == (parameters, macs)


def test_stages_cost_what_the_table_says(published) -> None:
    costs = published.costs()
    reconstruction = costs["encoder"] + 2 * costs["decoder"] + costs["graph"] - macs_per_pixel(published.graph.join)
    assert (sum(costs.values()), reconstruction) == (4_777_616, 4_582_048)


@pytest.mark.parametrize(("config", "parameters", "macs"), SIZES, ids=[f"{row[1]} values" for row in SIZES])
def test_size_costs_what_the_table_says(config: SMFNetConfig, parameters: int, macs: int) -> None:
    spec = SMFNet(config).spec
    assert (spec.parameters, spec.macs_per_pixel) == (parameters, macs)


@pytest.mark.parametrize("config", VARIANTS, ids=range(len(VARIANTS)))
def test_declared_cost_is_what_one_evaluation_does(config: SMFNetConfig) -> None:
    model = SMFNet(config).eval()
    pixels, counted = 6 * 7, []

    def count(module: nn.Module, _: object, out: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            # the reflected border makes pixels that no output has
            counted.append(module.weight.numel() * out.shape[-2] * out.shape[-1])
        elif isinstance(module, ChannelAttention):
            counted.append(2 * pixels * module.channels**2 // module.heads)

    for module in model.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        model.fuse(*torch.rand(2, 1, 1, 6, 7))
    assert sum(counted) == model.spec.macs_per_pixel * pixels
