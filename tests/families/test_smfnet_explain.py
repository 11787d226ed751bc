"""What SMFNet tells about itself: names, sums, gates and attention."""

import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.ops.correlation import correlation

SMALL = SMFNetConfig(channels=16, heads=4, base_blocks=1, depth=1, mixing="depthwise")


@pytest.fixture(scope="module")
def model(formula_smfnet) -> SMFNet:
    return formula_smfnet(SMALL, unused=False)


@pytest.fixture(scope="module")
def explained(model, smfnet_pair) -> dict[str, Tensor]:
    return model.explain(*smfnet_pair(12, 10, batch=2))


def documented_keys() -> set[str]:
    """The quoted names in the docstring of `explain`, with s and p written out."""
    keys = set()
    for name in re.findall(r'"([a-z_.]{2,})"', SMFNet.explain.__doc__ or ""):
        if name.endswith("_s"):
            keys |= {f"{name[:-1]}{source}" for source in "ab"}
        else:
            keys.add(name)
    return keys


def test_returned_names_are_the_documented_ones(explained) -> None:
    assert {re.sub(r"\..*", ".p", name) for name in explained} == documented_keys()


def test_every_attention_is_explained(explained) -> None:
    places = {name.removeprefix("attention.") for name in explained if name.startswith("attention.")}
    pair = "encoder.base.blocks.0.pairs.0"
    assert places == {
        "encoder.shallow.attention",
        f"{pair}.0.attention",
        f"{pair}.1.attention",
        "encoder.detail.cross",
        "fuse_base.attention",
        "decoder.transform.attention",
    }
    assert {f"temperature.{place}" for place in places} <= set(explained)


def test_rows_of_an_attention_matrix_add_up_to_one(explained) -> None:
    found = {name: value.sum(dim=-1) for name, value in explained.items() if name.startswith("attention.")}
    for value in found.values():
        torch.testing.assert_close(value, torch.ones_like(value))
    assert found["attention.encoder.detail.cross"].shape == (2, 4, 4, 2)  # pair, calls, heads, channels of a head


def test_gradient_kernels_are_those_of_both_blocks(model, explained) -> None:
    blocks = {"encoder.detail.dense": model.encoder.detail.dense, "fuse_detail.dense": model.fuse_detail.dense}
    assert {name.removeprefix("gradient.") for name in explained if name.startswith("gradient.")} == set(blocks)
    for place, block in blocks.items():
        assert torch.equal(explained[f"gradient.{place}"][0, 5], block.sobel_x.weight[5, 0])
        assert torch.equal(explained[f"gradient.{place}"][1], block.sobel_y.weight[:, 0])


def test_decoder_makes_the_fused_picture_of_the_three_summands(model, explained) -> None:
    total = explained["fused_base"] + explained["fused_detail"] + explained["fused_graph"]
    with torch.no_grad():
        torch.testing.assert_close(model.decoder(total), explained["fused"], rtol=0, atol=1e-12)
        without = model.decoder(explained["fused_base"] + explained["fused_graph"])
    torch.testing.assert_close(without, explained["without_detail"], rtol=0, atol=1e-12)


def test_explained_results_are_those_of_the_network(model, explained, smfnet_pair) -> None:
    a, b = smfnet_pair(12, 10, batch=2)
    with torch.no_grad():
        found_a, found_b, _ = model.reconstruct(a, b)
        torch.testing.assert_close(explained["fused"], model(a, b), rtol=0, atol=1e-12)
    torch.testing.assert_close(explained["reconstructed_a"], found_a, rtol=0, atol=1e-12)
    torch.testing.assert_close(explained["reconstructed_b"], found_b, rtol=0, atol=1e-12)


def test_gates_have_the_documented_shapes(explained) -> None:
    shapes = {name: tuple(explained[f"{name}_a"].shape) for name in ("exchange", "edge", "update", "gamma", "scale")}
    assert shapes == {
        "exchange": (2, 2, 3, 12, 10),
        "edge": (2, 2, 3, 2, 12, 10),
        "update": (2, 2, 3),
        "gamma": (1,),
        "scale": (2, 8, 12, 10),
    }
    assert tuple(explained["scale_fused"].shape) == (2, 2, 16, 12, 10)


def test_first_exchange_is_the_gate_of_the_first_nodes(model, explained) -> None:
    with torch.no_grad():
        node_a = model.graph.nodes_a[1](explained["shallow_a"])
        node_b = model.graph.nodes_b[1](explained["shallow_b"])
        gate = model.graph.gate_a(node_b - node_a).sigmoid()[:, 0]
    torch.testing.assert_close(explained["exchange_a"][:, 0, 1], gate, rtol=0, atol=1e-12)


@pytest.mark.parametrize("branch", ["base", "detail", "graph"])
def test_correlations_compare_the_two_sources_pair_by_pair(branch: str, explained) -> None:
    a, b = explained[f"{branch}_a"], explained[f"{branch}_b"]
    expected = [correlation(a[k : k + 1], b[k : k + 1]).item() for k in (0, 1)]
    assert explained[f"correlation_{branch}"].tolist() == pytest.approx(expected, abs=1e-12)


def test_nothing_in_the_explanation_carries_a_graph(explained) -> None:
    assert not any(value.requires_grad for value in explained.values())


def test_no_hook_is_left_behind(model, explained) -> None:
    assert not any(module._forward_hooks for module in model.modules())


def test_network_without_a_graph_leaves_its_entries_out(smfnet_pair) -> None:
    found = SMFNet(replace(SMALL, graph=False)).double().eval().explain(*smfnet_pair(6, 5))
    missing = {name for name in documented_keys() if name not in found and "." not in name}
    assert missing == {
        "fused_graph", "without_graph", "correlation_graph",
        *(f"{name}_{s}" for name in ("graph", "exchange", "edge", "update", "gamma") for s in "ab"),
    }  # fmt: skip


def test_values_keep_the_device_and_type_of_the_weights(explained) -> None:
    assert {value.dtype for value in explained.values()} == {torch.float64}
