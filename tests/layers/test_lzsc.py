"""The sparse-coding blocks: golden values of every variant, schedules, configuration."""

import math
from typing import Literal

import pytest
import torch

from polyfuse.errors import UsageError
from polyfuse.families.fnet.coder import LCSC, CoderConfig, CoderTrace, Momentum
from polyfuse.ops.threshold import ThresholdKind

VARIANTS = {
    "base": CoderConfig(),
    "AE1_lcsc": CoderConfig(coder="lcsc"),
    "AE2_soft": CoderConfig(threshold="soft"),
    "hard": CoderConfig(threshold="hard"),
    "AE3_shared": CoderConfig(share_convs=True),
    "AE4_none": CoderConfig(momentum="none"),
    "AE5_polyak": CoderConfig(momentum="polyak"),
    "AE6_qhm": CoderConfig(momentum="qhm"),
    "AE7_gamma200": CoderConfig(steepness=200),
    "AE8_alpha0.01": CoderConfig(shrink=0.01),
    "AE9_n3": CoderConfig(iterations=3),
}

CONSTANTS_ONLY = ("hard", "AE7_gamma200", "AE8_alpha0.01")  # the same path as another variant; float64 is slow


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in CONSTANTS_ONLY else n for n in VARIANTS]
)
def test_variant_gives_its_golden_values(name: str, golden, picture_a: torch.Tensor, formula_block) -> None:
    if name == "AE3_shared":  # W_0, P_1, Q_1, P'_2, Q'_2 stand for every iteration, as in the golden run
        assert list(formula_block(VARIANTS[name]).input) == ["0"]
    with torch.no_grad():
        x = formula_block(VARIANTS[name])(picture_a)[0]
    found = {
        "mean": x.mean().item(),
        "std": x.std(correction=0).item(),
        "min": x.min().item(),
        "max": x.max().item(),
        "c0_24_32": x[0, 24, 32].item(),
        "c17_10_50": x[17, 10, 50].item(),
        "c63_0_0": x[63, 0, 0].item(),
        "null": (x.abs() < 1e-3).double().mean().item(),
    }
    # float64 on both sides, only the order of summation differs; values up to 34
    assert found == pytest.approx(golden["G16_block_variants"][name], rel=1e-10, abs=1e-10)


def test_initial_thresholds_are_golden(golden) -> None:
    found = CoderConfig().build(1).thresholds()
    assert found.tolist() == pytest.approx(golden["G2_initial_scalars"]["theta"], abs=1e-6)  # float32


def test_initial_momenta_are_golden(golden) -> None:
    found = CoderConfig().build(1).momenta()
    assert found.tolist() == pytest.approx(golden["G2_initial_scalars"]["rho"], abs=1e-6)  # float32


def test_thresholds_stay_positive_for_any_parameters() -> None:
    block = CoderConfig().build(1)
    block.get_parameter("w_theta").data.fill_(-3.0)
    assert (block.thresholds() > 0).all()


@pytest.mark.parametrize("planes", [1, 2])
def test_convolutions_start_xavier_uniform(planes: int) -> None:
    bound = math.sqrt(6 / ((planes + 64) * 81))
    weights = [p for name, p in CoderConfig().build(planes).named_parameters() if name.endswith("weight")]
    assert len(weights) == 19
    assert all(0.95 * bound < w.abs().max().item() <= bound for w in weights)


@pytest.mark.parametrize(("planes", "count"), [(1, 98_500), (2, 196_996)])
def test_block_has_the_published_number_of_parameters(planes: int, count: int) -> None:
    assert sum(p.numel() for p in CoderConfig().build(planes).parameters()) == count


@pytest.mark.parametrize("coder", ["lzsc", "lcsc"])
@pytest.mark.parametrize("iterations", [1, 4])
def test_trace_notes_every_estimate(coder: Literal["lzsc", "lcsc"], iterations: int) -> None:
    trace = CoderTrace([], [])
    block = CoderConfig(coder=coder, channels=3, iterations=iterations).build(1)
    block(torch.ones(1, 1, 4, 5), trace)
    assert len(trace.before) == len(trace.after) == iterations + 1


def test_trace_ends_with_the_code() -> None:
    trace = CoderTrace([], [])
    block = CoderConfig(channels=3).build(1)
    assert block(torch.ones(1, 1, 4, 5), trace) is trace.after[-1]


def test_shared_lcsc_has_one_threshold_per_channel() -> None:
    block = LCSC(1, CoderConfig(coder="lcsc", channels=7, share_convs=True))
    assert block.theta.shape == (7,)
    assert block(torch.ones(1, 1, 3, 3)).shape == (1, 7, 3, 3)


@pytest.mark.parametrize("config", [CoderConfig(coder="lcsc"), CoderConfig(momentum="qhm")], ids=["lcsc", "qhm"])
def test_blocks_without_fast_form_say_so(config: CoderConfig) -> None:
    assert config.build(1).steps() is None


@pytest.mark.parametrize("momentum", ["nesterov", "polyak", "qhm"])
def test_momentum_parameters_learn(momentum: Momentum) -> None:
    block = CoderConfig(channels=4, momentum=momentum).build(1).double()
    block(torch.linspace(0, 1, 30, dtype=torch.float64).reshape(1, 1, 5, 6) * 9).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for name, p in block.named_parameters() if "rho" in name)


@pytest.mark.parametrize("momentum", ["nesterov", "none", "polyak", "qhm"])
@pytest.mark.parametrize("threshold", ["sigmoidal", "soft", "hard"])
def test_every_combination_keeps_float64(momentum: Momentum, threshold: ThresholdKind) -> None:
    block = CoderConfig(channels=3, momentum=momentum, threshold=threshold).build(2).double()
    assert block(torch.ones(1, 2, 3, 4, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(
    "wrong",
    [
        {"kernel_size": 8},
        {"kernel_size": 0},
        {"iterations": 0},
        {"channels": 0},
        {"steepness": 0.0},
        {"shrink": 1.5},
        {"coder": "csc"},
        {"threshold": "firm"},
        {"momentum": "adam"},
    ],
    ids=str,
)
def test_configuration_that_describes_no_network_is_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match="use"):
        CoderConfig(**wrong)
