"""SMFNet gives the golden values of the official program: every module, both stages, losses, gradients."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.fusion.stretch import OutputRange

# Golden numbers have ten significant digits; sums over the tensor ("l2") reach 3000.
FLOAT64_ERROR = 1e-8
TINY = SMFNetConfig(channels=16, heads=4, base_blocks=1, depth=1, mixing="depthwise")
Calls = dict[str, list[tuple[tuple[Any, ...], Any]]]


def assert_golden(found: Tensor, entry: dict[str, Any], error: float = FLOAT64_ERROR) -> None:
    assert list(found.shape) == entry["shape"]
    x = found.detach().double()
    values = {"mean": x.mean(), "std": x.std(correction=0), "min": x.min(), "max": x.max(), "l2": x.norm()}
    measured = [value.item() for value in values.values()] + x.flatten()[entry["index"]].tolist()
    expected = [entry[name] for name in values] + entry["value"]
    for one, other in zip(measured, expected, strict=True):
        assert one == pytest.approx(other, abs=error * max(1, abs(other)))


def recorded(model: SMFNet, run: Callable[[], Any]) -> Calls:
    """Inputs and output of every module, call by call."""
    calls: Calls = defaultdict(list)
    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_hook(lambda _, x, y, name=name: calls[name].append((x, y))))
    with torch.no_grad():
        run()
    for handle in handles:
        handle.remove()
    return calls


@pytest.fixture(scope="module")
def published(formula_smfnet) -> SMFNet:
    return formula_smfnet()


@pytest.fixture(scope="module")
def calls(published, smfnet_pair) -> Calls:
    pair = smfnet_pair(40, 36)
    return recorded(published, lambda: (published.fuse(*pair), published(*pair)))  # plain modules, then the fast form


def output(name: str, call: int = 0) -> Callable[[Calls], Tensor]:
    return lambda calls: calls[name][call][1]


def given(name: str, call: int = 0) -> Callable[[Calls], Tensor]:
    return lambda calls: calls[name][call][0][0]


def one_of(nodes: Callable[[Calls], Tensor], k: int) -> Callable[[Calls], Tensor]:
    return lambda calls: nodes(calls)[k]


# The encoder takes a, the infrared picture, first: its second call is the official "vis".
VIS = 1
PAIR = "encoder.base.blocks.0.pairs.0"
MODULES: dict[str, Callable[[Calls], Tensor]] = {
    "input:vis": given("encoder.embed", VIS),
    "input:ir": given("encoder.embed"),
    "vis:DIDF_Encoder.patch_embed": output("encoder.embed", VIS),
    "vis:DIDF_Encoder.encoder_level1.0.norm1": output("encoder.shallow.norm1", VIS),
    "vis:DIDF_Encoder.encoder_level1.0.attn": output("encoder.shallow.attention", VIS),
    "vis:DIDF_Encoder.encoder_level1.0.ffn_leff": output("encoder.shallow.feed_forward", VIS),
    "vis:DIDF_Encoder.encoder_level1": output("encoder.shallow", VIS),
    "vis:DIDF_Encoder.GRDB_module.conv": lambda calls: leaky_relu(calls["encoder.detail.dense.first"][VIS][1], 0.2),
    "vis:DIDF_Encoder.GRDB_module.GRDB.dense": given("encoder.detail.dense.squeeze", VIS),
    "vis:DIDF_Encoder.GRDB_module.GRDB.sobelconv": given("encoder.detail.dense.lift", VIS),
    "vis:DIDF_Encoder.GRDB_module": output("encoder.detail.dense", VIS),
    "vis:DIDF_Encoder.baseFeature.conv_first": output("encoder.base.first", VIS),
    "vis:DIDF_Encoder.baseFeature.layers.0.residual_group.0.0": output(f"{PAIR}.0", VIS),
    "vis:DIDF_Encoder.baseFeature.layers.0.residual_group.0.1.attn": output(f"{PAIR}.1.attention", VIS),
    "vis:DIDF_Encoder.baseFeature.layers.0.residual_group.0.1": output(f"{PAIR}.1", VIS),
    "vis:DIDF_Encoder.baseFeature.layers.0.conv": output("encoder.base.blocks.0.refine", VIS),
    "vis:DIDF_Encoder.baseFeature.layers.0": output("encoder.base.blocks.0", VIS),
    "vis:DIDF_Encoder.baseFeature.layers.1": output("encoder.base.blocks.1", VIS),
    "vis:CAI.F1": output("encoder.detail.cross", 2 * VIS),
    "vis:CAI.F2": output("encoder.detail.cross", 2 * VIS + 1),
    "vis:base": output("encoder.base", VIS),
    "vis:detail": output("encoder.detail", VIS),
    "vis:shallow": output("encoder.shallow", VIS),
    "ir:base": output("encoder.base"),
    "ir:detail": output("encoder.detail"),
    "ir:shallow": output("encoder.shallow"),
    "graph:G_ir": output("graph.merge_a"),
    "graph:G_vis": output("graph.merge_b"),
    "graph:G_fused": output("graph.join"),
    "BaseFuseLayer.attn": output("fuse_base.attention"),
    "fuse:base": output("fuse_base"),
    "DetailFuseLayer.GRDB": output("fuse_detail.dense"),
    "DetailFuseLayer.net.0[0]": lambda calls: calls["fuse_detail.couplings.0"][0][1][:, :32],
    "DetailFuseLayer.net.0[1]": lambda calls: calls["fuse_detail.couplings.0"][0][1][:, 32:],
    "DetailFuseLayer.net.0 (cat)": output("fuse_detail.couplings.0"),
    "DetailFuseLayer.net.1 (cat)": output("fuse_detail.couplings.1"),
    "fuse:detail": output("fuse_detail"),
    "decoder:input": given("decoder"),
    "decoder:transformer": output("decoder.transform"),
    "fused": output(""),
}
for _k in range(3):
    for _source, _name in (("ir", "a"), ("vis", "b")):
        MODULES[f"graph:node_{_source}[{_k}] after ppm"] = output(f"graph.nodes_{_name}.{_k}")
        MODULES[f"graph:node_{_source}[{_k}] after exchange"] = one_of(given(f"graph.messages_{_name}"), _k)
    MODULES[f"graph:node_ir[{_k}] after iteration 2"] = one_of(output("graph.messages_a"), _k)


@pytest.mark.parametrize("key", MODULES)
def test_module_is_golden(key: str, smfnet_golden, calls) -> None:
    assert_golden(MODULES[key](calls), smfnet_golden["eval_b1_40x36"][key])


@pytest.mark.parametrize("k", range(3))
def test_node_after_one_round_of_messages_is_golden(k: int, smfnet_golden, published, calls, monkeypatch) -> None:
    messages = published.graph.messages_a
    monkeypatch.setattr(messages, "iterations", 1)
    with torch.no_grad():
        nodes = messages(calls["graph.messages_a"][0][0][0])
    assert_golden(nodes[k], smfnet_golden["eval_b1_40x36"][f"graph:node_ir[{k}] after iteration 1"])


def test_reconstructions_are_golden(smfnet_golden, published, smfnet_pair) -> None:
    with torch.no_grad():
        found_a, found_b, _ = published.reconstruct(*smfnet_pair(40, 36))
    assert_golden(found_a, smfnet_golden["eval_b1_40x36"]["stage1:ir_hat"])
    assert_golden(found_b, smfnet_golden["eval_b1_40x36"]["stage1:vis_hat"])


def test_stretched_result_is_golden(smfnet_golden, calls) -> None:
    fused = calls[""][0][1].numpy().astype(np.float32)
    stretched = torch.from_numpy(OutputRange.measured(fused).stretch(fused))
    assert_golden(stretched, smfnet_golden["eval_b1_40x36"]["fused_minmax"], error=2e-6)  # float32


def test_every_golden_tensor_of_the_evaluation_is_compared(smfnet_golden) -> None:
    elsewhere = {f"graph:node_ir[{k}] after iteration 1" for k in range(3)}
    elsewhere |= {"stage1:ir_hat", "stage1:vis_hat", "fused_minmax"}
    assert set(smfnet_golden["eval_b1_40x36"]) == set(MODULES) | elsewhere


@pytest.mark.parametrize(
    ("messages", "key"),
    [("interleaved", "interleaved (official)"), ("per_neighbour", "per neighbour (corrected)")],
)
def test_graph_is_golden_with_either_weighting_of_messages(
    messages: str, key: str, smfnet_golden, published, calls, monkeypatch
) -> None:
    for passing in (published.graph.messages_a, published.graph.messages_b):
        monkeypatch.setattr(passing, "messages", messages)
    with torch.no_grad():
        graph = published.graph(*(calls["encoder.shallow"][k][1] for k in (0, 1)))
        found = published.graph.join(torch.cat(graph, dim=1))
    assert_golden(found, smfnet_golden["graph_message_variants_G_fused_eval_40x36"][key])


def test_float32_is_golden(smfnet_golden, published, smfnet_pair) -> None:
    single = SMFNet()
    single.load_state_dict(published.state_dict())
    with torch.no_grad():
        fused = single.eval()(*(x.float() for x in smfnet_pair(40, 36)))
    assert_golden(fused, smfnet_golden["eval_b1_40x36"]["fused"], error=2e-5)  # the specification's tolerance


@pytest.fixture(scope="module")
def tiny_found(formula_smfnet, smfnet_pair) -> dict[str, Tensor]:
    return formula_smfnet(TINY, unused=False).explain(*smfnet_pair(12, 10))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("shallow_b", "vis:shallow"),
        ("base_b", "vis:base"),
        ("detail_b", "vis:detail"),
        ("graph_a", "G_ir"),
        ("graph_b", "G_vis"),
        ("fused_graph", "G_fused"),
        ("fused_base", "fuse:base"),
        ("fused_detail", "fuse:detail"),
        ("fused", "fused"),
    ],
)
def test_small_network_is_golden(name: str, key: str, smfnet_golden, tiny_found) -> None:
    assert_golden(tiny_found[name], smfnet_golden["tiny_eval_12x10"][key])


def test_small_network_has_the_golden_number_of_parameters(smfnet_golden) -> None:
    assert SMFNet(TINY).spec.parameters == smfnet_golden["tiny_eval_12x10"]["parameters"]


@pytest.fixture(scope="module")
def trained_graph(formula_smfnet, smfnet_pair) -> dict[str, Any]:
    """Graph outputs in training mode and the state after one forward pass."""
    model = formula_smfnet().train()
    a, b = smfnet_pair(24, 20, batch=2)
    with torch.no_grad():
        graph_a, graph_b = model.graph(model.encoder(a).shallow, model.encoder(b).shallow)
        joined = model.graph.join(torch.cat([graph_a, graph_b], dim=1))
    return {"G_ir": graph_a, "G_vis": graph_b, "G_fused": joined, "state": model.state_dict()}


@pytest.mark.parametrize("key", ["G_ir", "G_vis", "G_fused"])
def test_graph_with_batch_statistics_is_golden(key: str, smfnet_golden, trained_graph) -> None:
    assert_golden(trained_graph[key], smfnet_golden["train_b2_24x20_graph_batchnorm"][f"graph:{key}"])


@pytest.mark.parametrize(
    ("ours", "theirs"), [("graph.nodes_a.0.1", "graph.graph.ppm_rgb.convs.0.1"), ("graph.merge_a.1", "graph.C_cat.0.1")]
)
@pytest.mark.parametrize("statistic", ["running_mean", "running_var"])
def test_running_statistics_are_golden(ours: str, theirs: str, statistic: str, smfnet_golden, trained_graph) -> None:
    entry = smfnet_golden["train_b2_24x20_graph_batchnorm"][f"after one train forward: {theirs}.{statistic}"]
    assert_golden(trained_graph["state"][f"{ours}.{statistic}"], entry)
