"""What SMFNet promises for any weights and any input, and what each option of its configuration changes."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import conv2d

from polyfuse.errors import InputError, UsageError
from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.families.smfnet.detail import bounded_scale
from polyfuse.fusion import fuse

SMALL = SMFNetConfig(channels=16, heads=4, base_blocks=1, depth=1, mixing="depthwise")
CHANGES: dict[str, Any] = {
    "mixing": "dense",
    "leff_channels": 8,
    "dilations": (2, 4, 6),
    "exchange_rounds": 1,
    "message_iterations": 1,
    "messages": "per_neighbour",
    "scale_limit": 0.1,
    "base_residual": False,
    "cross_attention": False,
    "graph": False,
    "swap_fusion": True,
    "heads": 2,
    "base_blocks": 2,
    "depth": 2,
}
"""One change each of everything that changes the result."""


def random_pair(*shape: int) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    return a, b


@pytest.fixture(scope="module")
def small(formula_smfnet) -> SMFNet:
    return formula_smfnet(SMALL, unused=False).requires_grad_(False)


def changed(model: SMFNet, **changes: Any) -> SMFNet:
    """The same weights, as far as they fit, under another configuration."""
    torch.manual_seed(3)
    other = SMFNet(replace(model.config, **changes)).double().eval().requires_grad_(False)
    shapes = {name: value.shape for name, value in other.state_dict().items()}
    fitting = {name: value for name, value in model.state_dict().items() if shapes.get(name) == value.shape}
    other.load_state_dict(fitting, strict=False)
    return other


def test_invertible_node_can_be_inverted(small) -> None:
    node = small.encoder.detail.node
    x = torch.randn(2, 16, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    first, second = node(x).chunk(2, dim=1)
    first = (first - node.eta(second)) * torch.exp(-node.rho(second))
    shuffled = torch.cat([first, second - node.phi(first)], dim=1) - node.shuffle.bias[:, None, None]
    found = conv2d(shuffled, torch.linalg.inv(node.shuffle.weight[..., 0, 0])[..., None, None])
    torch.testing.assert_close(found, x, rtol=0, atol=1e-11)


def test_coupling_of_the_detail_fusion_can_be_undone(small) -> None:
    coupling = small.fuse_detail.couplings[0]
    x = torch.randn(2, 16, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    first, second = coupling(x).chunk(2, dim=1)
    first = bounded_scale(coupling.scale_a(second)) * first + coupling.shift_a(second)
    second = bounded_scale(coupling.scale_b(first)) * second + coupling.shift_b(first)
    torch.testing.assert_close(torch.cat([first, second], dim=1), coupling.shuffle(x), rtol=0, atol=1e-13)


def test_pictures_of_a_batch_do_not_touch_each_other(small) -> None:
    a, b = random_pair(3, 1, 8, 9)
    torch.testing.assert_close(small(a, b)[1:2], small(a[1:2], b[1:2]), rtol=0, atol=1e-13)


def test_sources_have_roles_through_the_graph_alone(small) -> None:
    a, b = random_pair(1, 1, 8, 9)
    without = changed(small, graph=False)
    assert torch.equal(without(a, b), without(b, a))
    assert (small(a, b) - small(b, a)).abs().max() > 1e-3


def test_messages_weighed_by_nothing_change_nothing(small) -> None:
    a, b = random_pair(1, 1, 8, 9)
    silent = changed(small)
    assert silent.graph is not None
    for messages in (silent.graph.messages_a, silent.graph.messages_b):
        messages.gamma.zero_()
    none = changed(silent, message_iterations=0)
    assert torch.equal(silent(a, b), none(a, b))
    assert not torch.equal(silent(a, b), small(a, b))


def test_one_corner_reaches_the_opposite_edge(small) -> None:
    a, b = random_pair(1, 1, 70, 4)
    moved = a.clone()
    moved[0, 0, 0, 0] += 0.5
    assert (small(moved, b) - small(a, b))[0, 0, -1].abs().min() > 1e-9
    assert small.spec.receptive_radius is None


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_pictures_give_finite_ones(value: float, small) -> None:
    a = torch.full((1, 1, 6, 5), value, dtype=torch.float64)
    assert torch.isfinite(small(a, a)).all()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(height=st.integers(1, 12), width=st.integers(1, 12), batch=st.integers(1, 2))
def test_any_size_works(height: int, width: int, batch: int, small) -> None:
    a, b = random_pair(batch, 1, height, width)
    fused = small(a, b)
    assert fused.shape == a.shape
    assert ((fused > 0) & (fused < 1)).all()


def test_pictures_of_two_sizes_are_refused(small) -> None:
    a, b = random_pair(1, 1, 6, 5)
    for call in (small, small.reconstruct, small.explain):
        with pytest.raises(InputError, match=r"a \(1, 1, 6, 5\) and b \(1, 1, 5, 5\)"):
            call(a, b[..., 1:, :])


@pytest.mark.parametrize("name", CHANGES)
def test_option_changes_the_result(name: str, small) -> None:
    a, b = random_pair(1, 1, 12, 9)
    assert (changed(small, **{name: CHANGES[name]})(a, b) - small(a, b)).abs().max() > 1e-4


def test_exchanged_fusion_layers_get_the_other_features(small) -> None:
    a, b = random_pair(1, 1, 6, 5)
    swapped = changed(small, swap_fusion=True)
    features = swapped.fuse(a, b)[1]
    base, detail, _ = swapped.branches(features)
    assert torch.equal(base, swapped.fuse_detail(features.base_a + features.base_b))
    assert torch.equal(detail, swapped.fuse_base(features.detail_a + features.detail_b))


def test_black_of_both_sources_stays_exactly_black(small) -> None:
    a, b = random_pair(1, 1, 20, 15)
    for picture in (a, b):
        picture[..., :5, :] = 0
    b[..., 5:8, :] = 0
    kept = changed(small, keep_black=True)
    fused, free = kept(a, b), small(a, b)
    assert fused[..., :5, :].abs().max() == 0
    assert torch.equal(fused[..., 5:, :], free[..., 5:, :])
    assert free[..., :5, :].min() > 0


@pytest.mark.parametrize("output", ["minmax", "clip"])
def test_kept_black_survives_the_output_mapping(output: str, small) -> None:
    a, b = (np.pad(x[0, 0].numpy().astype(np.float32), 4) for x in random_pair(1, 1, 10, 9))
    image = fuse(a, b, model=changed(small, keep_black=True, output=output), bit_depth="8").image
    assert image[:4].max() == 0
    assert image[4:-4, 4:-4].min() > 0


def test_published_mapping_spans_all_levels_and_clip_leaves_them(small) -> None:
    a, b = (x[0, 0].numpy().astype(np.float32) for x in random_pair(1, 1, 10, 9))
    stretched = fuse(a, b, model=small, bit_depth="8").image
    plain = fuse(a, b, model=changed(small, output="clip"), bit_depth="8").image
    expected = small(*(torch.from_numpy(x).double()[None, None] for x in (a, b)))[0, 0].numpy() * 255
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert np.abs(plain - expected).max() <= 0.501


def test_gradient_convolutions_start_as_sobel_and_learn_if_wanted() -> None:
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    for learns in (True, False):
        model = SMFNet(replace(SMALL, train_gradients=learns))
        for dense in (model.encoder.detail.dense, model.fuse_detail.dense):
            assert torch.equal(dense.sobel_x.weight, kernel.expand(16, 1, 3, 3))
            assert torch.equal(dense.sobel_y.weight, kernel.T.expand(16, 1, 3, 3))
            assert dense.sobel_x.weight.requires_grad == dense.sobel_y.weight.requires_grad == learns


def test_network_starts_as_the_specification_says() -> None:
    torch.manual_seed(0)
    state = SMFNet().state_dict()
    ones = [name for name in state if name.endswith("temperature") or ("norm" in name and name.endswith("weight"))]
    assert all((state[name] == 1).all() for name in ones)
    assert len(ones) == 12 + 2 * 11
    assert all((state[f"graph.messages_{s}.gamma"] == 0).all() for s in "ab")
    gates = state["graph.messages_a.gates.weight"]
    assert gates.std().item() == pytest.approx(0.01, rel=0.05)
    conv = state["encoder.base.first.weight"]
    assert conv.abs().max().item() == pytest.approx((64 * 9) ** -0.5, rel=1e-3)
    assert conv.std().item() == pytest.approx((64 * 9) ** -0.5 / 3**0.5, rel=0.02)


def test_first_step_moves_gamma_but_not_the_messages() -> None:
    torch.manual_seed(0)
    model = SMFNet(SMALL)
    a, b = (x.float() for x in random_pair(2, 1, 12, 9))
    model.fuse(a, b)[0].square().mean().backward()
    grads = {name: None if p.grad is None else p.grad.abs().max().item() for name, p in model.named_parameters()}
    silent = {name for name, grad in grads.items() if grad == 0}
    assert silent == {name for name in grads if ".messages_" in name and "gamma" not in name}
    assert None not in grads.values()


def test_reconstruction_leaves_the_fusion_layers_alone(formula_smfnet) -> None:
    model = formula_smfnet(SMALL, unused=False).train()
    found_a, found_b, _ = model.reconstruct(*random_pair(2, 1, 12, 9))
    (found_a.square().mean() + found_b.square().mean()).backward()
    without = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is None}
    assert without == {"fuse_base", "fuse_detail", "graph"}
    assert {name for name, p in model.graph.named_parameters() if p.grad is None} == {"join.weight", "join.bias"}


@pytest.mark.parametrize("name", [*CHANGES, "train_gradients", "output", "keep_black"])
def test_configuration_goes_through_json(name: str) -> None:
    changes: dict[str, Any] = CHANGES | {"train_gradients": False, "output": "clip", "keep_black": True}
    config = replace(SMALL, **{name: changes[name]})
    assert SMFNetConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": 20, "heads": 8}, "20 channels cannot be cut for 8 heads"),
        ({"channels": 18, "heads": 1}, "18 channels cannot be cut"),
        ({"heads": 0}, "cannot be cut for 0 heads"),
        ({"depth": 0}, "must be at least 1"),
        ({"dilations": (4, 8, 0)}, "must be at least 1"),
        ({"dilations": (4, 8)}, "2 dilations: give three"),
        ({"exchange_rounds": -1}, "must not be negative"),
        ({"mixing": "sparse"}, "mixing cannot be 'sparse': use 'dense' or 'depthwise'"),
        ({"messages": "none"}, "messages cannot be 'none'"),
        ({"output": "percentile"}, "output cannot be 'percentile': use 'clip' or 'minmax'"),
        ({"scale_limit": 0.0}, "scale_limit 0.0 is not positive"),
    ],
)
def test_impossible_configuration_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        replace(SMFNetConfig(), **changes)
