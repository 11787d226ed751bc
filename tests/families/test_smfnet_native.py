"""SMFNet's graph compiled equals its modules, for every instruction set, width, option and size around its tiles."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from polyfuse.families.smfnet import SMFNetConfig, graph_pass
from polyfuse.families.smfnet.graph import GraphReasoning
from polyfuse.ops import native_kernels, native_maps_sets
from polyfuse.ops.native_kernels import kernel
from polyfuse.ops.native_maps import NODES, TILE
from polyfuse.ops.native_maps_sets import MAPS_SETS as SETS
from polyfuse.ops.native_maps_sets import supports_maps

# Values up to some 20; measured: below 3e-6 in float32, 0.05 in bfloat16 (0.12 by PyTorch).
ERRORS = {torch.float32: 2e-5, torch.bfloat16: 0.1}
NAMES = [(name, dtype) for dtype, names in SETS.items() for name in names]


@pytest.fixture
def use_instruction_set(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the compiled form use the named instruction set, or skip where this machine lacks it."""

    def use(name: str) -> None:
        module = kernel("maps")
        if module is None or not module.supports(name):
            pytest.skip(f"this build and processor have no {name} kernel")
        monkeypatch.setattr(native_maps_sets, "maps_instruction_set", lambda dtype: name)

    return use


def graph(**changes: Any) -> GraphReasoning:
    """Random weights, large enough for every gate to matter."""
    narrow: dict[str, Any] = {"channels": 8, "heads": 2, "messages": "per_neighbour"}
    config = SMFNetConfig(**narrow | changes)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        made = GraphReasoning(config)
        for value in made.parameters():
            value.data.add_(0.3 * torch.randn_like(value))
    return made.eval().requires_grad_(False)


def random_nodes(height: int, width: int, channels: int, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
    values = torch.randn(2 * NODES, height, width, channels, generator=torch.Generator().manual_seed(6)).to(dtype)
    return list(values[:NODES]), list(values[NODES:])


def literal(made: GraphReasoning, nodes: tuple[list[Tensor], list[Tensor]]) -> list[Tensor]:
    """The modules' own steps in float64, channels last."""
    made = made.double()
    a, b = ([node.double().relu().permute(2, 0, 1)[None] for node in own] for own in nodes)
    for _ in range(made.rounds):
        pairs = [made._exchanged(x, y, None) for x, y in zip(a, b, strict=True)]
        a, b = [x for x, _ in pairs], [y for _, y in pairs]
    found = [torch.cat(send(own), dim=1) for send, own in ((made.messages_a, a), (made.messages_b, b))]
    made.float()
    return [x[0].permute(1, 2, 0) for x in found]


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, (1, 1)),
        ({}, (1, TILE)),
        ({}, (3, TILE // 2)),
        ({}, (2, TILE + 1)),
        ({"channels": 4, "heads": 1}, (2, 30)),
        ({"channels": 24, "heads": 4}, (5, 20)),
        ({"channels": 28, "heads": 2}, (5, 20)),
        ({"channels": 64, "heads": 8, "messages": "interleaved"}, (5, 20)),
        ({"messages": "interleaved"}, (5, 20)),
        ({"message_iterations": 0}, (5, 20)),
        ({"message_iterations": 1, "exchange_rounds": 3}, (5, 20)),
        ({"exchange_rounds": 0}, (5, 20)),
    ],
)
@pytest.mark.parametrize(("name", "dtype"), NAMES)
def test_it_equals_the_modules(
    use_instruction_set: Callable[[str], None],
    name: str,
    dtype: torch.dtype,
    changes: dict[str, Any],
    size: tuple[int, int],
) -> None:
    use_instruction_set(name)
    made = graph(**changes)
    nodes = random_nodes(*size, made.gate_a.in_channels, dtype)
    expected = literal(made, nodes)
    for found, wanted in zip(graph_pass._native(made, dtype)(*nodes), expected, strict=True):
        scale = max(1.0, wanted.abs().max().item() / 20)
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=scale * ERRORS[dtype])


@pytest.mark.parametrize(("name", "dtype"), NAMES)
def test_neighbours_do_not_change_a_bit(
    use_instruction_set: Callable[[str], None], name: str, dtype: torch.dtype
) -> None:
    use_instruction_set(name)
    run = graph_pass._native(graph(), dtype)
    nodes_a, nodes_b = random_nodes(50, TILE + 7, 8, dtype)
    whole = run(nodes_a, nodes_b)
    rows = slice(7, 30)
    part = run([node[rows] for node in nodes_a], [node[rows] for node in nodes_b])
    assert all(torch.equal(one[rows], two) for one, two in zip(whole, part, strict=True))


@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_gates_that_are_wide_open_or_shut_stay_finite(use_instruction_set: Callable[[str], None], value: float) -> None:
    made = graph()
    nodes = random_nodes(2, 30, 8, torch.float32)
    nodes[0][0].fill_(1e4)
    made.gate_a.weight.fill_(value)
    expected = literal(made, nodes)
    for name, dtype in NAMES:
        use_instruction_set(name)
        run = graph_pass._native(made, dtype)
        for found, wanted in zip(run(*([node.to(dtype) for node in own] for own in nodes)), expected, strict=True):
            assert found.isfinite().all()
            error = 0.02 if dtype == torch.bfloat16 else 1e-5
            torch.testing.assert_close(found.double(), wanted, rtol=error, atol=error * wanted.abs().max().item())


def test_weights_kept_in_bfloat16_are_read_as_what_they_are(use_instruction_set: Callable[[str], None]) -> None:
    use_instruction_set("avx512_bf16")
    made, nodes = graph().bfloat16(), random_nodes(5, 20, 8, torch.bfloat16)
    found = graph_pass._native(made, torch.bfloat16)(*nodes)
    for one, wanted in zip(found, literal(made, nodes), strict=True):
        torch.testing.assert_close(one.double(), wanted, rtol=0, atol=ERRORS[torch.bfloat16])


def test_form_without_the_kernel_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made, nodes = graph(), random_nodes(5, 20, 8, torch.float32)
    expected = literal(made, nodes)
    monkeypatch.setattr(native_kernels, "kernel", lambda name: None)
    native_kernels.instruction_set.cache_clear()
    try:
        assert not supports_maps(torch.device("cpu"), torch.float32, 8)
    finally:
        native_kernels.instruction_set.cache_clear()
    for found, wanted in zip(graph_pass._communicate(made, torch.float32)(*nodes), expected, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=ERRORS[torch.float32])
